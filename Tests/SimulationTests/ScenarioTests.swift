import Foundation
import Simulation
import Testing

/// Every story in `Scenarios/` plays as it is written; FSDNS_REWRITE=1 writes down what happened instead.
@Suite struct ScenarioTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Scenarios")

    static let files: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        return names.filter { $0.hasSuffix(".scenario") }.sorted()
    }()

    static func text(of story: String) throws -> String {
        try String(contentsOf: folder.appending(path: story), encoding: .utf8)
    }

    @Test("there are stories") func thereAreStories() {
        #expect(Self.files.count >= 15)
    }

    @Test("a story plays as written", arguments: files) func plays(_ file: String) throws {
        let url = Self.folder.appending(path: file)
        let scenario = Scenario(try String(contentsOf: url, encoding: .utf8))
        let happened = try scenario.play()
        if ProcessInfo.processInfo.environment["FSDNS_REWRITE"] == "1" {
            try scenario.rewritten(happened).write(to: url, atomically: true, encoding: .utf8)
            return
        }
        let firstDifference = zip(happened, scenario.expected).first { $0 != $1 }
        #expect(
            happened == scenario.expected,
            "first difference: \(String(describing: firstDifference)); FSDNS_REWRITE=1 accepts it")
    }

    @Test("a story that expects what is not so is refused with its line")
    func falseStory() {
        let scenario = Scenario("nodes fs1 fs2 fs3\nseats 1\nrest\nexpect holder master1 fs3")
        #expect {
            try scenario.play()
        } throws: { error in
            "\(error)" == "line 4: master1 (alpha) is held by [\"fs1\"]"
        }
    }

    @Test("an unknown verb is refused with its line") func unknownVerb() {
        let scenario = Scenario("nodes fs1 fs2 fs3\n\ndance fs1")
        #expect {
            try scenario.play()
        } throws: { error in
            "\(error)" == "line 3: \"dance\" is no verb"
        }
    }
}
