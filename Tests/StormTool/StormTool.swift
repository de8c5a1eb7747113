@preconcurrency import Glibc
import Simulation

/// `fsdns-storm`: runs seeds of storms and directed schedules, one line for each that broke a law; for sweeps that are
/// too long for the tests, and for mutants. Depends on nothing but the deciding half, so that it builds quickly.
@main
struct StormTool {
    static let usage = """
        usage: fsdns-storm [--first SEED] [--seeds COUNT] [--theme THEME] [--all] [--weather | --upgrade] [--sabotage NAME]
               fsdns-storm --seed SEED [--trace] [--weather | --upgrade] [--sabotage NAME]
               fsdns-storm --directed [NAME] [--seed VARIANT] [--trace]

        Prints every seed that broke a law; stops at the first unless --all. Exit 1 when one did. --weather runs the
        other class of seeds, that of `fsdns simulate`; --upgrade storms over clusters of two releases. --sabotage breaks a law of the world, which must be noticed: \
        \(Sabotage.allCases.map(\.rawValue).joined(separator: ", ")). Themes: \
        \(StormTheme.allCases.map(\.rawValue).joined(separator: ", ")). Schedules: \
        \(Directed.allCases.map(\.rawValue).joined(separator: ", ")).
        """

    private var first: UInt64 = 0
    private var count: UInt64 = 100
    private var theme: StormTheme?
    private var findsAll = false
    private var isWeather = false
    private var isUpgrade = false
    private var single: UInt64?
    private var directed: [Directed] = []
    private var sabotage = Sabotage.none
    private var showsTrace = false

    static func main() {
        var tool = StormTool()
        guard tool.read(CommandLine.arguments.dropFirst()) else {
            print(usage)
            exit(2)
        }
        exit(tool.run() ? 0 : 1)
    }

    private mutating func read(_ arguments: ArraySlice<String>) -> Bool {
        var rest = arguments
        while let word = rest.popFirst() {
            switch word {
            case "--all": findsAll = true
            case "--weather": isWeather = true
            case "--upgrade": isUpgrade = true
            case "--trace": showsTrace = true
            case "--directed":
                guard let name = rest.first, !name.hasPrefix("--") else {
                    directed = Directed.allCases
                    continue
                }
                guard let one = Directed(rawValue: rest.removeFirst()) else { return false }
                directed = [one]
            case "--first", "--seeds", "--seed":
                guard let number = rest.popFirst().flatMap({ UInt64($0) }), number < 1 << 40 else {
                    return false
                }
                switch word {
                case "--first": first = number
                case "--seeds": count = number
                default: single = number
                }
            case "--sabotage":
                guard let sabotage = rest.popFirst().flatMap({ Sabotage(rawValue: $0) }) else { return false }
                self.sabotage = sabotage
            case "--theme":
                guard let theme = rest.popFirst().flatMap({ StormTheme(rawValue: $0) }) else { return false }
                self.theme = theme
            default: return false
            }
        }
        return true
    }

    private func outcome(_ seed: UInt64) -> Simulation.Outcome {
        if isUpgrade { return Simulation.upgrade(seed: seed, trace: showsTrace) }
        return isWeather
            ? Simulation.replay(seed: seed, trace: showsTrace, sabotage: sabotage)
            : Simulation.storm(seed: seed, trace: showsTrace, sabotage: sabotage)
    }

    /// - Returns: whether no law was broken.
    private func run() -> Bool {
        if !directed.isEmpty { return runDirected() }
        if let single {
            let outcome = outcome(single)
            for line in outcome.trace.lines { print(line) }
            tell(outcome)
            return outcome.violation == nil
        }
        var runs = 0
        var broken = 0
        var steps = 0
        var takeovers = 0
        for seed in first..<first + count {
            if let theme, !isWeather, Simulation.theme(of: seed) != theme { continue }
            let outcome = outcome(seed)
            runs += 1
            steps += outcome.steps
            takeovers += outcome.takeovers
            guard outcome.violation != nil else { continue }
            broken += 1
            tell(outcome)
            if !findsAll { break }
        }
        print("\(runs) seeds, \(broken) broke a law; \(steps) steps, \(takeovers) takeovers")
        return broken == 0
    }

    /// Every schedule in sixteen variants, or one variant of one.
    private func runDirected() -> Bool {
        var isClean = true
        for directed in directed {
            var played = 0
            var broken: [String] = []
            for variant in single.map({ $0...$0 }) ?? 1...16 {
                guard let outcome = directed.run(variant: variant, trace: showsTrace) else { continue }
                played += 1
                for line in outcome.trace.lines { print(line) }
                if let violation = outcome.violation { broken.append("variant \(variant): \(violation)") }
            }
            print("\(directed.rawValue) (\(directed.fault)): \(broken.count) of \(played) broke a law")
            if let first = broken.first { print("  \(first)") }
            if !broken.isEmpty { isClean = false }
        }
        return isClean
    }

    private func tell(_ outcome: Simulation.Outcome) {
        let theme = isWeather ? "weather" : Simulation.theme(of: outcome.seed).rawValue
        let text = outcome.violation.map { "\($0)" } ?? "no law broken"
        print("seed \(outcome.seed) (\(theme)): \(text)")
    }
}
