import Calendar
import Cluster
import Config
import Consensus
import NIOCore
import NIOPosix
import NIOSSL
import PeerProtocol
import Primitives
import Synchronization
import Testing

@testable import Daemon

@Suite("Heartbeats that need proof", .serialized)
struct HeartbeatProofTests {
    private static let port: UInt16 = 15_478
    private static let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
    private let places = (1...3).map {
        Endpoint(ip: .v4(127, 9, 8, UInt8($0)), port: HeartbeatProofTests.port)
    }

    /// A node that has a certificate, and the heartbeat paths of it.
    private final class Site {
        let heartbeats: Heartbeats
        let signer = HeartbeatSigner()
        let trust: LinkTrust
        let folder: CertificateFolder
        let number: Int

        init(
            _ number: Int, _ places: [Endpoint], isRequired: Bool = true,
            clock: @escaping @Sendable () -> Int64 = { CertifiedEnd.now }
        ) throws {
            self.number = number
            folder = try CertificateFolder("fs\(number)", isRequired: isRequired)
            trust = try LinkTrust(
                key, files: folder.files, node: "fs\(number)", log: .silent, clock: clock)
            let plan = HeartbeatPort.Plan(
                name: "unicast", network: nil, own: places[number - 1].ip, port: places[0].port,
                peers: places,
                avoided: [])
            heartbeats = Heartbeats(
                plans: [plan], me: "fs\(number)", timing: Timing(), key: key, signer: signer, trust: trust,
                log: .silent)
            heartbeats.tend(at: .zero)
        }

        func say(_ sequence: UInt64) { heartbeats.send(heartbeat("fs\(number)", sequence), at: .zero) }

        func vouch() throws -> HeartbeatVouch {
            let hello = PeerHello(
                cluster: "pbx", holder: heartbeat("fs\(number)", 1).sender, voucher: signer.voucher)
            let proven = LinkProven(certificate: try HeartbeatVouchTests.certificate("fs\(number)"))
            return try #require(HeartbeatVouch(hello, proven))
        }

        /// Everything that waits; on loopback what was sent has arrived.
        func hears() -> [Heartbeats.Heard] {
            var heard: [Heartbeats.Heard] = []
            for port in heartbeats.ports { heartbeats.receive(on: port) { heard.append($0) } }
            return heard
        }

        var unproven: UInt64 { heartbeats.dropped.first { $0.reason == "unproven" }?.count ?? 0 }
    }

    private static func heartbeat(_ name: String, _ sequence: UInt64) -> Heartbeat {
        Heartbeat(
            clusterID: 1, sender: Holder(member: MemberID(name: name, birth: 3), incarnation: 1 << 32),
            sequence: sequence, kind: .full, role: .slave, settingsVersion: 1, term: 1, commit: 1,
            leader: nil,
            fenceEpoch: .zero, holding: [], leaseValid: true, keeperEmpty: true, leaving: false,
            load: SwitchReport(health: .none), founding: 0, acknowledgements: [])
    }

    @Test(
        "before its link vouches for it a node is only where it might be called, afterwards it is heard, also without links"
    )
    func life() throws {
        let (one, other) = (try Site(1, places), try Site(2, places))
        one.say(1)
        let before = try #require(other.hears().first)
        #expect(!before.counts)
        #expect(other.heartbeats.paths.isEmpty && other.unproven == 1)
        let hint = other.heartbeats.hint(of: before)
        #expect(hint.ways == [PeerWay(remote: places[0], local: places[1])] && !hint.isTold)
        other.heartbeats.learn(try one.vouch())
        one.say(2)
        one.say(3)
        let heard = other.hears()
        #expect(heard.map(\.counts) == [true, true] && heard.map(\.isNew) == [true, true])
        #expect(other.heartbeats.paths.map(\.peer) == ["fs1"])
    }

    @Test(
        "nodes with certificates that do not require them hear those with and without, and are heard by those that do"
    )
    func migration() throws {
        let requires = try Site(1, places)
        let accepts = try Site(2, places, isRequired: false)
        let plan = HeartbeatPort.Plan(
            name: "unicast", network: nil, own: places[2].ip, port: Self.port, peers: places, avoided: [])
        let plain = Heartbeats(plans: [plan], me: "fs3", timing: Timing(), key: Self.key, log: .silent)
        plain.tend(at: .zero)
        requires.heartbeats.learn(try accepts.vouch())
        accepts.heartbeats.learn(try requires.vouch())
        requires.say(1)
        accepts.say(1)
        plain.send(Self.heartbeat("fs3", 1), at: .zero)
        var heard: [Heartbeats.Heard] = []
        for port in plain.ports { plain.receive(on: port) { heard.append($0) } }
        #expect(heard.map(\.heartbeat.sender.name) == ["fs1", "fs2"] && heard.allSatisfy(\.counts))
        let there = accepts.hears()
        #expect(there.map(\.heartbeat.sender.name) == ["fs1", "fs3"] && there.allSatisfy(\.counts))
        let here = requires.hears()
        #expect(here.map(\.heartbeat.sender.name) == ["fs2", "fs3"])
        #expect(here.map(\.counts) == [true, false])
    }

    @Test(
        "heartbeats forged with the cluster's key count for nobody, of a dead node as of a living one, and are told of"
    )
    func forged() throws {
        let (one, other) = (try Site(1, places), try Site(2, places))
        other.heartbeats.learn(try one.vouch())
        let forger = try DatagramSocket(
            boundTo: Endpoint(ip: .v4(127, 9, 8, 66), port: 0), group: nil)
        var new = HeartbeatSealer(key: Self.key, session: HeartbeatSession(high: 5, low: 7))
        // In the true one's session, without its key.
        var same = HeartbeatSealer(key: Self.key, session: one.signer.voucher.session)
        for sequence in UInt64(100)...120 {
            #expect(forger.send(new.seal(Self.heartbeat("fs1", sequence)), to: places[1]) == 0)
            #expect(forger.send(same.seal(Self.heartbeat("fs1", sequence)), to: places[1]) == 0)
        }
        #expect(other.hears().allSatisfy { !$0.counts })
        #expect(other.heartbeats.paths.isEmpty && other.unproven > 1)
        one.say(7)
        #expect(other.hears().map(\.counts) == [true], "no counter of its was used up")
        // With a certificate of its own, in the name of another.
        let thief = try Site(3, places)
        other.heartbeats.learn(try thief.vouch())
        thief.heartbeats.send(Self.heartbeat("fs1", 500), at: .zero)
        #expect(other.hears().isEmpty)
    }

    @Test("a name that was forgotten is heard no more, without a restart, and again with a newer certificate")
    func revoked() throws {
        let (one, other) = (try Site(3, places), try Site(2, places))
        let vouch = try one.vouch()
        other.heartbeats.learn(vouch)
        one.say(1)
        #expect(other.hears().map(\.counts) == [true])
        // 2021-01-01; one certificate is from 2020, the other from 2022.
        other.trust.revoke([Revocation(name: "fs3", at: WallTime(seconds: 1_609_459_200))])
        other.heartbeats.forgetRevoked()
        one.say(2)
        #expect(other.hears().map(\.counts) == [false])
        // What was under way when it was forgotten.
        other.heartbeats.learn(vouch)
        one.say(3)
        #expect(other.hears().map(\.counts) == [false])
        var newer = vouch
        newer.certificate = try HeartbeatVouchTests.certificate("fs3-newer")
        other.heartbeats.learn(newer)
        one.say(4)
        #expect(other.hears().map(\.counts) == [true])
    }

    @Test(
        "a machine with the same name and certificate, started over and over, does not silence the one that is heard"
    )
    func clone() throws {
        let (one, other) = (try Site(1, places), try Site(2, places))
        let start = Instant.now()
        other.heartbeats.learn(try one.vouch(), at: start)
        for life in 1...12 {
            one.say(UInt64(life))
            #expect(other.hears().map(\.counts) == [true])
            // The original was heard just now; of the clone's starts each ends before the next.
            var vouch = try one.vouch()
            vouch.voucher = HeartbeatSigner().voucher
            other.heartbeats.learn(vouch, at: Instant.now() + .milliseconds(10 * Int64(life)))
        }
        one.say(100)
        #expect(other.hears().map(\.counts) == [true])
        #expect(other.heartbeats.keys.told.count == HeartbeatKeys.perName)
    }

    @Test("a key that finds no room counts as soon as one of its name is silent") func room() throws {
        let (one, other) = (try Site(1, places), try Site(2, places))
        let start = Instant.now()
        var vouch = try one.vouch()
        for _ in 0..<HeartbeatKeys.perName {
            vouch.voucher = HeartbeatSigner().voucher
            other.heartbeats.learn(vouch, at: start)
        }
        other.heartbeats.learn(try one.vouch(), at: start)
        one.say(1)
        #expect(other.hears().map(\.counts) == [false])
        other.heartbeats.forgetExpired(at: start + HeartbeatKeys.voice)
        one.say(2)
        #expect(other.hears().map(\.counts) == [true])
    }

    @Test("a certificate that ends takes no key with it, until its node is forgotten")
    func ended() throws {
        let clock = Mutex(CertifiedEnd.now)
        let one = try Site(1, places)
        let other = try Site(2, places, clock: { clock.withLock { $0 } })
        let vouch = try one.vouch()
        other.heartbeats.learn(vouch)
        // 2122; the certificates end in 2119.
        clock.withLock { $0 = 4_800_000_000 }
        other.heartbeats.forgetRevoked()
        one.say(1)
        #expect(other.hears().map(\.counts) == [true])
        other.trust.revoke([Revocation(name: "fs1", at: WallTime(seconds: 4_800_000_000))])
        other.heartbeats.forgetRevoked()
        one.say(2)
        #expect(other.hears().map(\.counts) == [false])
    }

    @Test("after a change of the authority keys count for half a minute, and longer when they are told anew")
    func authority() throws {
        let (one, other) = (try Site(1, places), try Site(2, places))
        other.heartbeats.learn(try one.vouch())
        other.heartbeats.expectAnew(at: .zero)
        other.heartbeats.forgetExpired(at: .zero + .seconds(29))
        one.say(1)
        #expect(other.hears().map(\.counts) == [true])
        other.heartbeats.learn(try one.vouch())
        other.heartbeats.forgetExpired(at: .zero + .seconds(31))
        one.say(2)
        #expect(other.hears().map(\.counts) == [true])
        other.heartbeats.expectAnew(at: .zero)
        other.heartbeats.forgetExpired(at: .zero + .seconds(31))
        one.say(3)
        #expect(other.hears().map(\.counts) == [false])
    }

    @Test(
        "who goes on unproven is told after two seconds: as one without a link, or as forged where its own are heard"
    )
    func told() throws {
        var watch = UnprovenWatch()
        let ip = IPAddress.v4(10, 0, 0, 66)
        func note(_ name: String, _ seconds: Int64, isForged: Bool = false) -> Bool {
            watch.note(name, from: ip, isForged ? .forged : .unproven, at: .zero + .seconds(seconds))
        }
        func warnings(_ seconds: Int64, _ isHeard: Bool) -> [String] {
            watch.warnings(at: .zero + .seconds(seconds)) { _ in isHeard }
        }
        #expect(!note("fs1", 1) && !note("fs1", 2))
        #expect(warnings(2, false).isEmpty)
        #expect(note("fs1", 3))
        #expect(warnings(3, false).first?.hasPrefix("heartbeats in the name of fs1 do not count") == true)
        #expect(warnings(3, true).first?.hasPrefix("heartbeats are forged in the name of fs1") == true)
        #expect(warnings(3, true).first?.contains("come from 10.0.0.66") == true)
        // So that others tell it too, while this node has no time for anybody who asks.
        let shared = { (seconds: Int64, isHeard: Bool) in
            watch.troubles(at: .zero + .seconds(seconds)) { _ in isHeard }
        }
        #expect(shared(3, false) == [PathTrouble(.unproven, detail: "10.0.0.66", peers: ["fs1"])])
        #expect(shared(3, true) == [PathTrouble(.forged, detail: "10.0.0.66", peers: ["fs1"])])
        // It was started anew, and is told nothing bad of then.
        watch.prove("fs1")
        #expect(warnings(3, true).isEmpty && shared(3, true).isEmpty)
        _ = (note("fs2", 10, isForged: true), note("fs2", 13, isForged: true))
        #expect(warnings(13, false).first?.hasPrefix("heartbeats are forged in the name of fs2") == true)
        #expect(warnings(74, false).isEmpty)
        for number in 0..<100 { _ = (note("x\(number)", 80), note("x\(number)", 83)) }
        #expect(warnings(83, false).count == 4)
        #expect(shared(83, false).map(\.peers.count) == [4])
        // Recordings are no sign of a stolen key, however well their node is heard.
        watch = UnprovenWatch()
        for second in 1...3 { _ = watch.note("fs3", from: ip, .former, at: .zero + .seconds(second)) }
        #expect(
            warnings(3, true).first?.hasPrefix("heartbeats of former starts of fs3 come from 10.0.0.66")
                == true)
        #expect(shared(3, true) == [PathTrouble(.replayed, detail: "10.0.0.66", peers: ["fs3"])])
        // Whoever makes up names, or addresses, hides nothing that is told.
        watch = UnprovenWatch()
        _ = (note("x1", 80), note("x1", 83))
        for second in 84..<90 {
            _ = note("x1", Int64(second))
            for number in 0..<100 { _ = note("y\(second)\(number)", Int64(second)) }
        }
        #expect(warnings(90, false).contains { $0.contains(" x1 ") })
    }
}

extension IPAddress {
    static func v4(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) -> IPAddress {
        guard let address = IPAddress(bytes: [a, b, c, d]) else { preconditionFailure("four bytes") }
        return address
    }
}
