import PeerProtocol
import Testing

@Suite("Proof of the key beside certificates") struct LinkProofTests {
    private let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
    private func part(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: LinkProof.length) }
    private func proof(_ key: ClusterKey, _ parts: [UInt8]) -> LinkProof {
        LinkProof(
            key, nonces: (part(parts[0]), part(parts[1])), certificates: (part(parts[2]), part(parts[3])))
    }

    @Test("it counts for the same key, bytes, certificates and end, and for nothing else") func binding() {
        let here = proof(key, [1, 2, 3, 4])
        let said = here.proof(of: .caller)
        #expect(said.count == LinkProof.length)
        #expect(here.isProof(said, of: .caller))
        #expect(!here.isProof(said, of: .called), "what was said to somebody is no answer")
        // Who stands between two nodes shows one of them another certificate than the other has.
        for other in [
            [9, 2, 3, 4], [1, 9, 3, 4], [1, 2, 9, 4], [1, 2, 3, 9], [2, 1, 3, 4], [1, 2, 4, 3],
        ] as [[UInt8]] {
            #expect(!proof(key, other).isProof(said, of: .caller))
        }
        for cut in [[], Array(said.dropLast()), said + [0]] { #expect(!here.isProof(cut, of: .caller)) }
        let others = [
            ClusterKey(cluster: "pbx", secret: Array("another secret of length".utf8)),
            ClusterKey(cluster: "pby", secret: Array("a secret of enough length".utf8)),
        ]
        for other in others { #expect(!proof(other, [1, 2, 3, 4]).isProof(said, of: .caller)) }
    }

    @Test("random bytes are never the same") func nonces() {
        #expect(Set((0..<100).map { _ in LinkProof.nonce() }).count == 100)
    }
}
