import Foundation
import Testing

@Suite struct SimulateTests {
    /// Swift draws another hash seed for every process: what depends on the order of a set or a dictionary would differ.
    @Test("the same seed gives the same trace in every process", arguments: [3, 12])
    func determinism(seed: Int) throws {
        let once = try trace(seed)
        #expect(once.split(separator: "\n").count > 100)
        #expect(try trace(seed) == once)
    }

    private func trace(_ seed: Int) throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: own).deletingLastPathComponent().appending(path: "fsdns")
        process.arguments = ["simulate", "--seed", "\(seed)", "--trace"]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return text
    }
}
