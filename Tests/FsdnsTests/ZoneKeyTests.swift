import Foundation
import Primitives
import Testing

@testable import fsdns

@Suite("Secrets of name servers, as `config check` sees them")
struct ZoneKeyTests {
    private func faults(_ text: String?, mode: Int = 0o600) throws -> [String] {
        let path = NSTemporaryDirectory() + "fsdns-key-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        if let text {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
        let endpoint = try #require(Endpoint("127.0.0.1:53"))
        return NamedFileCheck.keyFaults([
            .init(endpoint: endpoint, keyName: "fsdns.", secretFile: path)
        ])
    }

    @Test(
        "what a node would refuse at its start is refused",
        arguments: [
            "not base64 at all!", "server:\n  - yaml\n",
            "key \"other.\" { algorithm hmac-sha256; secret \"AAAA\"; };",
        ])
    func garbage(text: String) throws {
        let faults = try faults(text)
        #expect(faults.count == 1)
        #expect(faults.first?.contains("fsdns-key-") == true)
    }

    @Test("a good secret is none, nor one that is not on this machine")
    func good() throws {
        #expect(try faults("c2VjcmV0IHNlY3JldCBzZWNyZXQ=").isEmpty)
        #expect(try faults(nil).isEmpty)
        #expect(try faults("c2VjcmV0IHNlY3JldCBzZWNyZXQ=", mode: 0o644).count == 1)
    }
}
