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

    /// What `config check` says, on that node or elsewhere, without the folder's name.
    private func said(
        _ own: String?, on node: String?, hides hidden: String? = nil,
        _ change: (String) throws -> Void = { _ in }
    ) throws -> (faults: [String], warnings: [String]) {
        try checked(own) { file in
            let folder = (file.keyFile as NSString).deletingLastPathComponent
            let key = folder + "/cluster.key"
            #expect(FileManager.default.createFile(atPath: key, contents: Data("0123456789abcdef".utf8)))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
            try change(folder)
            var check = NamedFileCheck(file: file, node: node)
            let look = check.look
            if let hidden { check.look = { $0 == "\(folder)/\(hidden)" ? EACCES : look($0) } }
            let found = check.findings
            func short(_ problems: [ClusterFile.Problem]) -> [String] {
                problems.map { $0.description.replacing(folder + "/", with: "") }
            }
            return (short(found.faults), short(found.warnings))
        }
    }

    @Test(
        "`config check` judges files that are here: on a node as that node's, elsewhere whichever node's they are"
    )
    func check() throws {
        #expect(try said("fs3", on: nil).faults == [])
        #expect(try said("fs2", on: "fs2") == ([], []))
        let foreign = try said("fs3", on: "fs2").faults
        #expect(foreign.count == 1 && foreign[0].hasPrefix("cluster.xml:6: "), "\(foreign)")
        #expect(foreign.first?.contains("this node's has the URI fsdns://pbx/fs2") == true)
        #expect(
            try said("fs2-of-another-cluster", on: nil).faults.first?.contains("fsdns://pbx/NODE") == true)
        let ended = try said("fs2-ended", on: "fs2")
        #expect(ended.faults == [] && ended.warnings.count == 1)
        #expect(ended.warnings.first?.hasPrefix("cluster.xml:6: ") == true)
        #expect(try said("fs2-with-rsa-1024", on: "fs2").faults.first?.contains("RSA key") == true)
    }

    @Test(
        "files that are not there are faults on a node and warnings elsewhere, each with the line that names it"
    )
    func missing() throws {
        let gone = try said(nil, on: "fs2") {
            try FileManager.default.removeItem(atPath: $0 + "/cluster.key")
        }
        #expect(
            gone.faults == [
                "cluster.xml:1: cluster.key cannot be read: No such file or directory",
                "cluster.xml:6: peer-ca.pem cannot be read: No such file or directory",
                "cluster.xml:6: peer.pem cannot be read: No such file or directory",
            ])
        let elsewhere = try said(nil, on: nil)
        #expect(elsewhere.faults == [] && elsewhere.warnings.count == 2)
        #expect(elsewhere.warnings.allSatisfy { $0.contains("is not on this machine") })
    }

    @Test("a secret that others may read is a fault, with the line that names it") func exposed() throws {
        let faults = try said("fs2", on: "fs2") { folder in
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o644], ofItemAtPath: folder + "/cluster.key")
        }.faults
        #expect(faults.count == 1 && faults[0].hasPrefix("cluster.xml:1: secret file cluster.key is open to"))
    }

    @Test(
        "a key that can be guessed is a fault as for a node, and so is a cluster file that everybody may write"
    )
    func guessed() throws {
        for key in ["x", String(repeating: "x", count: 40)] {
            let faults = try said("fs2", on: "fs2") {
                try key.write(toFile: $0 + "/cluster.key", atomically: false, encoding: .utf8)
            }.faults
            #expect(faults.count == 1 && faults[0].hasPrefix("cluster.xml:1: secret file cluster.key is "))
        }
    }

    @Test("what this user may not read is a warning, as it may be another who runs the node")
    func unreadable() throws {
        let said = try said("fs2", on: "fs2", hides: "peer.pem")
        #expect(said.faults == [] && said.warnings.count == 1)
        #expect(
            said.warnings.first?.hasPrefix("cluster.xml:6: peer.pem may not be read by this user") == true)
    }
}
