import Cluster
import Consensus
import Crypto
import Primitives
import TestSupport
import Testing

@testable import PeerProtocol

/// What nodes say to each other, as bytes that were recorded.
@Suite("Recorded bytes of what nodes say to each other")
struct ConversationBytesTests {
    @Test("every heartbeat is the bytes that were recorded, and is read from them")
    func heartbeats() throws {
        #expect(
            try Golden("heartbeat", as: .hex).faults(
                Sample.heartbeats, write: { HeartbeatCodec.encode($0) }, read: HeartbeatCodec.decode) == [])
    }

    @Test(
        "a heartbeat that tells the sender's release is the bytes that were recorded, and is read from them")
    func releases() throws {
        #expect(
            try Golden("heartbeat", as: .hex, version: 2).faults(
                Sample.heartbeatsOfSecond, write: { HeartbeatCodec.encode($0) }, read: HeartbeatCodec.decode)
                == [])
    }

    @Test("a sealed heartbeat is the datagram that was recorded, and is opened")
    func sealed() throws {
        let session = HeartbeatSession(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10)
        let faults = try Golden("datagram", as: .hex).faults(
            [("sealed", Sample.heartbeat)],
            write: {
                var sealer = HeartbeatSealer(key: Sample.key, session: session)
                return sealer.seal($0)
            },
            read: { bytes in
                var opener = HeartbeatOpener(key: Sample.key)
                return try bytes.withUnsafeBytes { try opener.open($0).heartbeat }
            })
        #expect(faults == [])
    }

    @Test("a signed heartbeat is the datagram that was recorded, and proves whose it is")
    func signed() throws {
        let signer = HeartbeatSigner(
            try Curve25519.Signing.PrivateKey(rawRepresentation: Array(1...32)))
        let faults = try Golden("datagram-signed", as: .hex).faults(
            [("signed", Sample.heartbeat)],
            write: {
                var sealer = HeartbeatSealer(key: Sample.key, signer: signer)
                return sealer.seal($0)
            },
            read: { bytes in
                var opener = HeartbeatOpener(key: Sample.key, requiresProof: true)
                opener.vouch(signer.voucher, for: Sample.one.name)
                let opened = try opener.open(bytes)
                #expect(opened.proof == .proven)
                return opened.heartbeat
            })
        #expect(faults == [])
    }

    @Test("the session of a start's heartbeats follows from its public key as it did")
    func session() throws {
        let voucher = try #require(HeartbeatVoucher(publicKey: Array(1...32)))
        #expect(try Golden("session", as: .hex).faults([("of-key", voucher.session.bytes)]) == [])
    }

    @Test("the proof of the key within a link is the one that was recorded")
    func proof() throws {
        let parts = [UInt8(1), 2, 3, 4].map { [UInt8](repeating: $0, count: LinkProof.length) }
        let proof = LinkProof(
            Sample.key, nonces: (parts[0], parts[1]), certificates: (parts[2], parts[3]))
        let proofs: [(name: String, bytes: [UInt8])] = [
            ("caller", proof.proof(of: .caller)), ("called", proof.proof(of: .called)),
            ("shared-key", Sample.key.peerSecret),
        ]
        #expect(try Golden("proof", as: .hex).faults(proofs) == [])
    }

    @Test("every frame is the bytes that were recorded, and is read from them")
    func frames() throws {
        #expect(
            try Golden("frame", as: .hex).faults(
                Sample.frames, write: PeerFrameCodec.encode, read: PeerFrameCodec.decodeFrame) == [])
    }

    @Test("no case, and no field, is without recorded bytes")
    func coverage() {
        let samples: [Any] =
            Sample.frames.map(\.value) + Sample.heartbeats.map { Self.onTheWire($0.value) }
            + [Drain.Phase.allCases, Drain.OnDeadline.allCases, Sample.commands.map(\.value)]
            + Sample.states.map(\.value)
            + Sample.heartbeatsOfSecond.map { Self.onTheWire($0.value) }
            + [Sample.commandsOfSecond.map(\.value), Sample.statusOfSecond, Sample.zoneOfSecond] as [Any]
            + [Sample.laterCommand, Sample.laterCommands, Sample.laterRequests, PeerFrame.unknown(kind: 9)]
        let leaves: [any Any.Type] = [IPAddress.self, HeartbeatVoucher.self]
        #expect(Coverage(samples, leaves: leaves).gaps == [])
    }

    /// Without what a node keeps to itself.
    private static func onTheWire(_ heartbeat: Heartbeat) -> [Any] {
        let mirror = Mirror(reflecting: heartbeat)
        return mirror.children.filter { $0.label != "load" }.map(\.value)
            + [heartbeat.load.health, heartbeat.load.addresses]
    }
}
