import Foundation
import Testing

/// Replays what the fuzzer found worth keeping, and every input that once trapped, without the fuzzer.
@Suite struct CorpusTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Corpus").path

    @Test("every kept input of a target is read or refused", arguments: FuzzTarget.all.map(\.name))
    func replay(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let folder = "\(Self.corpus)/\(name)"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        #expect(!files.isEmpty, "\(folder) is empty: script/fuzz --keep \(name) fills it")
        for file in files {
            let bytes = try Data(contentsOf: URL(filePath: "\(folder)/\(file)"))
            #expect(bytes.count <= target.maximumLength, "\(file)")
            target(Array(bytes))
        }
    }

    @Test("every folder of the corpus belongs to a target") func folders() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus)
        #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
    }
}
