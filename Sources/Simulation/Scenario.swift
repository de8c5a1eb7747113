import Cluster

/// A story about a cluster, told in verbs: first its claim, then what is done and expected, then what happened.
///
/// ```
/// # A dead master is replaced.
/// nodes fs1 fs2 fs3
/// seats 2
/// rest
/// crash fs1
/// rest
/// expect holder master1 fs3
/// ----
///    512.345ms fs3: + 10.0.0.11 @2.9
/// ```
package struct Scenario: Sendable {
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        package var line: Int
        package var text: String
        package var description: String { "line \(line): \(text)" }
    }

    /// One verb and its words.
    struct Act: Hashable, Sendable {
        var line: Int
        var words: [String]
    }

    /// Everything above the line of dashes, as it was read.
    package let head: String
    /// What is expected to have happened, one line each.
    package let expected: [String]
    let acts: [Act]

    package init(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let end = lines.firstIndex(of: "----") ?? lines.count
        head = lines[..<end].joined(separator: "\n")
        expected = lines[min(end + 1, lines.count)...].filter { !$0.isEmpty }
        acts = lines[..<end].enumerated().compactMap { number, line in
            let words = line.split(separator: " ").map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { return nil }
            return Act(line: number + 1, words: words)
        }
    }

    /// The story with what happened under it.
    package func rewritten(_ happened: [String]) -> String {
        ([head, "----"] + happened).joined(separator: "\n") + "\n"
    }

    /// Plays the story; returns what happened.
    ///
    /// - Parameter sabotage: a law of the world that does not hold in it.
    package func play(sabotage: Sabotage = .none) throws(Failure) -> [String] {
        var stage = Stage()
        stage.sabotage = sabotage
        for act in acts { try stage.play(act) }
        return stage.happened
    }
}

/// Where a scenario is played: first the cast is named, then the world runs.
struct Stage {
    private var names: [String] = []
    private var witnesses: [String] = []
    private var seats = 1
    private var timing = Timing(discovery: .milliseconds(300))
    private var takeoversPerHour = 20
    private var secondaries = 0
    private var oddNodes: [String] = []
    private var formerWriter: String?
    private var copied: String?
    /// Machines whose program is from before there was a second format.
    private var oldNodes: [String] = []
    private var cuts: [Cut] = []
    var sabotage = Sabotage.none
    var world: World?

    var happened: [String] {
        world?.trace.lines.filter { line in !line.contains(": node-heard ") } ?? []
    }

    mutating func play(_ act: Scenario.Act) throws(Scenario.Failure) {
        if world == nil {
            if try cast(act) { return }
            begin()
        }
        guard var world else { return }
        self.world = nil
        defer { self.world = world }
        if act.words[0] == "expect" {
            if let objection = try world.objection(to: act) {
                throw Scenario.Failure(line: act.line, text: objection)
            }
        } else {
            try world.play(act, &cuts)
        }
        if let violation = world.violation {
            throw Scenario.Failure(line: act.line, text: "\(violation)")
        }
    }

    /// Whether the act was about the cast.
    private mutating func cast(_ act: Scenario.Act) throws(Scenario.Failure) -> Bool {
        let rest = Array(act.words.dropFirst())
        switch act.words[0] {
        case "nodes": names = rest
        case "witness": witnesses = rest
        case "seats": seats = try act.number(1)
        case "takeovers": takeoversPerHour = try act.number(1)
        case "secondaries": secondaries = try act.number(1)
        case "differs": oddNodes = rest
        case "zone-of": formerWriter = try act.word(1)
        case "release-before": oldNodes = rest
        case "copies": copied = try act.word(1)
        default: return false
        }
        return true
    }

    private mutating func begin() {
        var machines = names.map { Blueprint.MachinePlan(name: $0) }
        machines += witnesses.map { Blueprint.MachinePlan(name: $0, kind: .witness) }
        let settings = Blueprint.settings(
            machines: machines, seats: seats, timing: timing, takeoversPerHour: takeoversPerHour,
            secondaries: secondaries)
        for i in machines.indices where oddNodes.contains(machines[i].name) {
            var other = settings
            other.version += 1
            machines[i].settings = other
        }
        for i in machines.indices where oldNodes.contains(machines[i].name) {
            machines[i].release = .unannounced
        }
        var blueprint = Blueprint(machines: machines, settings: settings)
        blueprint.formerWriter = formerWriter
        blueprint.sabotage = sabotage
        if let copied, var copy = machines.first(where: { $0.name == copied }) {
            copy.isCopy = true
            blueprint.machines.append(copy)
        }
        var world = World(blueprint, seed: 1, keepsTrace: true)
        for machine in world.machines.indices where !world.machines[machine].isCopy {
            world.planBoot(machine, after: Int64(machine) * 3 * millisecond)
        }
        self.world = world
    }
}

extension Scenario.Act {
    func word(_ place: Int) throws(Scenario.Failure) -> String {
        guard place < words.count else {
            throw Scenario.Failure(line: line, text: "\(words[0]) wants more words")
        }
        return words[place]
    }

    func number(_ place: Int) throws(Scenario.Failure) -> Int {
        guard let number = Int(try word(place)) else {
            throw Scenario.Failure(line: line, text: "\"\(words[place])\" is no number")
        }
        return number
    }

    /// `250ms` or `3s`.
    func nanoseconds(_ place: Int) throws(Scenario.Failure) -> Int64 {
        try nanoseconds(in: try word(place))
    }

    func nanoseconds(in word: String) throws(Scenario.Failure) -> Int64 {
        if word.hasSuffix("ms"), let number = Int64(word.dropLast(2)) { return number * millisecond }
        if word.hasSuffix("s"), let number = Int64(word.dropLast()) { return number * 1000 * millisecond }
        throw Scenario.Failure(line: line, text: "\"\(word)\" is no duration such as 250ms or 3s")
    }
}
