import Foundation
import Testing

/// Every `Stories/*.story`: a claim, commands, `----`, and the whole trace.
///
/// When one fails, run with `FSDNS_REWRITE=1` and read the difference; commit it only if you understand it.
@Suite("Raft stories") struct StoryTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Stories")

    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        return files.filter { $0.hasSuffix(".story") }.sorted()
    }()

    @Test("every story is found")
    func complete() {
        #expect(Self.names.count >= 14)
    }

    @Test("the story goes as written", arguments: names)
    func story(name: String) throws {
        let url = Self.folder.appending(path: name)
        let lines = try String(contentsOf: url, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
        let commands = lines.prefix { $0 != "----" }
        var expected = lines.dropFirst(commands.count + 1).map(String.init)
        if expected.last == "" { expected.removeLast() }
        #expect(commands.first?.hasPrefix("# ") == true, "a story begins with its claim")
        let trace = try Story.trace(of: Array(commands))
        if ProcessInfo.processInfo.environment["FSDNS_REWRITE"] == "1" {
            let text = (commands.map(String.init) + ["----"] + trace).joined(separator: "\n") + "\n"
            try text.write(to: url, atomically: true, encoding: .utf8)
        } else {
            #expect(trace == expected, "FSDNS_REWRITE=1 rewrites the story; read the difference")
        }
    }
}
