import Cluster
import ControlProtocol
import FoundationEssentials
import Synchronization
import Testing

@testable import Daemon

@Suite("Audit file")
struct AuditFileTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.path + "/audit" }

    private func open() -> AuditFile { AuditFile(path: path, log: .silent) }

    private func entries(_ numbers: ClosedRange<Int>) throws -> [AuditEntry] {
        try numbers.map { number in
            try JSONDecoder().decode(
                AuditEntry.self,
                from: Data(
                    """
                    {"number": \(number), "epoch": {"term": 1, "index": \(number)}, "time": {"nanoseconds": 5},
                     "who": "ann@ops", "what": "drain master\(number)", "why": "", "outcome": "agreed"}
                    """.utf8))
        }
    }

    private func write(_ numbers: ClosedRange<Int>) throws {
        let file = open()
        file.append(try entries(numbers))
        file.finish()
    }

    private func verified(_ file: AuditFile) -> (lines: [AuditLine], fault: String?) {
        let answer = Mutex<(lines: [AuditLine], fault: String?)>(([], "no answer"))
        file.verify { lines, fault in answer.withLock { $0 = (lines, fault) } }
        file.finish()
        return answer.withLock { $0 }
    }

    private var text: String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    @Test("the chain goes on over restarts, and entries that are there already are passed over")
    func restarts() throws {
        try write(1...3)
        try write(2...5)
        let lines = open().lines
        #expect(lines.map(\.entry.number) == [1, 2, 3, 4, 5])
        #expect(AuditLine.fault(in: lines) == nil)
        #expect(lines[3].previous == lines[2].digest)
        #expect(text.split(separator: "\n").count == 5)
    }

    @Test("two machines that were told the same wrote the same") func same() throws {
        try write(1...3)
        let other = TemporaryDirectory()
        let file = AuditFile(path: other.path + "/audit", log: .silent)
        for number in 1...3 { file.append(try entries(number...number)) }
        file.finish()
        #expect(file.lines == open().lines)
    }

    @Test("a word that was changed, and a line that was taken out, are found")
    func changed() throws {
        try write(1...4)
        let whole = text
        try whole.replacing("master3", with: "master1").write(
            toFile: path, atomically: true, encoding: .utf8)
        #expect(AuditLine.fault(in: open().lines) == "entry 3 is not what was written")
        let lines = whole.split(separator: "\n")
        try (lines[0] + "\n" + lines[2] + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        #expect(AuditLine.fault(in: open().lines) == "entry 3 does not follow entry 1")
    }

    @Test("what is done to the file while the node runs is found, not what the node remembers told again")
    func changedMeanwhile() throws {
        try write(1...3)
        let file = open()
        #expect(verified(file).fault == nil)
        let whole = text
        try whole.replacing("master2", with: "master1").write(
            toFile: path, atomically: true, encoding: .utf8)
        #expect(verified(file).fault == "entry 2 is not what was written")
        let cut = whole.split(separator: "\n").dropLast().joined(separator: "\n") + "\n"
        try cut.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(verified(file).fault == "entry 3 is no longer in the file")
        try whole.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(verified(file).fault == nil)
        #expect(verified(file).lines == file.lines)
        try (whole + whole).write(toFile: path, atomically: true, encoding: .utf8)
        #expect(verified(file).fault != nil)
    }

    @Test("half a line, left by a loss of power, harms none that comes after it")
    func half() throws {
        try write(1...3)
        try String(text.dropLast(20)).write(toFile: path, atomically: true, encoding: .utf8)
        #expect(open().lines.map(\.entry.number) == [1, 2])
        try write(1...4)
        let lines = open().lines
        #expect(lines.map(\.entry.number) == [1, 2, 3, 4])
        #expect(AuditLine.fault(in: lines) == nil)
    }
}
