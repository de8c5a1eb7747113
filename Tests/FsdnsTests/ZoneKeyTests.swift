import Cluster
import DNSMessages
import Daemon
import Foundation
import Primitives
import Testing

@Suite("Secrets of name servers, as a node and `config check` see them")
struct ZoneKeyTests {
    private func judged(
        _ text: String?, mode: Int = 0o600
    ) throws -> (fault: String?, weakness: TSIGKey.Weakness?) {
        let path = NSTemporaryDirectory() + "fsdns-key-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        if let text {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
        let endpoint = try #require(Endpoint("127.0.0.1:53"))
        do throws(ServiceFailure) {
            let server = try ZoneKey.server(.init(endpoint: endpoint, keyName: "fsdns.", secretFile: path))
            return (nil, server.key?.weakness)
        } catch {
            return (error.description, nil)
        }
    }

    @Test(
        "what a node would refuse at its start is refused",
        arguments: [
            "not base64 at all!", "server:\n  - yaml\n",
            "key \"other.\" { algorithm hmac-sha256; secret \"AAAA\"; };",
        ])
    func garbage(text: String) throws {
        #expect(try judged(text).fault?.contains("fsdns-key-") == true)
    }

    @Test("a good secret is none, nor one that others may read or that is not there")
    func good() throws {
        let good = Data((0..<32).map { UInt8($0) }).base64EncodedString()
        #expect(try judged(good) == (nil, nil))
        #expect(try judged(nil).fault?.contains("No such file") == true)
        #expect(try judged(good, mode: 0o644).fault?.contains("chmod 600") == true)
    }

    @Test("a secret that is guessed at once is refused, one shorter than its algorithm's signature is told")
    func weak() throws {
        for bytes in [[UInt8(7)], [1, 2, 3, 4, 5, 6, 7], Array(repeating: 9, count: 64)] {
            let fault = try judged(Data(bytes).base64EncodedString()).fault
            #expect(fault?.contains(":1: holds a secret that is guessed at once") == true, "\(bytes)")
        }
        let short = Data((0..<16).map { UInt8($0) }).base64EncodedString()
        #expect(try judged(short) == (nil, .short(bytes: 16, of: 32)))
    }
}
