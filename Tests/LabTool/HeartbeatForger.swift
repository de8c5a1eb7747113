import Cluster
import Foundation
import Glibc
import Lab
import PeerProtocol

/// An attacker who has the cluster's key and no certificate: hears what a node says, and says the like in its name.
enum HeartbeatForger {
    enum Manner: String {
        /// As if the node lived on: it hears everybody, and its lease runs.
        case alive
        /// As if it gave up what it has.
        case leaving
    }

    private static let interval = 0.02
    private static let longest = 32_768

    /// - Parameters:
    ///   - name: in whose name.
    ///   - own: where heartbeats are heard and sent from.
    ///   - targets: who gets them.
    static func run(
        _ manner: Manner, cluster: String, secret: String, name: String, own: String, port: UInt16,
        targets: [String], seconds: Double
    ) throws {
        let key = ClusterKey(cluster: cluster, secret: Array(secret.utf8))
        var opener = HeartbeatOpener(key: key)
        var sealer = HeartbeatSealer(
            key: key, session: HeartbeatSession(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max)))
        let descriptor = try socket(at: own, port)
        defer { close(descriptor) }
        var heard: [String: Heartbeat] = [:]
        var forged: Heartbeat?
        var buffer = [UInt8](repeating: 0, count: longest)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        var next = clock.now
        while clock.now < end {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0, let opened = try? opener.open(Array(buffer.prefix(count))).heartbeat {
                heard[opened.sender.name] = opened
            }
            guard clock.now >= next, let newest = heard[name] else { continue }
            next = clock.now + .seconds(interval)
            let sequence = max(newest.sequence, forged?.sequence ?? 0) + 1
            let heartbeat = heartbeat(like: newest, sequence, manner, Array(heard.values))
            forged = heartbeat
            let datagram = sealer.seal(heartbeat)
            for target in targets { send(datagram, from: descriptor, to: target, port) }
        }
    }

    private static func heartbeat(
        like newest: Heartbeat, _ sequence: UInt64, _ manner: Manner, _ others: [Heartbeat]
    ) -> Heartbeat {
        var heartbeat = newest
        heartbeat.sequence = sequence
        heartbeat.acknowledgements = others.filter { $0.sender.name != newest.sender.name }.map {
            Acknowledgement(holder: $0.sender, sequence: $0.sequence, age: .milliseconds(1))
        }.sorted { $0.holder < $1.holder }
        if manner == .leaving {
            heartbeat.leaving = true
            heartbeat.leaseValid = false
            heartbeat.holding = []
            heartbeat.keeperEmpty = true
        }
        return heartbeat
    }

    private static func address(_ text: String, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, text, &address.sin_addr)
        return address
    }

    private static func socket(at own: String, _ port: UInt16) throws -> Int32 {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: 0, tv_usec: 5000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = address(own, port)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0 else { throw LabFailure("cannot hear heartbeats at \(own)") }
        return descriptor
    }

    private static func send(_ datagram: [UInt8], from descriptor: Int32, to target: String, _ port: UInt16) {
        var address = address(target, port)
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    descriptor, datagram, datagram.count, Int32(MSG_DONTWAIT), $0,
                    socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
