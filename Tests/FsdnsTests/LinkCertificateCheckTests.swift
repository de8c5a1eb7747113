import Cluster
import Config
import Foundation
import Testing

@testable import fsdns

@Suite("Certificates for links, as `doctor` and `config check` see them")
struct LinkCertificateCheckTests {
    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "DaemonTests/Certificates")

    /// A cluster file in a folder with a certificate and an authority.
    private func checked<Value>(
        _ own: String?, authority: String = "authority", required: String = "yes",
        _ check: (ClusterFile) throws -> Value
    ) throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "fsdns-links-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        if let own {
            for (name, fixture, mode) in [("peer.pem", own, 0o600), ("peer-ca.pem", authority, 0o644)] {
                let path = folder.appending(path: name).path
                let text = try Data(contentsOf: Self.fixtures.appending(path: fixture + ".pem"))
                #expect(FileManager.default.createFile(atPath: path, contents: text))
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            }
        }
        let text = """
            <cluster xmlns="urn:fsdns:cluster:1" name="pbx"><key file="cluster.key"/>
              <heartbeat><peer address="127.0.0.1"/></heartbeat>
              <nodes expect="1"><node name="fs2" address="127.0.0.1"/></nodes>
              <addresses mode="loopback"><address name="alpha" ip="127.9.0.1/8"/></addresses>
              <seats><seat name="master1" address="alpha"/></seats><freeswitch kind="none"/>
              <links certificate-file="peer.pem" authority-file="peer-ca.pem" required="\(required)"/>
            </cluster>
            """
        return try check(
            ClusterFile.load(text: Array(text.utf8), path: folder.appending(path: "cluster.xml").path))
    }

    private func findings(
        _ own: String?, authority: String = "authority", required: String = "yes", node: String? = "fs2"
    ) throws -> [Finding] {
        try checked(own, authority: authority, required: required) {
            LinkCertificateCheck(file: $0, node: node).findings
        }
    }

    @Test("a certificate that links could be made with is fine, and one that is only accepted is noticed")
    func fine() throws {
        let required = try findings("fs2")
        #expect(required.map(\.level) == [.fine])
        #expect(required.first?.text.contains("for fsdns://pbx/fs2, until 2119-01-01") == true)
        #expect(try findings("fs2", required: "no").map(\.level) == [.fine, .notice])
    }

    @Test("one that is missing, another node's, ended or of another authority is wrong, with what to do")
    func wrong() throws {
        for own in [
            nil, "fs3", "fs2-ended", "fs2-of-another-authority", "fs2-with-rsa-1024", "fs2-signed-over-sha1",
            "fs2-that-signs-others", "fs2-for-servers-only", "fs2-for-clients-only", "fs2-with-two-keys",
        ] {
            let findings = try findings(own)
            #expect(findings.map(\.level) == [.wrong], "\(own ?? "none")")
            #expect(findings.first?.fix?.isEmpty == false)
        }
    }

    @Test("an authority with a weak key, or with its private key beside it, is wrong")
    func authorities() throws {
        let weak = try findings("fs2-of-a-weak-authority", authority: "weak-authority")
        #expect(weak.map(\.level) == [.wrong])
        #expect(weak.first?.text.contains("has an RSA key of 1024 bits") == true)
        let leaky = try findings("fs2", authority: "authority-with-its-key")
        #expect(leaky.map(\.level) == [.wrong])
        #expect(leaky.first?.text.contains("has a private key in it") == true)
    }

    @Test("`config check` judges files that are here, whichever node's they are") func check() throws {
        func faults(_ own: String?) throws -> [String] {
            try checked(own) { ConfigCheckCommand.certificates($0).faults }
        }
        #expect(try faults("fs3") == [])
        #expect(try faults(nil) == [], "on the machine of whoever wrote the file")
        #expect(try faults("fs2-of-another-cluster").first?.contains("fsdns://pbx/NODE") == true)
        #expect(try checked("fs2-ended") { ConfigCheckCommand.certificates($0).warnings }.count == 1)
    }
}
