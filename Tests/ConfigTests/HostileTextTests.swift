@preconcurrency import Glibc
import Testing

@testable import Config

/// Files that try to make the parser read, fetch or swell.
@Suite struct HostileTextTests {
    private let scratch = Scratch()

    private func told(_ text: String) -> [String] { told(Array(text.utf8)) }

    private func told(_ bytes: [UInt8]) -> [String] {
        do throws(ConfigFailure) {
            _ = try ClusterFile.load(path: scratch.write("c.xml", bytes))
            return []
        } catch {
            let text = error.description.replacing(scratch.path + "/", with: "")
            return text.split(separator: "\n").map(String.init)
        }
    }

    private static let doctype =
        "a document type is not accepted: it could define entities and read other files"

    @Test("any document type is refused, and nothing in it is done") func doctypes() {
        let secret = scratch.write("secret.txt", "top secret")
        let outside = "<!DOCTYPE cluster [<!ENTITY x SYSTEM \"\(secret)\">]>"
        #expect(told("\n" + outside + "<cluster name=\"&x;\">&x;</cluster>") == ["c.xml:2: " + Self.doctype])
        #expect(told("<!DOCTYPE cluster>" + goodFile) == ["c.xml:1: " + Self.doctype])
        #expect(
            told("<!DOCTYPE cluster SYSTEM \"http://192.0.2.1/x.dtd\">" + goodFile) == [
                "c.xml:1: " + Self.doctype
            ])
        let laughs = (1...9).map {
            "<!ENTITY l\($0) \"" + String(repeating: "&l\($0 - 1);", count: 10) + "\">"
        }
        let bomb = "<!DOCTYPE cluster [<!ENTITY l0 \"ha\">" + laughs.joined() + "]>"
        #expect(told(bomb + "<cluster name=\"&l9;\">&l9;</cluster>") == ["c.xml:1: " + Self.doctype])
    }

    @Test("sixty thousand attributes are refused before anything compares them") func attributes() {
        let many = (0..<60_000).map { " a\($0)=\"\"" }.joined()
        let start = ContinuousClock.now
        #expect(
            told("<!-- a=\"b\" -->\n<cluster\(many)/>") == [
                "c.xml:2: an element has more than 256 attributes"
            ])
        #expect(ContinuousClock.now - start < .seconds(2))
        let comment = "<!--" + String(repeating: "a=b ", count: 300) + "-->"
        #expect(told(goodFile.replacing("</cluster>", with: comment + "</cluster>")) == [])
    }

    @Test("a document type in another encoding is refused as well") func wideDoctype() {
        let text = "<!DOCTYPE cluster>" + goodFile
        #expect(
            told([0xFE, 0xFF] + text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }) == [
                "c.xml:1: " + Self.doctype
            ])
        #expect(told([0xFE, 0xFF] + goodFile.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }) == [])
    }

    @Test("what is no XML is told at its line, once") func broken() {
        #expect(told("") == ["c.xml:1: the file is empty"])
        #expect(told("hello").map { $0.prefix(8) } == ["c.xml:1:"])
        #expect(
            told(goodFile.replacing("</nodes>", with: "</node>")) == [
                "c.xml:13: Opening and ending tag mismatch: nodes line 7 and node"
            ])
        #expect(
            told(goodFile.replacing("name=\"fs1\"", with: "name=\"&fs1;\"")) == [
                "c.xml:8: Entity 'fs1' not defined"
            ])
        #expect(
            told(goodFile.replacing("name=\"fs1\"", with: "x:name=\"fs1\""))
                .contains("c.xml:8: Namespace prefix x for name on node is not defined"))
        #expect(told(Array(goodFile.utf8.prefix(700))).count == 1)
        #expect(told(String(repeating: "<a>", count: 5000)).count == 1)
    }

    @Test("a file may have a mebibyte and no more") func size() {
        let room = ElementTree.byteLimit - goodFile.utf8.count
        #expect(told(goodFile + String(repeating: "\n", count: room)) == [])
        #expect(
            told(goodFile + String(repeating: "\n", count: room + 1)) == [
                "c.xml:1: the file is larger than 1048576 bytes"
            ])
    }

    @Test("what is no file is not opened for long") func noFile() {
        func told(_ path: String) -> String { ElementTree.load(path: path).findings.errors.description }
        #expect(told("/dev/zero") == "[/dev/zero:1: the file is not a regular file]")
        #expect(told("/proc") == "[/proc:1: the file is not a regular file]")
        #expect(told("/none/c.xml") == "[/none/c.xml:1: the file cannot be read: No such file or directory]")
        mkfifo(scratch.path + "/pipe", 0o600)
        #expect(told(scratch.path + "/pipe").hasSuffix("/pipe:1: the file is not a regular file]"))
    }
}
