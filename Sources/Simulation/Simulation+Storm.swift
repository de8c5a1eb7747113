import Primitives

extension Simulation {
    /// The themes follow each other from seed to seed.
    package static func theme(of seed: UInt64) -> StormTheme {
        StormTheme.allCases[Int(seed % UInt64(StormTheme.allCases.count))]
    }

    /// Runs one seed of storms: another class than the weather, with numbers of its own.
    package static func storm(seed: UInt64, trace: Bool, sabotage: Sabotage = .none) -> Outcome {
        let theme = theme(of: seed)
        var drawing = Storm(theme: theme, seed: seed &+ 0x570A, span: 1, machines: 1).chance
        var blueprint = Blueprint.drawForStorm(theme, using: &drawing)
        blueprint.sabotage = sabotage
        var world = World(blueprint, seed: seed, keepsTrace: trace)
        world.weather = Weather.drawForStorm(theme, using: &drawing)
        for machine in world.machines.indices where !world.machines[machine].isCopy {
            world.planBoot(machine, after: drawing.draw(0...200) * millisecond)
        }
        world.awaitRest()
        let span = blueprint.settings.timing.deadAfter.nanoseconds
        world.begin(
            Storm(
                theme: theme, seed: seed, span: max(span, 100 * millisecond), machines: world.machines.count))
        world.run(for: .nanoseconds(max(span, 100 * millisecond) * drawing.draw(30...45)))
        return world.judged(after: seed)
    }
}

extension World {
    /// The storm ends; what must follow, follows.
    mutating func judged(after seed: UInt64) -> Simulation.Outcome {
        if isStormy { endStorm() }
        if violation == nil { awaitRest() }
        if violation == nil { stayQuiet(for: .milliseconds(500)) }
        if violation == nil { stayIdle(for: .seconds(2)) }
        let takeover = violation == nil ? loseOneMaster() : nil
        if violation == nil { run(for: .seconds(1)) }
        return Simulation.Outcome(
            seed: seed, violation: violation, trace: trace, lasted: now - .zero, steps: steps,
            takeovers: judge.takeoverCount, takeover: takeover, runs: 0, executions: 0, isStorm: true)
    }
}

extension Weather {
    /// Weather that leaves the storm to be seen.
    static func drawForStorm(_ theme: StormTheme, using chance: inout SeededGenerator) -> Weather {
        if theme == .everything, chance.happens(perMille: 500) {
            var weather = draw(using: &chance)
            for fault in Fault.allCases where weather[fault] == .common { weather[fault] = .rare }
            weather[.diskLoss] = .off
            return weather
        }
        var weather = calm
        for fault in [Fault.loss, .duplication, .reordering, .distance] where chance.happens(perMille: 250) {
            weather[fault] = .rare
        }
        return weather
    }
}
