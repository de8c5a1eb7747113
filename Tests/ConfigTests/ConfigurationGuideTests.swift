import Cluster
import Foundation
import Testing

@testable import Config

/// docs/configuration.md says what the schema and the program say: every element and attribute, each default, range and
/// choice, and the sentences of `fsdns config check`. Its examples are loaded as they stand there.
@Suite("The guide to the cluster file") struct ConfigurationGuideTests {
    /// Of these, all the sentences of the guide are.
    private static let speakers = [
        "Config", "XML", "Daemon/SecretCheck.swift", "fsdns/Commands/NamedFileCheck.swift",
        "Cluster/Agreement/ControlState+Apply.swift",
    ]
    /// Only where addresses are loopback; the guide's complete example has another mode.
    private static let loopbackOnly = "addresses probe-port"
    /// Its default is the node service's: a file that has it is another one.
    private static let daemons = "policy unserved-after"

    private static func example(_ place: Int) throws -> EditableFile {
        let examples = try ConfigurationGuide().examples
        return try EditableFile(try #require(examples.count == 2 ? examples[place] : nil))
    }

    /// The example that has this attribute.
    private static func file(with element: String, _ attribute: String) throws -> EditableFile {
        if "\(element) \(attribute)" != loopbackOnly { return try example(1) }
        return try EditableFile(textOfFile(repository + "/config/loopback.xml"))
    }

    @Test("the elements of the schema are the guide's sections, in the same order") func elements() throws {
        #expect(try ConfigurationGuide().sections.map(\.element) == ClusterGrammar().elements)
    }

    @Test("every attribute of the schema is in the table of its element, and no other") func attributes()
        throws
    {
        let grammar = try ClusterGrammar()
        for (element, rows) in try ConfigurationGuide().sections {
            let told = rows.map(\.attribute)
            #expect(Set(told) == grammar.attributes[element], "<\(element)>")
            #expect(Set(told).count == told.count, "<\(element)>")
        }
        #expect(grammar.attributes["policy"]?.contains("unserved-after") == true, "they are found")
        #expect(grammar.attributes["limit-service"] == ["listen", "password-file"], "by references too")
    }

    @Test("both examples are accepted as they stand there, without a warning", arguments: [0, 1])
    func examples(place: Int) throws {
        let text = try #require(try ConfigurationGuide().examples.dropFirst(place).first)
        let file = try ClusterFile.load(text: Array(text.utf8), path: "/etc/fsdns/cluster.xml")
        #expect(file.warnings == [])
        #expect(try Self.example(place).load() == file, "written anew it means the same")
    }

    @Test("the complete example has every element and attribute, but one") func complete() throws {
        let used = try Self.example(1).used
        for (element, rows) in try ConfigurationGuide().sections {
            #expect(used.contains(element))
            for name in rows.map({ "\(element) \($0.attribute)" }) where name != Self.loopbackOnly {
                #expect(used.contains(name))
            }
        }
    }

    @Test("an attribute that is left out means its default, and another value does not") func defaults()
        throws
    {
        var count = 0
        for (element, rows) in try ConfigurationGuide().sections {
            for row in rows {
                guard let value = row.defaultValue, "\(element) \(row.attribute)" != Self.daemons else {
                    continue
                }
                count += 1
                let name = "<\(element) \(row.attribute)>"
                let without = try Self.file(with: element, row.attribute).with(element, row.attribute, nil)
                let with = without.with(element, row.attribute, value)
                let usual = try without.load()
                #expect(try with.load() == usual, "\(name)")
                guard row.values.hasPrefix("one of") else { continue }
                for other in ConfigurationGuide.Row.spans(row.values) where other != value {
                    // Some are refused here, which shows as well that they are not the default.
                    let changed = without.with(element, row.attribute, other)
                    #expect((try? changed.load()) != usual, "\(name)")
                }
            }
        }
        #expect(count >= 25, "they are found")
    }

    @Test("the smallest example has the defaults that the guide names in words and figures") func smallest()
        throws
    {
        let file = try Self.example(0).load()
        #expect(file.settings.timing == Timing())
        #expect(file.settings.expect == file.settings.nodes.count)
        #expect(file.settings.policy == Policy())
        #expect(file.settings.dns == nil)
        #expect(file.networks.map(\.port) == [5405])
        #expect(file.addressMode == .kernel)
        #expect(file.limitRules == LimitRules())
        #expect(file.eventSocket == nil)
        #expect(file.limitService == nil)
        #expect(file.programsFile == nil)
        #expect(file.certificates == nil)
        guard case .eventSocket(let access) = file.freeswitch else {
            Issue.record("it has a FreeSWITCH")
            return
        }
        #expect(
            access == SwitchAccess(endpoint: access.endpoint, passwordFile: access.passwordFile))
    }

    @Test("the one default that is not the reader's is the node service's") func unservedAfter() throws {
        let row = try #require(
            try ConfigurationGuide().sections.first { $0.element == "policy" }?.rows.first {
                $0.attribute == "unserved-after"
            })
        #expect(row.defaultValue == "1s")
        let sharing = try textOfFile(repository + "/Sources/Daemon/Sharing/Sharing.swift")
        #expect(sharing.contains("var patience: Duration = .seconds(1)"))
    }

    @Test("what the guide calls required cannot be left out") func required() throws {
        var count = 0
        for (element, rows) in try ConfigurationGuide().sections {
            for row in rows where row.value == "required" {
                count += 1
                let refusals = try Self.file(with: element, row.attribute).with(element, row.attribute, nil)
                    .refusals()
                #expect(refusals.contains("<\(element)> needs the attribute \"\(row.attribute)\""))
            }
        }
        #expect(count >= 25, "they are found")
    }

    @Test("what the guide does not call required can be left out") func optional() throws {
        // The first server's go together.
        let exceptions = ["server key", "server secret-file"]
        for (element, rows) in try ConfigurationGuide().sections {
            for row in rows where row.value != "required" {
                if exceptions.contains("\(element) \(row.attribute)") { continue }
                let file = try Self.file(with: element, row.attribute).with(element, row.attribute, nil)
                #expect(try file.refusals() == [], "<\(element) \(row.attribute)>")
            }
        }
    }

    @Test("ranges and choices are those that the program refuses other values with") func ranges() throws {
        var count = 0
        for (element, rows) in try ConfigurationGuide().sections {
            for row in rows {
                guard let refusal = row.refusal else { continue }
                count += 1
                let refusals = try Self.file(with: element, row.attribute).with(
                    element, row.attribute, refusal.value
                ).refusals()
                let told = "<\(element)> \(row.attribute)=\"\(refusal.value)\" \(refusal.reason)"
                #expect(refusals.contains(told))
            }
        }
        #expect(count >= 30, "they are found")
    }

    @Test(
        "the sentences that the guide quotes are the program's",
        arguments: ["`config check` says", "reason"])
    func sentences(heading: String) throws {
        let source = try Self.source()
        let sentences = try ConfigurationGuide().sentences(under: heading)
        #expect(sentences.count >= 7, "they are found")
        for sentence in sentences {
            let words = sentence.trimmingCharacters(in: CharacterSet(charactersIn: "… "))
            #expect(source.contains(words))
        }
    }

    @Test("a text of the program is read over lines and interpolations") func reading() {
        let source = #"""
            findings.error(
                "lease=\(text(lease)) is \"\(quoted(name("x") ?? ""))\": "
                    + "so", at: place)
            """#
        #expect(Self.texts(source).contains("lease=… is \"…\": so"))
    }

    // MARK: - The program's texts

    private static func source() throws -> String {
        var texts = ""
        for speaker in speakers {
            let path = repository + "/Sources/" + speaker
            let files =
                speaker.hasSuffix(".swift")
                ? [path]
                : try FileManager.default.subpathsOfDirectory(atPath: path).filter { $0.hasSuffix(".swift") }
                    .map { path + "/" + $0 }
            for file in files { texts += Self.texts(try textOfFile(file)) }
        }
        return texts
    }

    /// Swift source with texts that are joined by `+` in one piece, without escapes, and with `…` for interpolations.
    private static func texts(_ source: String) -> String {
        var result: [UInt8] = []
        var bytes = Array(source.utf8)[...]
        while let byte = bytes.popFirst() {
            if byte == UInt8(ascii: "\\"), let next = bytes.popFirst() {
                if next == UInt8(ascii: "(") {
                    var depth = 1
                    while depth > 0, let inner = bytes.popFirst() {
                        if inner == UInt8(ascii: "(") { depth += 1 }
                        if inner == UInt8(ascii: ")") { depth -= 1 }
                    }
                    result += Array("…".utf8)
                } else {
                    result.append(next)
                }
            } else if byte == UInt8(ascii: "\"") {
                // A text that ends here and goes on in the next piece.
                let rest = bytes.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
                let after = rest.dropFirst().drop { $0 == UInt8(ascii: " ") }
                if rest.first == UInt8(ascii: "+"), after.first == UInt8(ascii: "\"") {
                    bytes = after.dropFirst()
                } else {
                    result.append(byte)
                }
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
