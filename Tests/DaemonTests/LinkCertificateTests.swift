import Calendar
import Cluster
import Consensus
import NIOCore
import NIOPosix
import NIOSSL
import PeerProtocol
import Primitives
import Testing

@testable import Daemon

/// Somebody who is refused, with what he shows.
struct Stranger: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var shows: String?
    var authorities = ["authority"]
    var owner = "fs2"
    var secret = "a secret of enough length"
    /// What the log of the end that is called says.
    var told: String
    /// What is said at the end that calls him; nil where the other end refuses first.
    var answered: String?
}

@Suite("Links with certificates", .serialized)
struct LinkCertificateTests {
    private static let strangers = [
        Stranger(
            testDescription: "one with the key and no certificate", shows: nil,
            told: "it makes links by the cluster key alone, and certificates are required",
            answered: "it takes links by the cluster key alone"),
        Stranger(
            testDescription: "one with a certificate and another key", shows: "fs2",
            secret: "another secret of length",
            told:
                "it has the certificate of fsdns://pbx/fs2 and ended the link instead of proving the cluster key",
            answered: "it has the certificate of fsdns://pbx/fs2 and does not know the cluster key"),
        Stranger(
            testDescription: "one with the certificate of another node", shows: "fs3", owner: "fs3",
            told:
                "it says that it is fs2, and its certificate is for fsdns://pbx/fs3, not fsdns://pbx/fs2",
            answered: "it says that it is fs2, and its certificate is for fsdns://pbx/fs3"),
        Stranger(
            testDescription: "one with a certificate of another authority", shows: "fs2-of-another-authority",
            authorities: ["both-authorities"],
            told: "its certificate, for fsdns://pbx/fs2, is signed by nobody in our authority file",
            answered: "its certificate, for fsdns://pbx/fs2, is signed by nobody in our authority file"),
        Stranger(
            testDescription: "one who signed his certificate himself", shows: "fs2-signed-by-itself",
            authorities: ["authority", "fs2-signed-by-itself"],
            told: "its certificate, for fsdns://pbx/fs2, is signed by nobody in our authority file",
            answered: "its certificate, for fsdns://pbx/fs2, is signed by nobody in our authority file"),
        Stranger(
            testDescription: "one whose certificate has ended", shows: "fs2-ended",
            told: "its certificate, for fsdns://pbx/fs2, ended on 2020-01-01T00:00:00Z",
            answered: "its certificate, for fsdns://pbx/fs2, ended on 2020-01-01T00:00:00Z"),
    ]

    private func end(_ stranger: Stranger) throws -> CertifiedEnd {
        let folder = try stranger.shows.map {
            try CertificateFolder($0, authorities: stranger.authorities)
        }
        return try CertifiedEnd("fs2", folder, owner: stranger.owner, secret: stranger.secret)
    }

    @Test("messages arrive both ways between nodes that show certificates of one authority")
    func bothWays() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let other = try CertifiedEnd("fs2", try CertificateFolder("fs2"))
        #expect(try one.reaches(other, "from one"))
        #expect(try other.reaches(one, "from the other"))
        #expect(one.condition(other) == "stands")
    }

    @Test("who calls and is not believed gets nothing in, and the log says why", arguments: strangers)
    func refused(_ stranger: Stranger) throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let evil = try end(stranger)
        try evil.hears(one)
        evil.links.send(.refused("evil"), to: one.me.member)
        let line = try #require(one.ear.hears("peer-link 127.0.0.1"))
        #expect(line.contains("was refused: " + stranger.told), "\(line)")
        // Whoever is believed comes in after him.
        let friend = try CertifiedEnd("fs3", try CertificateFolder("fs3"))
        #expect(try friend.reaches(one, "good"))
        #expect(one.mailbox.isEmpty)
    }

    @Test(
        "who is called and is not believed gets nothing, and the link's condition says why",
        arguments: strangers)
    func notTrusted(_ stranger: Stranger) throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let evil = try end(stranger)
        try one.hears(evil)
        one.links.send(.refused("secret"), to: evil.me.member)
        let line = try #require(one.ear.hears("peer-link fs2"))
        #expect(line.contains(try #require(stranger.answered)), "\(line)")
        #expect(one.condition(evil, has: try #require(stranger.answered)))
        #expect(evil.mailbox.isEmpty)
    }

    @Test(
        "raw callers are refused: no certificate, one for another use, weak or an authority's, a chain of 150 kB",
        arguments: [
            (shows: nil, told: "it shows no certificate"),
            ("fs2-for-servers-only", "or for another use"),
            ("fs2-for-clients-only", "is not for servers and clients alike (extendedKeyUsage)"),
            ("fs2-that-signs-others", "is one of an authority (basicConstraints CA:TRUE)"),
            ("fs2-with-rsa-1024", "has an RSA key of 1024 bits, and 2048 are the least"),
            ("fs2-signed-over-sha1", "is signed over MD5 or SHA-1"),
            ("chain", "TLS with it fails"),
        ] as [(shows: String?, told: String)])
    func raw(shows: String?, told: String) throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let place = try #require(one.place)
        let caller: RawCaller
        if shows == "chain" {
            let bytes = try CertificateFolder.fixture("fs2")
            let own = try NIOSSLCertificate.fromPEMBytes(bytes)
            caller = try RawCaller(to: place, chain: Array(repeating: own[0], count: 350), key: bytes)
        } else {
            caller = try RawCaller(to: place, shows: shows)
        }
        #expect(one.ear.hears("was refused: ")?.contains(told) == true)
        #expect(caller.ended.next() != nil)
    }

    @Test("a good certificate does not excuse noise, silence, or a hello without the proof of the key")
    func noise() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"), patience: .milliseconds(300))
        let place = try #require(one.place)
        let hello = PeerFrameCodec.encode(
            .hello(
                PeerHello(
                    cluster: "pbx", holder: Holder(member: MemberID(name: "fs2", birth: 5), incarnation: 9))))
        let noise = (0..<9000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for words in [noise, hello + hello + hello] {
            let caller = try RawCaller(to: place, shows: "fs2", words: words)
            #expect(caller.ended.next() != nil)
        }
        let line = one.ear.hears("does not know the cluster key")
        #expect(line != nil)
        let silent = try RawCaller(to: place, shows: "fs2")
        #expect(silent.ended.next() != nil)
        #expect(one.ear.hears("does not know the cluster key", within: 0.05) == nil, "one line a minute")
        #expect(one.mailbox.isEmpty)
    }

    @Test(
        "a session of TLS is not resumed once the files were looked at again: every link proves its certificates"
    )
    func resumption() throws {
        let folder = try CertificateFolder("fs1")
        let one = try CertifiedEnd("fs1", folder, patience: .milliseconds(300))
        let place = try #require(one.place)
        let thief = try CertificateFolder("fs2")
        /// Ends when it is asked for more than the certificate, and says nothing.
        func call(_ sessions: [String]) throws -> String {
            try ForeignClient.run(
                "openssl",
                [
                    "s_client", "-connect", "127.0.0.1:\(place.port)", "-tls1_3", "-ign_eof", "-cert",
                    thief.files.certificateFile, "-key", thief.files.certificateFile,
                ] + sessions
            ).output
        }
        let ticket = thief.directory.path + "/ticket"
        #expect(try call(["-sess_out", ticket]).contains("New, TLSv1.3"))
        #expect(try call(["-sess_in", ticket]).contains("Reused, TLSv1.3"))
        one.trust.reread()
        #expect(try call(["-sess_in", ticket]).contains("New, TLSv1.3"))
    }

    @Test("who has not proved the key hears nothing of why, also with a certificate that was revoked")
    func nothingForStrangers() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"), patience: .milliseconds(300))
        one.trust.revoke([Revocation(name: "fs2", at: nil)])
        let thief = try RawCaller(
            to: try #require(one.place), shows: "fs2",
            words: PeerFrameCodec.encode(
                .hello(
                    PeerHello(
                        cluster: "pbx",
                        holder: Holder(member: MemberID(name: "fs2", birth: 5), incarnation: 9)))))
        // Random bytes and the proof over them, as for anybody.
        #expect(thief.ended.next() == 2 * LinkProof.length)
    }

    @Test("an RSA key of 2048 bits is good enough")
    func goodRSA() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let other = try CertifiedEnd("fs2", try CertificateFolder("fs2-with-rsa-2048"))
        #expect(try one.reaches(other, "there"))
        #expect(try other.reaches(one, "back"))
    }

    @Test("two machines with one and the same certificate are told of it")
    func copied() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let copy = try CertifiedEnd("fs2", try CertificateFolder("fs1"), owner: "fs1")
        try copy.hears(one)
        copy.links.send(.refused("evil"), to: one.me.member)
        #expect(one.ear.hears("it has the very certificate of this node") != nil)
        #expect(one.mailbox.isEmpty)
    }

    @Test(
        "a forgotten node's link ends, and it comes back only with a certificate that is newer, without a restart"
    )
    func forgotten() throws {
        let one = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        let lost = try CertifiedEnd("fs3", try CertificateFolder("fs3"))
        #expect(try lost.reaches(one, "before"))
        // 2021-01-01; one certificate is from 2020, the other from 2022.
        one.trust.revoke([Revocation(name: "fs3", at: WallTime(seconds: 1_609_459_200))])
        // What it says before it knows that the link has ended would be lost.
        for _ in 0..<10_000 where lost.condition(one) == "stands" { _ = lost.links.listening() }
        #expect(lost.condition(one) != "stands")
        lost.links.send(.refused("after"), to: one.me.member)
        var line: String?
        for _ in 0..<200 where line == nil {
            try lost.hears(one)
            line = one.ear.hears("fs3 was forgotten", within: 0.1)
        }
        #expect(
            line?.contains(
                "fs3 was forgotten on 2021-01-01T00:00:00Z, and its certificate is from 2020-01-01T00:00:00Z")
                == true)
        #expect(one.mailbox.isEmpty)
        // It is told why, as it proved that it belongs here.
        #expect(lost.condition(one, has: "refused there: fs3 was forgotten on 2021-01-01T00:00:00Z"))
        // One that goes out is not made either.
        try one.hears(lost)
        one.links.send(.refused("secret"), to: lost.me.member)
        #expect(one.condition(lost, has: "fs3 was forgotten"))
        #expect(lost.mailbox.isEmpty)

        try #require(lost.folder).put("fs3-newer")
        lost.trust.reread()
        #expect(lost.ear.hears("new links show the certificate for fsdns://pbx/fs3") != nil)
        // What it wanted to say meanwhile comes first.
        for _ in 0..<200 where one.mailbox.isEmpty {
            try lost.hears(one)
            _ = one.mailbox.waits(within: 0.1)
        }
        #expect(one.mailbox.next()?.message == .refused("after"))
    }
}
