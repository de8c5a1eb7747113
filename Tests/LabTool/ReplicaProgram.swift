import Cluster
import Consensus
import Daemon
import Foundation
import Lab
import PeerProtocol
import Primitives
import Replication

/// One of the replicas that are measured: a process of its own, told line by line what to do.
///
/// ```
/// fsdns-lab replica NAME IP SECRET WRITER NAME=IP…     the others last; prints `ready`
///   meet                 makes the links                          → `met`
///   write COUNT BATCH FOLLOWERS    writes so many new ones        → `wrote SECONDS` when all followers have them
///   has COUNT            waits until it has so many, complete     → `has NANOSECONDS` of the boot-time clock
///   told                                                          → `told CHANGES`
/// ```
final class ReplicaProgram {
    private static let stream = StreamID.address("master1")
    private static let epoch = Epoch(term: 1, index: 1)
    private static let port: UInt16 = 5406
    /// Records the writer may be ahead of its slowest follower.
    private static let window: UInt64 = 100_000

    private let replica: StandaloneReplica
    private let others: [(holder: Holder, endpoint: Endpoint)]
    private let source = RegistrationSource()

    static func run(_ arguments: [String]) throws {
        guard arguments.count >= 5 else { throw LabFailure("replica NAME IP SECRET WRITER NAME=IP…") }
        let program = try ReplicaProgram(
            name: arguments[0], ip: arguments[1], secret: arguments[2], writer: arguments[3],
            others: Array(arguments[4...]))
        say("ready")
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            say(try program.obey(words.first ?? "", words.dropFirst().compactMap { Int($0) }))
        }
    }

    private static func say(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

    private init(name: String, ip: String, secret: String, writer: String, others: [String]) throws {
        let key = ClusterKey(cluster: "bench", secret: Array(secret.utf8))
        replica = try StandaloneReplica(
            me: Self.holder(name), key: key, listening: try Self.endpoint(ip))
        self.others = try others.map { other in
            let parts = other.split(separator: "=").map(String.init)
            guard parts.count == 2 else { throw LabFailure("\(other) is not NAME=IP") }
            return (Self.holder(parts[0]), try Self.endpoint(parts[1]))
        }
        try replica.writer(
            of: Self.stream, is: Self.holder(writer), isHere: writer == name, epoch: Self.epoch)
    }

    private static func holder(_ name: String) -> Holder {
        Holder(member: MemberID(name: name, birth: 1), incarnation: 1 << 32)
    }

    private static func endpoint(_ ip: String) throws -> Endpoint {
        guard let ip = IPAddress(ip) else { throw LabFailure("\(ip) is no address") }
        return Endpoint(ip: ip, port: port)
    }

    private func obey(_ word: String, _ numbers: [Int]) throws -> String {
        switch (word, numbers.count) {
        case ("meet", 0):
            try replica.meet(others)
            return "met"
        case ("write", 3): return "wrote \(try write(numbers[0], batch: numbers[1], followers: numbers[2]))"
        case ("has", 1): return "has \(try awaitCopy(of: numbers[0]).nanoseconds)"
        case ("told", 0): return "told \(try replica.told())"
        default: throw LabFailure("unknown command \(word)")
        }
    }

    /// In seconds, until the last follower said it has applied the last of them.
    private func write(_ count: Int, batch: Int, followers: Int) throws -> Double {
        let (source, start) = (source, BootTime.now)
        let end = source.next + count
        try replica.feed(Self.stream, followers: followers, window: Self.window) {
            source.next < end ? source.writes(min(batch, end - source.next)) : nil
        }
        while true {
            let status = try replica.status(of: Self.stream)
            let reached = status?.followers.map(\.sequence).min()
            if let status, let reached, reached >= status.position.sequence { break }
            if BootTime.now.milliseconds(since: start) > 300_000 {
                throw LabFailure("the followers do not follow")
            }
            usleep(500)
        }
        return BootTime.now.milliseconds(since: start) / 1000
    }

    private func awaitCopy(of count: Int) throws -> BootTime {
        let start = BootTime.now
        while true {
            let status = try replica.status(of: Self.stream)
            if let status, status.isComplete, status.count == count { return .now }
            if BootTime.now.milliseconds(since: start) > 300_000 {
                throw LabFailure("there are \(status?.count ?? 0) of \(count) records after 300 s")
            }
            usleep(1000)
        }
    }
}

/// Registrations of desk phones behind NAT, each another user, as FreeSWITCH keeps them.
final class RegistrationSource: @unchecked Sendable {
    /// How many were made; touched by one thread at a time.
    private(set) var next = 0
    private let expires: Instant
    private var template: Registration

    init() {
        expires = Instant(nanoseconds: BootTime.now.nanoseconds + 3_600_000_000_000)
        let (user, address) = ("1100000", "10.21.132.17")
        template = Registration(
            profile: "master1", user: user, host: "voice.example.net",
            contact: "\"\" <sip:\(user)@\(address):49152;transport=udp;fs_nat=yes;"
                + "fs_path=sip%3A\(user)%40\(address)%3A49152%3Btransport%3Dudp>",
            callID: "b36d1f0a94c2e857-7a31c2d4@\(address)", status: "Registered(UDP-NAT)",
            presenceHosts: "voice.example.net", rpid: "unknown", toUser: user, toHost: "voice.example.net",
            networkIP: address, networkPort: "49152", username: user, realm: "voice.example.net",
            userAgent: "Yealink SIP-T46S 66.86.0.15", mwiAccount: "\(user)@voice.example.net",
            expires: expires)
    }

    /// The next one in its replicated form.
    func record() -> Record {
        let user = String(1_100_000 + next)
        next += 1
        (template.user, template.toUser, template.username) = (user, user, user)
        template.mwiAccount = user + "@voice.example.net"
        do throws(RecordFailure) {
            return try Record(template)
        } catch {
            preconditionFailure("a registration of the bench cannot be replicated: \(error)")
        }
    }

    func writes(_ count: Int) -> [Write] { (0..<count).map { _ in .put(record()) } }
}
