import Cluster
import Config
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import PeerProtocol
import Testing

@testable import Daemon

/// Bringing certificates into a running cluster, and others later.
@Suite("Certificates of a running cluster", .serialized)
struct LinkMigrationTests {
    @Test(
        "nodes by the key alone, with certificates accepted and with them required: neighbours in a roll always link"
    )
    func roll() throws {
        let key = { try CertifiedEnd($0, nil) }
        let accepts = { try CertifiedEnd($0, try CertificateFolder($0, isRequired: false)) }
        let requires = { try CertifiedEnd($0, try CertificateFolder($0)) }
        let pairs: [(one: CertifiedEnd, other: CertifiedEnd, condition: String)] = [
            (try accepts("fs1"), try key("fs2"), "stands, by the cluster key alone"),
            (try accepts("fs1"), try accepts("fs2"), "stands"),
            (try accepts("fs1"), try requires("fs2"), "stands"),
        ]
        for (one, other, condition) in pairs {
            #expect(try one.reaches(other, "there"))
            #expect(try other.reaches(one, "back"))
            #expect(one.condition(other) == condition)
            let isPlain = condition != "stands"
            #expect(
                one.links.watch.plainLinks()
                    == (isPlain ? [PathTrouble(.plainLink, peers: [other.me.name])] : []))
        }
    }

    @Test("a broken or foreign new file changes nothing and is told; the right one is used without a restart")
    func rotation() throws {
        let folder = try CertificateFolder("fs3")
        let one = try CertifiedEnd("fs3", folder)
        let other = try CertifiedEnd("fs2", try CertificateFolder("fs2"))
        one.trust.reread()
        #expect(one.trust.warnings() == [])
        let bad: [(file: String, told: String)] = [
            ("fs2", "is for fsdns://pbx/fs2; this node's has the URI fsdns://pbx/fs3"),
            ("authority", "has no private key that can be read"),
        ]
        for (file, told) in bad {
            try folder.put(file)
            one.trust.reread()
            #expect(one.ear.hears(told) != nil)
            let warnings = one.trust.warnings()
            #expect(warnings.count == 1)
            #expect(warnings.first?.contains(told) == true)
            #expect(warnings.first?.hasSuffix("; links go on with what was read before") == true)
            #expect(
                one.trust.troubles() == [
                    PathTrouble(.certificate, detail: "the files were changed and are not used", peers: [])
                ])
        }
        unlink(folder.files.certificateFile)
        one.trust.reread()
        #expect(one.trust.warnings().first?.contains("cannot be read") == true)
        #expect(try one.reaches(other, "with the former one"))
        try folder.put("fs3-newer")
        one.trust.reread()
        #expect(one.trust.warnings() == [])
        #expect(one.ear.hears("new links show the certificate") != nil)
    }

    @Test("links of an authority that was taken away end, those of both stand while both are there")
    func authority() throws {
        let folder = try CertificateFolder("fs1", authorities: ["both-authorities"])
        let one = try CertifiedEnd("fs1", folder)
        let other = try CertifiedEnd(
            "fs2", try CertificateFolder("fs2-of-another-authority", authorities: ["both-authorities"]))
        #expect(try other.reaches(one, "while both are there"))
        try folder.put("fs1", authorities: ["authority"])
        one.trust.reread()
        other.links.send(.refused("after"), to: one.me.member)
        var line: String?
        for _ in 0..<200 where line == nil {
            try other.hears(one)
            line = one.ear.hears("is signed by nobody in our authority file", within: 0.1)
        }
        #expect(line != nil)
    }

    @Test("the end of a certificate is told 30 days before, and again when it has come") func ends() throws {
        let folder = try CertificateFolder("fs1")
        let end = Int64(4_702_233_600)  // 2119-01-03
        let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
        func warnings(_ now: Int64) throws -> [String] {
            let trust = try LinkTrust(key, files: folder.files, node: "fs1", log: .silent, clock: { now })
            #expect(trust.troubles().isEmpty == trust.warnings().isEmpty, "the others hear of it")
            #expect(trust.troubles().allSatisfy { $0.detail.count <= PathTrouble.longestDetail })
            return trust.warnings()
        }
        #expect(try warnings(end - 40 * 86_400) == [])
        let soon = try warnings(end - 20 * 86_400)
        #expect(soon.first?.contains("ends on 2119-01-01T00:00:00Z: put a newer one there") == true)
        let ended = try warnings(end + 86_400)
        #expect(ended.first?.contains("ended on 2119-01-01T00:00:00Z: other nodes make no links") == true)
        #expect(try warnings(1_000_000_000).first?.contains("begins only on 2020-01-01") == true)
    }

    @Test(
        "files that could make no link are refused before one is needed",
        arguments: [
            ("fs2-with-the-key-of-another", ["authority"], "do not belong together"),
            ("fs2-of-another-authority", ["authority"], "must be signed by an authority in the second file"),
            ("fs2-for-servers-only", ["authority"], "is not for servers and clients alike"),
            ("fs2-for-clients-only", ["authority"], "is not for servers and clients alike"),
            ("fs2-that-signs-others", ["authority"], "is one of an authority (basicConstraints CA:TRUE)"),
            ("fs2-signed-over-sha1", ["authority"], "is signed over MD5 or SHA-1"),
            ("fs2-with-rsa-1024", ["authority"], "has an RSA key of 1024 bits, and 2048 are the least"),
            (
                "fs2-of-a-weak-authority", ["authority", "weak-authority"],
                "has an RSA key of 1024 bits, and 2048 are the least"
            ),
            ("fs2-of-another-cluster", ["authority"], "is for fsdns://pby/fs2; this node's has the URI"),
            ("fs3", ["authority"], "is for fsdns://pbx/fs3; this node's has the URI"),
            ("authority", ["authority"], "no private key"),
            ("fs2", Array(repeating: "authority", count: 33), "has 33 certificates; 32 are the limit"),
        ])
    func mistakes(own: String, authorities: [String], told: String) throws {
        let folder = try CertificateFolder(own, authorities: authorities)
        let failure = #expect(throws: ServiceFailure.self) { try CertifiedEnd("fs2", folder) }
        #expect(failure?.description.contains(told) == true, "\(failure?.description ?? "")")
        #expect(failure?.description.contains(folder.directory.path) == true)
    }

    @Test(
        "a private key where none belongs is told, and links are made all the same",
        arguments: [
            ("fs2", "authority-with-its-key", "/peer-ca.pem has a private key in it: whoever reads it"),
            ("fs2-with-two-keys", "authority", "/peer.pem has more than one private key in it"),
        ])
    func strayKeys(own: String, authority: String, told: String) throws {
        let one = try CertifiedEnd("fs2", try CertificateFolder(own, authorities: [authority]))
        #expect(one.trust.warnings().count == 1)
        #expect(one.trust.warnings().first?.contains(told) == true)
        #expect(one.trust.troubles().map(\.detail) == ["the files have a private key too many"])
        let other = try CertifiedEnd("fs1", try CertificateFolder("fs1"))
        #expect(try one.reaches(other, "all the same"))
    }

    @Test("what is no certificate is none, however it was cut or changed")
    func garbledCertificates() throws {
        for name in ["fs2", "fs2-with-rsa-2048", "authority"] {
            let first = try #require(
                NIOSSLCertificate.fromPEMBytes(try CertificateFolder.fixture(name)).first)
            let bytes = try first.toDERBytes()
            #expect(CertificateFacts(bytes) != nil)
            for length in bytes.indices { #expect(CertificateFacts(Array(bytes[..<length])) == nil) }
            for place in bytes.indices {
                for value in [UInt8(0), 0x7F, 0x80, 0x83, 0xFF] {
                    var changed = bytes
                    changed[place] = value
                    _ = CertificateFacts(changed)
                }
            }
        }
    }

    @Test("so are files that others may read or write, and what is no PEM") func modes() throws {
        let folder = try CertificateFolder("fs2")
        func failure() -> String {
            do {
                _ = try CertifiedEnd("fs2", folder)
                return "none"
            } catch { return "\(error)" }
        }
        #expect(failure() == "none")
        chmod(folder.files.certificateFile, 0o640)
        #expect(failure().contains("chmod 600"))
        chmod(folder.files.certificateFile, 0o600)
        chmod(folder.files.authorityFile, 0o664)
        #expect(failure().contains("chmod go-w"))
        try folder.write(
            Array("-----BEGIN CERTIFICATE-----\nnone".utf8), to: folder.files.authorityFile, mode: 0o644)
        #expect(failure().contains("no certificate in PEM, or a broken one"))
        try folder.put("fs2")
        let seals = [UInt8](repeating: 65, count: 1 << 17)
        try folder.write(seals, to: folder.files.certificateFile, mode: 0o600)
        #expect(failure().contains("is larger than 65536 bytes"))
    }

    @Test(
        "replica links ask for the same: they stand between believed nodes, end when one is forgotten, and take no other"
    )
    func replicas() throws {
        let one = try CertifiedReplicaEnd("fs1", try CertificateFolder("fs1"))
        let other = try CertifiedReplicaEnd("fs2", try CertificateFolder("fs2"))
        let evil = try CertifiedReplicaEnd(
            "fs1", try CertificateFolder("fs1-of-another-authority", authorities: ["both-authorities"]))
        defer { for end in [one, other, evil] { end.stop() } }
        while other.place == nil {}
        try evil.hears(other)
        #expect(other.ear.hears("is signed by nobody in our authority file") != nil)
        #expect(other.met.isEmpty)
        try one.hears(other)
        #expect(one.met.next() == other.me)
        #expect(other.met.next() == one.me)
        other.trust.revoke([Revocation(name: "fs1", at: nil)])
        var line: String?
        for _ in 0..<200 where line == nil {
            try one.hears(other)
            line = other.ear.hears("fs1 was forgotten", within: 0.1)
        }
        #expect(line != nil)
        #expect(other.met.isEmpty)
        #expect(one.ear.hears("refused there: fs1 was forgotten") != nil, "it is told why")
    }
}
