import Cluster
import Consensus
import Primitives
import Testing

@testable import PeerProtocol

@Suite("Signed heartbeats")
struct HeartbeatProofTests {
    private let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))

    private func heartbeat(_ name: String, seed: UInt64 = 3) -> Heartbeat {
        var samples = FrameSamples(seed: seed)
        var heartbeat = samples.heartbeat()
        heartbeat.sender = Holder(member: MemberID(name: name, birth: 5), incarnation: 1 << 32)
        return heartbeat
    }

    @Test(
        "who asks for no proof reads a signed heartbeat, and one without a signature has the bytes it always had"
    )
    func notAsked() throws {
        let signer = HeartbeatSigner()
        var sealer = HeartbeatSealer(key: key, signer: signer)
        var opener = HeartbeatOpener(key: key)
        let signed = sealer.seal(heartbeat("fs1"))
        let opened = try opener.open(signed)
        #expect(opened.heartbeat == heartbeat("fs1"))
        #expect(opened.proof == .notAsked && opened.isNew && opened.session == signer.voucher.session)
        var plain = HeartbeatSealer(key: key, session: HeartbeatSession(high: 1, low: 2))
        let unsigned = plain.seal(heartbeat("fs1"))
        #expect(unsigned.count == 53 + HeartbeatCodec.encode(heartbeat("fs1")).count)
        #expect(signed.count == unsigned.count + 66)
    }

    @Test(
        "a heartbeat is proven once its node told the key, not before, not when another did, and not in another's name"
    )
    func proof() throws {
        let signer = HeartbeatSigner()
        var sealer = HeartbeatSealer(key: key, signer: signer)
        var opener = HeartbeatOpener(key: key, requiresProof: true)
        let first = sealer.seal(heartbeat("fs1"))
        #expect(try opener.open(first).proof == .missing)
        opener.vouch(HeartbeatSigner().voucher, for: "fs1")
        #expect(try opener.open(first).proof == .missing)
        opener.vouch(signer.voucher, for: "fs2")
        #expect(try opener.open(first).proof == .wrong)
        opener.vouch(signer.voucher, for: "fs1")
        let opened = try opener.open(first)
        #expect(opened.proof == .proven && opened.isNew, "nothing is remembered of it from before")
        let copy = try opener.open(first, network: 2)
        #expect(copy.proof == .proven && !copy.isNew)
        #expect(opener.isVouched(signer.voucher, for: "fs2") && opener.isVouched(signer.voucher, for: "fs1"))
        opener.withdraw(signer.voucher, of: "fs2")
        #expect(try opener.open(sealer.seal(heartbeat("fs2"))).proof == .wrong)
        opener.withdraw(signer.voucher, of: "fs1")
        #expect(try opener.open(sealer.seal(heartbeat("fs1"))).proof == .missing)
        opener.vouch(signer.voucher, for: "fs1")
        #expect(try opener.open(first, network: 3).isNew == false, "told again, and known all the same")
    }

    @Test(
        "one with the cluster's key cannot change a signed heartbeat, nor move a signature to another session or counter"
    )
    func forgeries() throws {
        let (signer, other) = (HeartbeatSigner(), HeartbeatSigner())
        var sealer = HeartbeatSealer(key: key, signer: signer)
        var opener = HeartbeatOpener(key: key, requiresProof: true)
        for voucher in [signer.voucher, other.voucher] { opener.vouch(voucher, for: "fs1") }
        #expect(try opener.open(sealer.seal(heartbeat("fs1"))).proof == .proven)
        func head(_ session: HeartbeatSession, _ counter: UInt64) -> HeartbeatHeader {
            HeartbeatHeader(
                clusterHash: key.clusterHash, keyID: key.keyID, session: session, counter: counter)
        }
        let session = signer.voucher.session
        let body = HeartbeatCodec.encode(heartbeat("fs1"))
        let signed = body + signer.section(head: head(session, 9).bytes, body: body)
        let forgeries: [(String, HeartbeatHeader, [UInt8])] = [
            ("no signature", head(session, 9), body),
            ("another counter", head(session, 10), signed),
            ("another session", head(other.voucher.session, 9), signed),
            ("another key", head(session, 9), body + other.section(head: head(session, 9).bytes, body: body)),
            (
                "another body", head(session, 9),
                HeartbeatCodec.encode(heartbeat("fs1", seed: 4)) + signed.suffix(66)
            ),
            ("something behind it", head(session, 9), signed + [250, 1, 1]),
            ("a huge counter", head(session, .max), signed),
        ]
        for (text, head, bytes) in forgeries {
            let datagram = HeartbeatSealer.sealed(bytes, head, key.sessionKey(head.session))
            #expect(try opener.open(datagram).proof == .wrong, "\(text)")
        }
        for place in signed.indices {
            var damaged = signed
            damaged[place] ^= 1 << UInt8(place % 8)
            let datagram = HeartbeatSealer.sealed(damaged, head(session, 9), key.sessionKey(session))
            let proof = try? opener.open(datagram).proof
            #expect(proof == nil || proof == .wrong, "byte \(place)")
        }
        // What script/bench sends: well formed to the last byte, and as dear to refuse each time.
        var forger = HeartbeatSealer(forging: session, after: 1 << 32, key: key, signer: other)
        let forged = forger.seal(heartbeat("fs1"))
        for _ in 0..<2 { #expect(try opener.open(forged).proof == .wrong) }
        // None of them used up a counter.
        let good = HeartbeatSealer.sealed(signed, head(session, 9), key.sessionKey(session))
        let opened = try opener.open(good)
        #expect(opened.proof == .proven && opened.isNew)
        // Of a counter that came, only the very same datagram is a copy.
        let fake = HeartbeatSealer.sealed(body, head(session, 9), key.sessionKey(session))
        #expect(try opener.open(fake, network: 1).proof == .stale)
        #expect(try opener.open(good, network: 1).proof == .proven)
    }

    @Test(
        "many sessions of one with the key, and many keys of one node, make nobody forget what came of the others"
    )
    func bounds() throws {
        let signer = HeartbeatSigner()
        var sealer = HeartbeatSealer(key: key, signer: signer)
        var opener = HeartbeatOpener(key: key, requiresProof: true)
        opener.vouch(signer.voucher, for: "fs1")
        let old = sealer.seal(heartbeat("fs1"))
        #expect(try opener.open(old).isNew)
        for number in UInt64(1)...300 {
            var forger = HeartbeatSealer(key: key, session: HeartbeatSession(high: number, low: 7))
            #expect(try opener.open(forger.seal(heartbeat("fs1"))).proof == .missing)
        }
        for _ in 0..<300 { opener.vouch(HeartbeatSigner().voucher, for: "fs2") }
        #expect(try opener.open(old, network: 1).isNew == false)
        #expect(try opener.open(sealer.seal(heartbeat("fs1"))).isNew)
        let starts = (1...5).map { _ in HeartbeatSigner() }
        for start in starts { opener.vouch(start.voucher, for: "fs3") }
        #expect(starts.map { opener.isVouched($0.voucher, for: "fs3") } == [false, true, true, true, true])
    }

    @Test("a signed heartbeat of a full cluster stays within one datagram") func size() throws {
        var samples = FrameSamples(seed: 3)
        var heartbeat = heartbeat("fs1")
        heartbeat.acknowledgements = (1...64).map { number in
            Acknowledgement(
                holder: Holder(
                    member: MemberID(name: "fs\(number)", birth: samples.number() | 1 << 63),
                    incarnation: 7 << 32 | 5), sequence: 200_000_000, age: .microseconds(24_999))
        }.sorted { $0.holder < $1.holder }
        let signer = HeartbeatSigner()
        var sealer = HeartbeatSealer(key: key, signer: signer)
        var opener = HeartbeatOpener(key: key, requiresProof: true)
        opener.vouch(signer.voucher, for: "fs1")
        for sequence in UInt64(1)...3 {
            heartbeat.sequence = sequence
            let datagram = sealer.seal(heartbeat)
            #expect(datagram.count <= FrameLimits.heartbeat)
            let opened = try opener.open(datagram)
            #expect(opened.proof == .proven && opened.heartbeat.acknowledgements.count >= 40)
        }
    }

    @Test("a hello tells the key and is read with and without one; the session follows from the key")
    func hello() throws {
        var samples = FrameSamples(seed: 5)
        let voucher = HeartbeatSigner().voucher
        let hello = PeerHello(cluster: "pbx", holder: samples.holder(), voucher: voucher)
        let bytes = PeerFrameCodec.encode(.hello(hello))
        #expect(try PeerFrameCodec.decodeFrame(bytes) == .hello(hello))
        #expect(HeartbeatVoucher(publicKey: voucher.publicKey) == voucher)
        #expect(HeartbeatVoucher(publicKey: Array(voucher.publicKey.dropLast())) == nil)
        #expect(HeartbeatSigner().voucher.session != voucher.session)
        var short = PeerFrameCodec.encode(.hello(PeerHello(cluster: "pbx", holder: hello.holder)))
        short += [1, 3, 1, 2, 3]
        short[3] += 5
        #expect(throws: FrameFailure.truncated) { try PeerFrameCodec.decodeFrame(short) }
    }
}
