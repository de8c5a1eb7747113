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

/// Links tell the keys of heartbeats, and heartbeats that nothing vouches for lead to links.
@Suite("Keys of heartbeats on links", .serialized)
struct HeartbeatVouchTests {
    private static let lost = Endpoint(ip: .v4(127, 0, 0, 1), port: 1)

    @Test(
        "both ends of a link with certificates tell their keys, whether they require certificates or only have them"
    )
    func told() throws {
        for isRequired in [true, false] {
            let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
            let other = try CertifiedEnd("fs2", try CertificateFolder("fs2", isRequired: isRequired))
            try one.hears(other)
            let (there, here) = (one.vouched.next(), other.vouched.next())
            #expect(there?.name == "fs2" && there?.voucher == other.signer.voucher)
            #expect(there?.certificate.names == ["fsdns://pbx/fs2"])
            #expect(here?.name == "fs1" && here?.voucher == one.signer.voucher)
        }
    }

    @Test(
        "a link by the key alone tells nothing, and one of an earlier release with certificates is told nothing"
    )
    func untold() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1", isRequired: false))
        let plain = try CertifiedEnd("fs2", nil)
        #expect(try one.reaches(plain, "there"))
        #expect(one.vouched.isEmpty && plain.vouched.isEmpty)
        let certificate = try Self.certificate("fs2")
        let links = one.links
        func voucher(_ proven: LinkProven) -> HeartbeatVoucher? {
            guard case .hello(let hello) = links.loop.submitted({ links.hello(to: proven) }) else {
                return nil
            }
            return hello.voucher
        }
        #expect(voucher(LinkProven(certificate: certificate)) == nil)
        #expect(voucher(LinkProven(certificate: nil, readsVouchers: true)) == nil)
        #expect(
            voucher(LinkProven(certificate: certificate, readsVouchers: true)) == one.signer.voucher)
    }

    @Test("who is refused vouches for nothing: the certificate of another node, or of one that was forgotten")
    func refused() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let thief = try CertifiedEnd("fs2", try CertificateFolder("fs3"), owner: "fs3")
        try thief.hears(one)
        #expect(one.ear.hears("it says that it is fs2, and its certificate is for fsdns://pbx/fs3") != nil)
        one.trust.revoke([Revocation(name: "fs3", at: nil)])
        let lost = try CertifiedEnd("fs3", try CertificateFolder("fs3"))
        try lost.hears(one)
        #expect(one.ear.hears("fs3 was forgotten") != nil)
        #expect(one.vouched.isEmpty)
    }

    @Test(
        "a hint makes a link where there is none, also of another birth than the true one's; a link that stands it leaves alone"
    )
    func hints() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let other = try CertifiedEnd("fs2", try CertificateFolder("fs2"))
        var madeUp = other.me
        madeUp.member.birth = 99
        madeUp.incarnation = .max
        // Its state is not what the hint said; its key is told all the same.
        try one.hinted(madeUp, at: try #require(other.place))
        #expect(one.vouched.next()?.voucher == other.signer.voucher)
        try one.hinted(other.me, at: try #require(other.place))
        #expect(try one.reaches(other, "after a hint"))
        #expect(one.condition(other) == "stands")
        while one.vouched.waits(within: 0.05) { _ = one.vouched.next() }
        var later = other.me
        later.incarnation = .max
        for birth in UInt64(1)...100 {
            try one.hinted(later, at: Self.lost)
            madeUp.member.birth = birth
            try one.hinted(madeUp, at: Self.lost)
        }
        one.links.send(.refused("it goes on"), to: other.me.member)
        #expect(other.mailbox.next()?.message == .refused("it goes on"))
        #expect(one.condition(other) == "stands")
        #expect(one.vouched.isEmpty, "no link was made anew")
    }

    @Test(
        "names that somebody made up take a bounded number of places, and none for good from one that is there"
    )
    func madeUp() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let other = try CertifiedEnd("fs2", try CertificateFolder("fs2"))
        for number in UInt64(1)...300 {
            let holder = Holder(member: MemberID(name: "x\(number)", birth: number), incarnation: 1)
            try one.hinted(holder, at: Self.lost)
        }
        let links = one.links
        let count = try links.loop.submit { links.state.value.peers.count }.wait()
        #expect(count <= PeerLinks.hintLimit)
        for _ in 0..<200 where one.vouched.isEmpty {
            try one.hinted(other.me, at: try #require(other.place))
            _ = one.vouched.waits(within: 0.1)
        }
        #expect(one.vouched.next(within: 0)?.name == "fs2")
    }

    static func certificate(_ name: String) throws -> PeerCertificate {
        try PeerCertificate(
            try #require(NIOSSLCertificate.fromPEMBytes(try CertificateFolder.fixture(name)).first))
    }
}

extension EventLoop {
    fileprivate func submitted<Value: Sendable>(_ work: @escaping @Sendable () -> Value) -> Value? {
        try? submit(work).wait()
    }
}
