import Testing

@testable import Daemon

@Suite("Console words")
struct ConsoleVerbsTests {
    private static func call(_ line: String) -> Result<ConsoleVerbs.Call, ConsoleVerbs.Refusal> {
        Result { () throws(ConsoleVerbs.Refusal) in try ConsoleVerbs.call(line, controlPath: "/c.sock") }
    }

    @Test("Words become arguments of the command line, the control socket before all that was typed")
    func calls() throws {
        #expect(try Self.call("status").get().arguments == ["status", "--control", "/c.sock"])
        #expect(try Self.call("nodes").get().arguments == ["members", "--control", "/c.sock"])
        #expect(
            try Self.call("zone plan --nsupdate").get().arguments
                == ["zone", "plan", "--control", "/c.sock", "--nsupdate"])
        let drain = try Self.call(#"drain master2 --reason "new kernel" -- x"#).get()
        #expect(
            drain.arguments
                == ["drain", "--control", "/c.sock", "master2", "--reason", "new kernel", "--", "x"])
        #expect(!drain.isReading)
        #expect(try Self.call("  status  ").get().isReading)
    }

    @Test(
        "What would choose another node, or never end, is refused with a reason",
        arguments: [
            "status --watch", "events --follow", "drain master1 --wait", "status --control /x",
            "status --control=/x", "drain m --timeout 5s", "status --interval=1s", "status --config /x",
        ])
    func refused(_ line: String) {
        guard case .failure(let refusal) = Self.call(line) else {
            Issue.record("\(line) is carried out")
            return
        }
        #expect(refusal.description.contains("is not for here"))
    }

    @Test(
        "Other commands of the program are none of a console's",
        arguments: ["node", "demo", "zone", "zone apply", "zone serve", "key", "--control /x status", "\"\""])
    func unknown(_ line: String) {
        guard case .failure(let refusal) = Self.call(line) else {
            Issue.record("\(line) is carried out")
            return
        }
        #expect(refusal.description.contains("no such command"))
    }

    @Test("Help tells every verb")
    func help() {
        for verb in ConsoleVerbs.all {
            #expect(ConsoleVerbs.help.contains("cluster " + verb.words.joined(separator: " ")))
        }
    }

    @Test("Words are divided as a shell divides them, and nothing is expanded")
    func words() throws {
        #expect(try CommandWords.split(#"a  "b c" 'd "e' f\ g"#) == ["a", "b c", "d \"e", "f g"])
        #expect(try CommandWords.split(#""a\"b" "c\n" 'd\' e"" "#) == [#"a"b"#, #"c\n"#, #"d\"#, "e"])
        #expect(try CommandWords.split(#"'' $HOME *"#) == ["", "$HOME", "*"])
        #expect(try CommandWords.split("   ").isEmpty)
        #expect(throws: CommandWords.Failure.openQuote("'")) { try CommandWords.split("a 'b") }
        #expect(throws: CommandWords.Failure.danglingBackslash) { try CommandWords.split("a\\") }
    }

    @Test("A line is understood, whatever spaces it has")
    func lines() {
        #expect(ConsoleCommand(line: "cluster") == .help)
        #expect(ConsoleCommand(line: "cluster   ") == .help)
        #expect(ConsoleCommand(line: "fsdns help") == .help)
        #expect(ConsoleCommand(line: "cluster status ") == .cluster("status "))
        #expect(ConsoleCommand(line: "fsdns status") == .cluster("status"))
        #expect(ConsoleCommand(line: "hash_dump limit") == .limitDump)
        #expect(ConsoleCommand(line: "hash_dump db") == .unknown("hash_dump"))
        #expect(ConsoleCommand(line: "console_complete c=8;cluster st") == .complete("c=8;cluster st"))
        #expect(ConsoleCommand(line: "console_complete cluster ") == .complete("cluster "))
        #expect(ConsoleCommand(line: "show calls") == .unknown("show"))
        #expect(ConsoleCommand(line: "") == .unknown(""))
    }

    @Test("TAB offers verbs, and the names of now where a name is due")
    func completion() {
        let names = ConsoleNames(nodes: ["fs1", "fs2"], seats: ["master1"])
        func complete(_ line: String) -> String {
            String(decoding: ConsoleCommand.completion(line, names: names), as: UTF8.self)
        }
        #expect(complete("clu") == "\n\n[             cluster]\t\n\nwrite=3:cluster ")
        #expect(complete("cluster und").hasSuffix("\n\nwrite=3:undrain "))
        #expect(complete("cluster undrain ").hasSuffix("\n\nwrite=0:fs"))
        #expect(complete("cluster switchover m").hasSuffix("\n\nwrite=1:master1 "))
        #expect(complete("cluster drain f").contains("fs1"))
        #expect(complete("cluster drain master1 --ha").hasSuffix("write=4:--handover "))
        #expect(complete("cluster nonsense ") == "\n\n\n\n")
    }

    @Test("An answer says when something went wrong, and by how much it is too long")
    func answers() {
        func answer(_ ending: CommandRunner.Outcome.Ending, _ text: String, dropped: Int = 0) -> String {
            String(
                decoding: Console.answer(
                    .init(ending: ending, output: Array(text.utf8), dropped: dropped, duration: .zero)),
                as: UTF8.self)
        }
        #expect(answer(.exited(0), "fine\n") == "fine\n")
        #expect(answer(.exited(0), "") == "+OK\n")
        #expect(answer(.exited(1), "no seat x\n") == "-ERR no seat x\n")
        #expect(answer(.exited(7), "") == "-ERR the command ended with code 7\n")
        #expect(answer(.timedOut, "half\n") == "-ERR the command did not end within 20 s\nhalf\n")
        #expect(answer(.notStarted("cannot"), "") == "-ERR cannot\n")
        #expect(answer(.exited(0), "a", dropped: 9).contains("9 bytes more"))
    }
}
