import Testing

@testable import fsdns

/// What an operator writes by mistake is refused with a sentence that names the option and says what is right.
@Suite("Words and options that make no sense") struct OddWordsTests {
    private func refusal(_ arguments: [String]) -> String? {
        if let refusal = BlankWords.refusal(of: arguments, by: FSDNS.self) { return refusal }
        do {
            _ = try FSDNS.parseAsRoot(arguments)
            return nil
        } catch {
            return FSDNS.message(for: error)
        }
    }

    @Test(
        "an empty or blank word is refused by every command, and the option or place is named",
        arguments: [
            (["forget", ""], "<node> is empty: name it"), (["forget", " \t"], "<node> is empty: name it"),
            (["forget", "--revoke", ""], "<node> is empty: name it"),
            (["undrain", ""], "<node> is empty: name it"),
            (["drain", "", "--wait"], "<target> is empty: name it"),
            (["switchover", ""], "<seat> is empty: name it"),
            (
                ["switchover", "master1", "--to", ""],
                "--to is given nothing: give it a value, or leave it out"
            ),
            (["switchover", "master1", "--to="], "--to is given nothing: give it a value, or leave it out"),
            (["playbook", "cancel", ""], "<name> is empty: name it"),
            (["playbook", "run", " "], "<file> is empty: name it"),
            (["simulate", "fail", ""], "<node[,node]> is empty: name it"),
            (["recover-quorum", "--lost", " "], "--lost is given nothing: give it a value"),
            (
                ["recover-quorum", "--lost", "fs1", "--confirm", ""],
                "--confirm is given nothing: give it a value, or leave it out"
            ),
            (["calls", "--address", ""], "--address is given nothing: give it a value, or leave it out"),
            (["status", "--control", ""], "--control is given nothing: give it a value, or leave it out"),
            (["forget", "--", ""], "<node> is empty: name it"),
        ])
    func blank(arguments: [String], sentence: String) {
        #expect(refusal(arguments) == sentence)
        #expect(Program.status(of: arguments) == 2)
    }

    @Test(
        "no reason is a reason, and a blank among words is none of its own",
        arguments: [
            ["drain", "a", "--reason", ""], ["drain", "a", "--reason", "new disk"],
            ["playbook", "run", "p.xml", "--parameter", "why="],
        ])
    func allowed(arguments: [String]) { #expect(refusal(arguments) == nil) }

    @Test(
        "every duration says what is right when it is none, nothing, negative or too long",
        arguments: [
            ["drain", "a", "--deadline"], ["drain", "a", "--return-after"],
            ["drain", "a", "--wait", "--timeout"],
            ["undrain", "a", "--wait", "--timeout"], ["zone", "apply", "--timeout"],
            ["freeswitch", "leave", "--config", "c", "--timeout"], ["status", "--watch", "--interval"],
            ["simulate", "drain", "a", "--deadline"],
        ])
    func durations(front: [String]) throws {
        let option = try #require(front.last)
        for (text, part) in [
            ("-5m", "it is negative; a duration is numbers with units, such as 45m or 1h30m"),
            ("45", "a duration is numbers with units"), ("400d", "365d at most"),
            ("", "\(option) is given nothing"),
        ] {
            let said = refusal(front + [text]) ?? "nothing"
            #expect(said.contains(part) && said.contains(option), "\(text): \(said)")
        }
        let nothing = refusal(front + ["0s"]) ?? "nothing"
        #expect(nothing.hasPrefix("\(option) "), "\(nothing)")
        #expect(refusal(front + ["20s"]) == nil)
    }

    @Test(
        "a duration that is too long or short for its option is refused",
        arguments: [
            (
                ["drain", "a", "--return-after", "0s"],
                "--return-after must be at least 1s: so long the node stays in"
            ),
            (
                ["drain", "a", "--deadline", "0s"],
                "--deadline 0s waits for no call: say what becomes of them"
            ),
            (["drain", "a", "--deadline", "0s", "--on-deadline", "wait"], "--deadline 0s waits for no call"),
            (["status", "--watch", "--interval", "2h"], "--interval must be at most 1h"),
            (["zone", "apply", "--timeout", "2h"], "--timeout must be at most 1h"),
        ])
    func bounds(arguments: [String], sentence: String) {
        #expect(refusal(arguments)?.hasPrefix(sentence) == true, "\(refusal(arguments) ?? "nothing")")
    }

    @Test("a deadline of nothing is allowed where it is said what becomes of the calls")
    func atOnce() {
        #expect(refusal(["drain", "a", "--deadline", "0s", "--on-deadline", "handover"]) == nil)
        #expect(refusal(["drain", "a", "--handover"]) == nil)
    }

    @Test(
        "an option that means something only with another one is refused without it",
        arguments: [
            (["status", "--interval", "2s"], "--interval belongs to --watch"),
            (["undrain", "a", "--timeout", "2s"], "--timeout belongs to --wait"),
            (["history", "--verify", "--last", "3"], "--last shows so many entries; --verify looks at all"),
            (
                ["simulate", "fail", "fs1", "--zone", "UTC"],
                "--zone is whose clocks --at is read by: give --at too"
            ),
        ])
    func alone(arguments: [String], sentence: String) { #expect(refusal(arguments) == sentence) }

    @Test("lists of names have each name once, and spaces around it are no part of it")
    func lists() {
        #expect(NameList("fs1, fs2 ,fs 3")?.names == ["fs1", "fs2", "fs 3"])
        for text in ["fs1,", ",fs1", "fs1,,fs2", "fs1, ,fs2", "fs1,fs1", " "] {
            #expect(NameList(text) == nil)
        }
        #expect(
            refusal(["recover-quorum", "--lost", "fs1,,fs2"])?.hasPrefix("--lost must be a list") == true)
        #expect(refusal(["simulate", "fail", "fs1,fs1"])?.hasPrefix("<node[,node]> must be a list") == true)
    }
}
