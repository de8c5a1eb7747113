import ArgumentParser
import Cluster
import PeerProtocol
import Testing

@testable import fsdns

@Suite struct ArgumentTests {
    @Test(
        "durations are numbers with units, from large to small",
        arguments: [
            ("45m", Duration.seconds(2700)), ("1h30m", .seconds(5400)), ("250ms", .milliseconds(250)),
            ("0s", .zero), ("2d", .seconds(172_800)), ("1m1s1ms", .milliseconds(61_001)),
        ])
    func durations(text: String, duration: Duration) {
        #expect(OperatorDuration(argument: text)?.duration == duration)
        #expect(OperatorDuration.text(duration) == text)
    }

    @Test(
        "anything else is no duration",
        arguments: [
            "", "45", "m", "-5m", "1.5h", "5 m", "5M", "30m1h", "1m1m", "366d", "99999999999999999999s",
            "5m3",
            "٤m", "9223372036854775807d",
        ])
    func noDurations(text: String) {
        #expect(OperatorDuration(argument: text) == nil)
    }

    @Test(
        "wrong usage exits 2",
        arguments: [
            ["nonsense"], ["drain"], ["drain", "a", "b"], ["drain", "a", "--deadline", "45"],
            ["drain", "a", "--on-deadline", "pray", "--deadline", "1m"],
            ["drain", "a", "--on-deadline", "hangup"],
            ["drain", "a", "--handover", "--deadline", "5m"], ["drain", "a", "--timeout", "5s"],
            ["drain", "a", "--dry-run", "--wait"], ["status", "--format", "xml"],
            ["status", "--interval", "1ms"], ["simulate", "drain", "a", "--zone", "UTC"],
            ["simulate", "drain", "a", "--at", "soon"],
            ["simulate", "fail", "fs1", "--at", "02:00", "--zone", "Mars/Base"],
            ["zone", "plan", "--nsupdate", "--format", "json"],
            ["config", "check", "/nonexistent/cluster.xml"],
        ])
    func wrongUsage(arguments: [String]) {
        #expect(Program.status(of: arguments) == 2)
    }

    @Test(
        "an option that takes one value is refused when it is given twice, by whatever command",
        arguments: [
            (["switchover", "master1", "--to", "fs2", "--to", "fs3"], "--to"),
            (["drain", "a", "--reason=x", "--dry-run", "--reason", "y"], "--reason"),
            (["zone", "show", "--format", "json", "--format", "json"], "--format"),
            (["playbook", "run", "p.xml", "--control", "/a", "--control=/b"], "--control"),
            (["node", "--config", "a", "--name", "b", "--config", "c"], "--config"),
        ])
    func twice(arguments: [String], option: String) {
        #expect(
            RepeatedOptions.refusal(of: arguments, by: FSDNS.self)
                == "\(option) takes one value and is given twice: give it once")
        #expect(Program.status(of: arguments) == 2)
    }

    @Test(
        "flags, options that take many values, values and what follows -- may come again",
        arguments: [
            ["status", "--watch", "--watch"],
            ["playbook", "run", "p.xml", "--parameter", "a=1", "--parameter", "b=2"],
            ["drain", "to", "--reason", "to"], ["drain", "a", "--reason", "x", "--", "--reason"],
            ["drain", "--help", "--reason", "x", "--reason", "y"],
        ])
    func again(arguments: [String]) {
        #expect(RepeatedOptions.refusal(of: arguments, by: FSDNS.self) == nil)
    }

    @Test(
        "help, the version and fsdns alone are successes",
        arguments: [[], ["--help"], ["--version"], ["help", "drain"]])
    func help(arguments: [String]) {
        #expect(Program.status(of: arguments) == 0)
    }

    @Test(
        "verbs of later capabilities do not exist yet",
        arguments: ["explain"])
    func laterVerbs(verb: String) {
        #expect(Program.status(of: [verb]) == 2)
    }

    @Test("the handover flag is a deadline of nothing")
    func handover() throws {
        let command = try DrainCommand.parse(["master2", "--handover", "--reason", "kernel"])
        #expect(command.request.deadline == .zero)
        #expect(command.request.onDeadline == .handover)
        #expect(command.request.reason == "kernel")
        #expect(try DrainCommand.parse(["master2"]).request.deadline == nil)
        #expect(try DrainCommand.parse(["master2"]).request.onDeadline == .wait)
    }

    @Test("a cluster key is 32 bytes in base64, each time another")
    func key() {
        let key = ClusterKey.random()
        #expect(key.utf8.count == 44)
        #expect(key.hasSuffix("="))
        #expect(key != ClusterKey.random())
    }
}
