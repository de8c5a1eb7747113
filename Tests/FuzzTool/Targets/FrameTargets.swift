import ControlProtocol
import PeerProtocol
import Primitives

@testable import Cluster

/// What nodes say to each other and write down: heartbeats, frames of peer links, stored values.
extension FuzzTarget {
    static let frames: [FuzzTarget] = [
        heartbeatBody, heartbeatDatagram, peerFrames, storedEntry, storedSnapshot, auditLines,
    ]

    static func samples(_ count: Int, _ make: (inout FrameSamples) -> [UInt8]) -> [[UInt8]] {
        var samples = FrameSamples(seed: 20_261_129)
        return (0..<count).map { _ in make(&samples) }
    }

    static let heartbeatBody = FuzzTarget(
        "heartbeat-body", "a heartbeat, opened: what is read can be written and read again",
        maximumLength: 1400,
        seeds: { samples(24) { HeartbeatCodec.encode($0.heartbeat()) } }
    ) { input in
        guard let heartbeat = try? HeartbeatCodec.decode(input.rest()) else { return }
        let again = try? HeartbeatCodec.decode(HeartbeatCodec.encode(heartbeat, room: 1 << 16))
        expect(again == heartbeat, "another heartbeat comes back: \(heartbeat)")
    }

    private static let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))

    private static let signer = HeartbeatSigner()
    /// Signed heartbeats, as bytes and from whom: what else is found to be proven is forged.
    private static let signed: [[UInt8]: String] = {
        var sealer = HeartbeatSealer(key: key, signer: signer)
        var all: [[UInt8]: String] = [:]
        var samples = FrameSamples(seed: 20_261_129)
        for _ in 0..<4 {
            let heartbeat = samples.heartbeat()
            all[sealer.seal(heartbeat)] = heartbeat.sender.name
        }
        return all
    }()

    static let heartbeatDatagram = FuzzTarget(
        "heartbeat-datagram", "datagrams of the heartbeat port: head, budget, seal, second copies",
        maximumLength: 2048,
        seeds: {
            var sealer = HeartbeatSealer(key: key, session: HeartbeatSession(high: 1, low: 2))
            return samples(8) { sealer.seal($0.heartbeat()) + [1, 0, 0] }
                + signed.keys.sorted { $0.lexicographicallyPrecedes($1) }.map { $0 + [1, 0, 0] }
        }
    ) { input in
        var opener = HeartbeatOpener(key: key)
        var asking = HeartbeatOpener(key: key, requiresProof: true)
        for name in Set(signed.values).sorted() { asking.vouch(signer.voucher, for: name) }
        var sieve = HeartbeatSieve(
            own: HeartbeatSession(high: 9, low: 9), familiar: [IPAddress("192.0.2.1")].compactMap { $0 })
        var now = Instant(nanoseconds: 1)
        while let datagram = input.piece() {
            let network = input.choice(256)
            now += .milliseconds(input.choice(256))
            let bytes = input.flag() ? Array(datagram) : key.heartbeatPrefix + datagram
            let source = DatagramSource(high: 0, low: UInt64(input.choice(4)))
            if let opened = try? asking.open(bytes, network: network), opened.proof == .proven {
                expect(signed[bytes] == opened.heartbeat.sender.name, "a forged one is proven: \(opened)")
            }
            let verdict = bytes.withUnsafeBytes {
                sieve.judge($0, from: source, network: network, by: opener, at: now)
            }
            if verdict == .open, (try? opener.open(bytes, network: network)) != nil { sieve.trust(source) }
        }
    }

    static let peerFrames = FuzzTarget(
        "peer-frames", "a peer link's stream, in pieces: what is read can be written and read again",
        maximumLength: 16_384, seeds: { samples(60) { PeerFrameCodec.encode($0.frame()) } }
    ) { input in
        var decoder = PeerFrameDecoder()
        while let piece = input.piece() {
            decoder.append(piece)
            while let frame = (try? decoder.next()) ?? nil {
                let bytes = PeerFrameCodec.encode(frame)
                expect(
                    (try? PeerFrameCodec.decodeFrame(bytes)) == frame, "another frame comes back: \(frame)")
            }
        }
    }

    static let storedEntry = FuzzTarget(
        "stored-entry", "an entry of the log as the state file keeps it", maximumLength: 8192,
        seeds: { samples(40) { StorageCodec.encode($0.entry()) } }
    ) { input in
        guard let entry = try? StorageCodec.decodeEntry(input.rest()) else { return }
        expect(
            (try? StorageCodec.decodeEntry(StorageCodec.encode(entry))) == entry,
            "another entry comes back: \(entry)")
    }

    static let storedSnapshot = FuzzTarget(
        "stored-snapshot", "the agreed state as the state file keeps it", maximumLength: 16_384,
        seeds: { samples(16) { StorageCodec.encode($0.snapshot()) } }
    ) { input in
        guard let snapshot = try? StorageCodec.decodeSnapshot(input.rest()) else { return }
        expect(
            (try? StorageCodec.decodeSnapshot(StorageCodec.encode(snapshot))) == snapshot,
            "another snapshot comes back: \(snapshot)")
    }

    static let auditLines = FuzzTarget(
        "audit-lines", "lines of the audit file, and whether their chain is whole", maximumLength: 8192,
        seeds: {
            var line: AuditLine?
            var lines: [UInt8] = []
            for number in 1...3 as ClosedRange<UInt64> {
                let entry = AuditEntry(
                    number: number, epoch: Epoch(term: 1, index: number), time: .init(nanoseconds: 5),
                    wall: nil,
                    who: "ops", what: "drain fs1", why: "kernel update", outcome: "accepted")
                line = AuditLine(entry, after: line)
                lines += ControlJSON.encode(line) + [0x0A]
            }
            return [lines]
        }
    ) { input in
        let lines = input.rest().split(separator: 0x0A).compactMap {
            try? ControlJSON.decode(AuditLine.self, Array($0), field: "line")
        }
        let fault = AuditLine.fault(in: lines)
        guard let last = lines.last, fault == nil else { return }
        expect(
            AuditLine.fault(in: lines + [AuditLine(last.entry, after: last)]) != nil, "a number comes twice")
    }
}
