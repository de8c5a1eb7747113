import Primitives

/// The end of those calls on one address that no other switch could revive, before the address goes elsewhere by plan.
///
/// What looks hopeless may only be in between two states, so it is looked at twice, and the switch is asked in between.
/// Then it is hung up, some legs at a time, once more what came meanwhile, and the address is free to go.
package struct PartingCalls: Hashable, Sendable {
    package struct Settings: Hashable, Sendable {
        /// Between the first look and the second.
        package var grace: Duration = .milliseconds(300)
        /// Between two batches, and two looks at whether those told have ended.
        package var interval: Duration = .milliseconds(50)
        /// Legs of one batch.
        package var batch = 20
        /// After the last channel is gone: its BYE leaves by another thread of the switch.
        package var lag: Duration = .milliseconds(30)
        /// How often what came meanwhile is hung up too.
        package var rounds = 2

        package init() {}
    }

    package enum Step: Hashable, Sendable {
        /// Ask the switch about these legs, and look again when `due` says.
        case ask([String])
        case hangUp([String])
        case wait
        /// The address may go.
        case done
    }

    private enum Phase: Hashable, Sendable {
        case new
        case doubting(Set<String>, until: Instant)
        case ending(waiting: [String], told: Set<String>, round: Int)
        case lingering(until: Instant)
        case done
    }

    private let settings: Settings
    private var phase = Phase.new
    /// When to look again; nil when there is no need.
    package private(set) var due: Instant?
    /// Legs that were hung up.
    package private(set) var ended: Set<String> = []

    package var isDone: Bool { phase == .done }

    package init(settings: Settings = Settings()) { self.settings = settings }

    /// - Parameters:
    ///   - findHopeless: legs that no other switch could revive, as of now; takes a while with many calls.
    ///   - isThere: whether the switch has a leg still.
    package mutating func look(
        findHopeless: () -> [String], isThere: (String) -> Bool, at now: Instant
    ) -> Step {
        switch phase {
        case .new:
            let hopeless = findHopeless()
            if hopeless.isEmpty { return finish() }
            phase = .doubting(Set(hopeless), until: now + settings.grace)
            due = now + settings.grace
            return .ask(hopeless)
        case .doubting(let doubted, let until):
            guard now >= until else { return .wait }
            let lost = findHopeless().filter(doubted.contains)
            if lost.isEmpty { return finish() }
            phase = .ending(waiting: lost, told: [], round: 1)
            return hangUpNext(at: now)
        case .ending(let waiting, let told, let round):
            let rest = waiting.filter(isThere)
            let unfinished = told.filter(isThere)
            phase = .ending(waiting: rest, told: unfinished, round: round)
            if !rest.isEmpty { return hangUpNext(at: now) }
            guard unfinished.isEmpty else {
                due = now + settings.interval
                return .wait
            }
            let late = round < settings.rounds ? findHopeless().filter { !ended.contains($0) } : []
            if !late.isEmpty {
                phase = .ending(waiting: late, told: [], round: round + 1)
                return hangUpNext(at: now)
            }
            phase = .lingering(until: now + settings.lag)
            due = now + settings.lag
            return .wait
        case .lingering(let until): return now >= until ? finish() : .wait
        case .done: return .done
        }
    }

    private mutating func hangUpNext(at now: Instant) -> Step {
        guard case .ending(let waiting, let told, let round) = phase else { return .wait }
        let batch = Array(waiting.prefix(settings.batch))
        ended.formUnion(batch)
        phase = .ending(
            waiting: Array(waiting.dropFirst(batch.count)), told: told.union(batch), round: round)
        due = now + settings.interval
        return .hangUp(batch)
    }

    private mutating func finish() -> Step {
        phase = .done
        due = nil
        return .done
    }
}
