import Glibc
import Testing

@testable import Daemon

@Suite("Command runner")
struct CommandRunnerTests {
    private let runner = CommandRunner(parallel: 2, waiting: 2)
    private let outcomes = Mailbox<CommandRunner.Outcome>()

    private func outcome(_ order: CommandRunner.Order) throws -> CommandRunner.Outcome {
        let outcomes = outcomes
        runner.run(order) { outcomes.put($0) }
        return try #require(outcomes.next())
    }

    private static func shell(
        _ script: String, deadline: Duration = .seconds(20), grace: Duration = .seconds(2),
        limit: Int = 1 << 16
    ) -> CommandRunner.Order {
        CommandRunner.Order(
            program: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"],
            deadline: deadline, grace: grace, outputLimit: limit)
    }

    @Test("Standard output and standard error come as one, with the exit code")
    func output() throws {
        let outcome = try outcome(Self.shell("echo one; echo two >&2; exit 3"))
        #expect(outcome.ending == .exited(3))
        #expect(String(decoding: outcome.output, as: UTF8.self) == "one\ntwo\n")
        #expect(outcome.dropped == 0)
    }

    @Test("What may not run when its turn comes is not run, and the next is")
    func refused() throws {
        let outcomes = outcomes
        let ticket = runner.ticket()
        let used = runner.run(Self.shell("echo run"), as: ticket, unless: { "not on the list" }) {
            outcomes.put($0)
        }
        #expect(used == ticket)
        #expect(outcomes.next()?.ending == .notStarted("not on the list"))
        #expect(try outcome(Self.shell("exit 0")).ending == .exited(0))
    }

    @Test("No shell stands between: words arrive as they are")
    func words() throws {
        let words = ["a b", "$HOME", "", "*", "'", "ä"]
        let outcome = try outcome(
            CommandRunner.Order(
                program: "/usr/bin/printf", arguments: ["<%s>"] + words, deadline: .seconds(20)))
        #expect(String(decoding: outcome.output, as: UTF8.self) == words.map { "<\($0)>" }.joined())
    }

    @Test("The program sees the given environment and nothing else of ours")
    func environment() throws {
        setenv("FSDNS_TEST_SECRET", "told", 1)
        let order = CommandRunner.Order(
            program: "/usr/bin/env", environment: ["B": "2", "A": "1"], deadline: .seconds(20))
        #expect(String(decoding: try outcome(order).output, as: UTF8.self) == "A=1\nB=2\n")
    }

    @Test("The program has nothing to read, and no descriptor of ours")
    func descriptors() throws {
        // Not closed by exec, as some of the service's sockets are not.
        let descriptor = open("/dev/null", O_RDONLY)
        defer { close(descriptor) }
        let outcome = try outcome(
            Self.shell("cat; for d in 0 1 2 \(descriptor); do test -e /proc/$$/fd/$d && echo $d; done"))
        #expect(String(decoding: outcome.output, as: UTF8.self) == "0\n1\n2\n")
    }

    @Test("Output above the limit is read, counted and left out")
    func limit() throws {
        let outcome = try outcome(Self.shell("head -c 300000 /dev/zero", limit: 1000))
        #expect(outcome.ending == .exited(0))
        #expect(outcome.output.count == 1000)
        #expect(outcome.dropped == 299_000)
    }

    @Test("A program that prints without end is ended at its deadline")
    func endless() throws {
        let outcome = try outcome(Self.shell("yes", deadline: .seconds(3), limit: 10))
        #expect(outcome.ending == .timedOut)
        #expect(outcome.output.count == 10)
        #expect(outcome.dropped > 0)
    }

    @Test("At its deadline a program may say its last words")
    func lastWords() throws {
        let outcome = try outcome(
            Self.shell(
                "trap 'echo bye; exit 0' TERM; echo hi; while :; do sleep 0.05; done",
                deadline: .seconds(2)))
        #expect(outcome.ending == .timedOut)
        // Between them the shell may say that its `sleep` was ended too.
        let text = String(decoding: outcome.output, as: UTF8.self)
        #expect(text.hasPrefix("hi\n") && text.hasSuffix("bye\n"))
    }

    @Test("A program that does not listen is killed, and its children with it")
    func stubborn() throws {
        let outcome = try outcome(
            Self.shell(
                "trap '' TERM; sleep 600 & echo $!; while :; do sleep 0.05; done",
                deadline: .seconds(2),
                grace: .milliseconds(100)))
        #expect(outcome.ending == .timedOut)
        #expect(outcome.duration < .seconds(15))
        try Self.expectGone(outcome)
    }

    @Test("What a program leaves behind neither holds up its end nor lives on")
    func leftBehind() throws {
        let outcome = try outcome(Self.shell("sleep 600 & echo $!"))
        #expect(outcome.ending == .exited(0))
        #expect(outcome.duration < .seconds(15))
        try Self.expectGone(outcome)
    }

    /// The process whose number was printed was killed: it is no more, or waits for its parent to look.
    private static func expectGone(_ outcome: CommandRunner.Outcome) throws {
        let text = String(decoding: outcome.output, as: UTF8.self).filter { $0 != "\n" }
        let pid = try #require(pid_t(text))
        let clock = ContinuousClock()
        let end = clock.now + .seconds(20)
        while clock.now < end {
            guard kill(pid, 0) == 0, let state = state(of: pid) else { return }
            if state == "Z" || state == "X" { return }
        }
        Issue.record("\(pid) lives on")
    }

    private static func state(of pid: pid_t) -> Character? {
        guard let file = fopen("/proc/\(pid)/stat", "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 1024)
        guard fgets(&line, Int32(line.count), file) != nil else { return nil }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.split(separator: ")").last?.first { $0 != " " }
    }

    @Test("A program killed by somebody else says by which signal")
    func signal() throws {
        #expect(try outcome(Self.shell("kill -9 $$")).ending == .signalled(9))
    }

    @Test("A program that is not there, or no program, is not started")
    func missing() throws {
        for program in ["/nonexistent/program", "/etc/passwd", "/"] {
            let outcome = try outcome(CommandRunner.Order(program: program, deadline: .seconds(20)))
            guard case .notStarted(let why) = outcome.ending else {
                Issue.record("\(program) ended as \(outcome.ending)")
                continue
            }
            #expect(why.contains(program))
        }
    }

    @Test("A word with a NUL is refused instead of cut")
    func nul() throws {
        let order = CommandRunner.Order(program: "/bin/echo", arguments: ["a\0b"], deadline: .seconds(20))
        guard case .notStarted = try outcome(order).ending else {
            Issue.record("it was run")
            return
        }
    }

    @Test("Commands above the number at once wait for their turn; above the number waiting they are refused")
    func turns() throws {
        let outcomes = outcomes
        // Two run until they are let go, two wait, one is too many.
        let tickets = (1...5).map { number in
            runner.run(Self.shell("echo \(number); exec sleep 600")) { outcomes.put($0) }
        }
        let refused = try #require(outcomes.next())
        #expect(refused.ending == .notStarted("2 other commands are waiting already"))
        runner.cancel(tickets[3])
        let takenBack = try #require(outcomes.next())
        #expect(takenBack.ending == .cancelled)
        #expect(takenBack.output.isEmpty)
        runner.cancel(tickets[0])
        #expect(try #require(outcomes.next()).ending == .cancelled)
        // The third has its turn now.
        runner.cancel(tickets[1])
        #expect(try #require(outcomes.next()).ending == .cancelled)
        runner.cancel(tickets[2])
        #expect(try #require(outcomes.next()).ending == .cancelled)
    }

    @Test("Stopped, it ends what runs, refuses what waits and takes nothing more")
    func stop() throws {
        let outcomes = outcomes
        for _ in 1...3 { runner.run(Self.shell("exec sleep 600")) { outcomes.put($0) } }
        runner.stop()
        runner.run(Self.shell("echo late")) { outcomes.put($0) }
        let endings = try (1...4).map { _ in try #require(outcomes.next()).ending }
        #expect(endings.count { $0 == .cancelled } == 2)
        #expect(endings.count { $0 == .notStarted("the service is stopping") } == 2)
    }
}
