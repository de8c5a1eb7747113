import Foundation
import Testing

@testable import Daemon

/// An event-socket library from elsewhere, and FreeSWITCH's own terminal where it is installed, as clients of our server.
@Suite("Foreign event-socket clients")
struct ForeignClientTests {
    /// Made by script/bootstrap --test.
    private static let python: String? = {
        let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..").standardized
        let path = root.appendingPathComponent(".build/foreign-clients/bin/python").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    private static let terminal: String? = {
        let named = ProcessInfo.processInfo.environment["FSDNS_FS_CLI"]
        return [named, "/usr/bin/fs_cli", "/usr/local/freeswitch/bin/fs_cli"].compactMap { $0 }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    private func run(_ program: String, _ arguments: [String]) throws -> CommandRunner.Outcome {
        let outcomes = Mailbox<CommandRunner.Outcome>()
        CommandRunner().run(
            CommandRunner.Order(
                program: program, arguments: arguments,
                environment: ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TERM": "dumb"],
                deadline: .seconds(60))
        ) { outcomes.put($0) }
        return try #require(outcomes.next(within: 90))
    }

    @Test(
        "greenswitch logs in, asks, runs a job, subscribes and hears",
        .enabled(if: python != nil, "greenswitch is not installed (script/bootstrap --test)"))
    func greenswitch() throws {
        let site = try EventSocketSite()
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("ForeignClients/greenswitch_client.py").path
        let outcome = try run(try #require(Self.python), [script, "\(site.port)", EventSocketSite.password])
        let text = String(decoding: outcome.output, as: UTF8.self)
        #expect(outcome.ending == .exited(0), "\(text)")
        let line = try #require(text.split(separator: "\n").last)
        let found = try #require(
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(found["wrong password"] as? String != "accepted")
        #expect(found["switchname"] as? String == "fs1")
        #expect(found["status"] as? String == "status --control /c.sock\n")
        #expect(found["unknown"] as? String == "-ERR show Command not found!\n")
        #expect(found["subscribed"] as? String == "+OK event listener enabled plain")
        #expect(found["job"] as? String == "+OK Job-UUID: ")
        #expect((found["job output"] as? String)?.contains("members --control /c.sock") == true)
        #expect(found["event"] as? [String] == ["fsdns::test", "100 % + ä"])
    }

    @Test(
        "fs_cli runs a command and prints its answer",
        .enabled(if: terminal != nil, "fs_cli is not installed (FSDNS_FS_CLI names one elsewhere)"))
    func fsCLI() throws {
        let site = try EventSocketSite()
        let program = try #require(Self.terminal)
        let place = ["-H", "127.0.0.1", "-P", "\(site.port)", "-t", "20000"]
        let outcome = try run(
            program, place + ["-p", EventSocketSite.password, "-x", "cluster drain master1 --dry-run"])
        #expect(outcome.ending == .exited(0))
        let text = String(decoding: outcome.output, as: UTF8.self)
        #expect(text.contains("drain --control /c.sock master1 --dry-run"))
        let refused = try run(program, place + ["-p", "guess", "-x", "cluster status"])
        #expect(!String(decoding: refused.output, as: UTF8.self).contains("--control"))
    }
}
