import ArgumentParser
import Simulation

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Try out on pretended machines: a drain, failures, or any weather.",
        discussion: "Without a subcommand it takes the options of `weather`.",
        subcommands: [SimulateWeatherCommand.self, SimulateDrainCommand.self, SimulateFailCommand.self],
        defaultSubcommand: SimulateWeatherCommand.self)
}

struct SimulateWeatherCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weather",
        abstract: "Run pretended clusters through pretended weather and judge them.",
        discussion: "The same seed gives the same run everywhere. Exit 1 when a law was broken.")

    @Option(help: "The first or only seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds, counted up from --seed.")
    var seeds: UInt64 = 1

    @Flag(help: "Print what happened, line by line (one seed only).")
    var trace = false

    @Flag(
        help:
            "Another class of seeds: partial partitions, slow disks and quick restarts, lost words, drawn to the moments of decisions."
    )
    var storm = false

    /// Between two lines of progress.
    private static let portion: UInt64 = 50

    mutating func validate() throws {
        if seeds < 1 || seeds > 10_000_000 { throw ValidationError("--seeds must be 1 to 10000000") }
        if trace, seeds != 1 { throw ValidationError("--trace shows one seed; leave out --seeds") }
        if seed > UInt64.max - seeds { throw ValidationError("--seed is too large for so many --seeds") }
    }

    mutating func run() throws {
        if seeds == 1 {
            try Self.judge(
                storm
                    ? Simulation.storm(seed: seed, trace: trace) : Simulation.replay(seed: seed, trace: trace)
            )
            return
        }
        let end = seed + seeds
        var sum: Simulation.Sweep?
        var next = seed
        while next < end {
            let last = min(end, next + Self.portion)
            let sweep = Simulation.sweep(seeds: next..<last, areStorms: storm)
            if let failure = sweep.failure { try Self.judge(failure) }
            let total = sum.map { Self.joined($0, sweep) } ?? sweep
            sum = total
            Output.error("\(total.runs) of \(seeds) seeds, \(total.takeovers) takeovers, no law broken")
            next = last
        }
        if let sum { Output.line(Self.summary(sum)) }
    }

    private static func joined(_ first: Simulation.Sweep, _ second: Simulation.Sweep) -> Simulation.Sweep {
        var sum = first
        sum.runs += second.runs
        sum.steps += second.steps
        sum.takeovers += second.takeovers
        sum.lasted += second.lasted
        sum.takeoverTimes += second.takeoverTimes
        return sum
    }

    /// - Throws: exit 1 with the law that was broken and the command that shows it again.
    private static func judge(_ outcome: Simulation.Outcome) throws(CommandFailure) {
        Output.lines(outcome.trace.lines)
        if let violation = outcome.violation {
            throw .refused(["seed \(outcome.seed) broke a law: \(violation)", "replay it: \(outcome.replay)"])
        }
        Output.line(
            "seed \(outcome.seed): no law broken in \(WaitOptions.elapsed(outcome.lasted)) of pretended time, "
                + "\(outcome.steps) steps, \(outcome.takeovers) takeovers")
    }

    private static func summary(_ sweep: Simulation.Sweep) -> String {
        let text =
            "\(sweep.runs) seeds: no law broken in \(WaitOptions.elapsed(sweep.lasted)) of pretended time, "
            + "\(sweep.steps) steps, \(sweep.takeovers) takeovers"
        let times = sweep.takeoverTimes.sorted()
        guard let slowest = times.last else { return text }
        let median = DemoStory.milliseconds(times[times.count / 2])
        return text + "; a lost master was replaced within \(median) median, "
            + "\(DemoStory.milliseconds(slowest)) at most"
    }
}
