import EventSocket
import Primitives
import Switch

/// A switch with a recovery table and the pitfalls of the real one, and the doer that serves a recovery run.
struct PretendSwitch {
    struct Weather {
        /// Out of 100.
        var lostEvents = 0
        var lostAnswers = 0
        var failedStages = 0
        /// Legs the switch drops without a word.
        var dropped = 0
        /// Revived legs whose peer refuses.
        var refused = 0
        /// Revived legs whose peer says nothing.
        var silent = 0
        /// A restart before each thing done.
        var restarts = 0
    }

    var core = "slave-1"
    var state = "RUNNING (0)"
    var isPaused = false
    /// Their states by uuid.
    var channels: [String: String] = [:]
    var rows: [RecoveryRow] = []
    var weather = Weather()
    /// What happened, in words.
    private(set) var log: [String] = []
    /// uuids that were staged while the switch had them: must stay empty.
    private(set) var stagedTwice: [String] = []
    private(set) var killed: [String] = []
    private var lives = 1
    private var chance: SeededGenerator

    init(seed: UInt64 = 1) { chance = SeededGenerator(seed: seed) }

    var local: LocalSwitch {
        LocalSwitch(
            coreUUID: core, profiles: [SofiaProfile(name: "svcA", state: state)], isPaused: isPaused,
            channels: Set(channels.keys))
    }

    private mutating func happens(_ percent: Int) -> Bool {
        percent > 0 && Int.random(in: 0..<100, using: &chance) < percent
    }

    /// It did not end within an hour.
    struct Endless: Error {}

    /// Carries a run to its end.
    mutating func carry(_ run: inout RecoveryRun, from start: Instant = .zero) throws -> RecoverySummary {
        var now = start
        var inputs: [RecoveryRun.Input] = [.local(local)]
        while now - start < .seconds(3600) {
            let input: RecoveryRun.Input
            if inputs.isEmpty {
                guard let deadline = run.nextDeadline else { throw Endless() }
                now = max(now, deadline)
                input = .tick
            } else {
                input = inputs.removeFirst()
                now += .milliseconds(5)
            }
            let life = core
            for effect in run.handle(input, at: now) {
                if case .finished(let summary) = effect { return summary }
                if happens(weather.restarts) { inputs += restart() }
                // A command goes to the process it was meant for, rows go into the file whoever runs.
                if case .command = effect, core != life { continue }
                inputs += perform(effect)
            }
        }
        throw Endless()
    }

    mutating func restart() -> [RecoveryRun.Input] {
        lives += 1
        core = "slave-\(lives)"
        channels = [:]
        log.append("restart")
        return [.local(local)]
    }

    private mutating func perform(_ effect: RecoveryRun.Effect) -> [RecoveryRun.Input] {
        switch effect {
        case .stage(let stage):
            if happens(weather.failedStages) {
                return [.staged(stage.number, failure: "the database is locked")]
            }
            rows.removeAll { $0.profileName == stage.profile && $0.runtimeUUID != stage.runtime }
            rows += stage.rows
            stagedTwice += stage.rows.map(\.uuid).filter { channels[$0] != nil }
            log.append("stage " + stage.rows.map(\.uuid).joined(separator: " "))
            return [.staged(stage.number, failure: nil)]
        case .command(let number, let text, _):
            if !text.hasPrefix("uuid_getvar ") { log.append(text) }
            var inputs: [RecoveryRun.Input] = []
            let answer = answer(text, &inputs)
            inputs.append(.answered(number, happens(weather.lostAnswers) ? nil : Array(answer.utf8)))
            return inputs
        case .inspect: return happens(weather.lostAnswers) ? [] : [.local(local)]
        case .report, .finished: return []
        }
    }

    private mutating func answer(_ command: String, _ inputs: inout [RecoveryRun.Input]) -> String {
        if command.hasPrefix("uuid_kill ") {
            let uuid = String(command.dropFirst(10))
            killed.append(uuid)
            return channels.removeValue(forKey: uuid) == nil ? "-ERR No such channel!\n" : "+OK\n"
        }
        if command == ChannelListing.command {
            let rows = channels.keys.sorted().map { "{\"uuid\":\"\($0)\",\"state\":\"\(channels[$0]!)\"}" }
            return "{\"row_count\":\(rows.count),\"rows\":[\(rows.joined(separator: ","))]}"
        }
        if command.hasPrefix("uuid_getvar ") {
            let uuid = String(command.dropFirst(12).prefix { $0 != " " })
            if channels[uuid] == nil { return "-ERR No such channel!\n" }
            return happens(weather.silent) ? "_undef_" : "123073903"
        }
        if !state.hasPrefix("RUNNING") { return "Invalid Profile [svcA]\n" }
        let selected = rows.filter { $0.runtimeUUID != core && $0.profileName == "svcA" }
        rows.removeAll { row in selected.contains { $0.uuid == row.uuid } }
        if selected.isEmpty { return "No sessions to recover.\n" }
        for row in selected where channels[row.uuid] == nil && !happens(weather.dropped) {
            channels[row.uuid] = "CS_EXECUTE"
            if !happens(weather.lostEvents) { inputs.append(.event(event("CHANNEL_CREATE", row.uuid))) }
        }
        for row in selected where channels[row.uuid] != nil {
            let partner = (try? RecoveryMetadata(reading: row))?.leg.partner
            if let partner, channels[partner] == nil { channels[row.uuid] = "CS_RESET" }
            if happens(weather.refused) {
                channels[row.uuid] = nil
                inputs.append(.event(event("CHANNEL_HANGUP_COMPLETE", row.uuid, "CALL_REJECTED")))
            }
        }
        return "Recovered \(selected.count) session(s)\n"
    }

    func event(_ name: String, _ uuid: String, _ cause: String = "") -> SwitchEvent {
        SwitchEvent(
            headers: Headers([
                .init("Event-Name", name), .init("Core-UUID", core), .init("Unique-ID", uuid),
                .init("Hangup-Cause", cause),
            ]))
    }
}
