import Cluster
import ControlProtocol
import FoundationEssentials
@preconcurrency import Glibc
import Primitives
import Testing

@testable import fsdns

/// A node's side of the control socket that gives one line to the first question and hangs up.
final class OneAnswerNode {
    let path: String
    private let directory: String
    private let listener: Int32

    init() throws {
        var template = Array("/tmp/fsdns-control.XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Failure.system(errno) }
        directory = String(cString: made)
        let path = directory + "/s"
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
        }
        guard status == 0, listen(listener, 1) == 0 else { throw Failure.system(errno) }
        self.listener = listener
        self.path = path
    }

    deinit {
        close(listener)
        unlink(path)
        rmdir(directory)
    }

    /// Runs the command line against this node, which says `answer` and hangs up; returns the exit code.
    func run(_ arguments: [String], answer: [UInt8]) -> Int32 {
        let listener = listener
        let thread = OneAnswerThread(listener: listener, answer: answer)
        thread.start()
        let status = Program.status(of: arguments + ["--control", path])
        thread.join()
        return status
    }

    func run(_ arguments: [String], reply: OperatorReply) throws -> Int32 {
        run(arguments, answer: Array(try JSONEncoder().encode(ControlResponse.reply(reply))) + [10])
    }

    enum Failure: Error {
        case system(Int32)
    }
}

/// The thread behind `OneAnswerNode`.
final class OneAnswerThread: Sendable {
    private let listener: Int32
    private let answer: [UInt8]
    private nonisolated(unsafe) var thread = pthread_t()

    init(listener: Int32, answer: [UInt8]) {
        self.listener = listener
        self.answer = answer
    }

    func start() {
        let me = Unmanaged.passRetained(self).toOpaque()
        pthread_create(
            &thread, nil,
            {
                Unmanaged<OneAnswerThread>.fromOpaque($0!).takeRetainedValue().serve(); return nil
            }, me)
    }

    func join() { pthread_join(thread, nil) }

    private func serve() {
        let connection = accept(listener, nil, nil)
        var byte: UInt8 = 0
        while recv(connection, &byte, 1, 0) == 1, byte != 10 {}
        answer.withUnsafeBytes { _ = send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        close(connection)
    }
}

@Suite struct ControlTests {
    @Test("no socket is exit 3")
    func noSocket() {
        #expect(Program.status(of: ["status", "--control", "/nonexistent/fsdns.sock"]) == 3)
    }

    @Test("a socket path that fits in no address is wrong usage")
    func longPath() {
        #expect(Program.status(of: ["status", "--control", "/" + String(repeating: "x", count: 200)]) == 2)
    }

    @Test("a refusal is exit 1")
    func refused() throws {
        let node = try OneAnswerNode()
        #expect(
            try node.run(["drain", "master9"], reply: .refused(["there is no seat or node master9"])) == 1)
    }

    @Test("a cluster without a leader is exit 3")
    func unavailable() throws {
        let node = try OneAnswerNode()
        #expect(try node.run(["undrain", "fs2"], reply: .unavailable("no leader in 5s")) == 3)
    }

    @Test("an accepted order and a dry run are exit 0")
    func accepted() throws {
        let node = try OneAnswerNode()
        let epoch = Epoch(term: 1, index: 2)
        #expect(try node.run(["drain", "master2"], reply: .accepted(epoch, ["fs4 takes 10.77.0.19"])) == 0)
        #expect(try node.run(["drain", "master2", "--dry-run"], reply: .plan(["fs4 takes 10.77.0.19"])) == 0)
    }

    @Test("status prints what a node answers")
    func status() throws {
        let node = try OneAnswerNode()
        let reply = OperatorReply.status(try StatusFixture.report())
        #expect(try node.run(["status"], reply: reply) == 0)
        #expect(try node.run(["status", "--format", "json"], reply: reply) == 0)
        #expect(try node.run(["members"], reply: reply) == 0)
    }

    @Test("a zone that differs is exit 1 of its check")
    func zoneCheck() throws {
        let node = try OneAnswerNode()
        let report = ZoneReport(
            zone: "example.net", questions: [], desired: [], readings: [], steps: [], update: nil, held: nil)
        #expect(try node.run(["zone", "check"], reply: .zone(report)) == 1)
        #expect(try node.run(["zone", "show"], reply: .zone(report)) == 0)
    }

    @Test("bytes that are no answer, an answer to another question and silence are exit 3")
    func strange() throws {
        let node = try OneAnswerNode()
        #expect(node.run(["status"], answer: Array("{\"future\":1}\n".utf8)) == 3)
        #expect(node.run(["status"], answer: [0xFF, 0x00, 10]) == 3)
        #expect(node.run(["status"], answer: []) == 3)
        #expect(try node.run(["status"], reply: .plan([])) == 3)
    }

    @Test("a failure the node names is exit 3")
    func failure() throws {
        let node = try OneAnswerNode()
        let answer = try JSONEncoder().encode(ControlResponse.failure("control protocol 9 is not known"))
        #expect(node.run(["rings"], answer: Array(answer) + [10]) == 3)
    }

    @Test("events end with the node's own end")
    func events() throws {
        let node = try OneAnswerNode()
        let event = EventLine(
            sequence: 1, time: "2026-11-21T04:00:00.000Z", node: "fs1",
            event: ClusterEvent(.clusterFormed, "pbx", "5 nodes see the same set"))
        let lines = try [ControlResponse.event(event), .end].map {
            Array(try JSONEncoder().encode($0)) + [10]
        }
        #expect(node.run(["events"], answer: Array(lines.joined())) == 0)
        #expect(node.run(["events"], answer: lines[0]) == 3)
    }
}
