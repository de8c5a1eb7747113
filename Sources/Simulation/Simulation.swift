/// Runs worlds: a seed draws a cluster, lets it form, storms over it, and sees what it comes to in calm.
package enum Simulation {
    package struct Outcome: Sendable {
        package var seed: UInt64
        /// What went wrong first; nil when nothing did.
        package var violation: Violation?
        /// Empty unless asked for.
        package var trace: Trace
        /// Virtual time that passed.
        package var lasted: Duration
        /// Frames, ticks and answers the nodes handled.
        package var steps: Int
        /// Automatic takeovers that were agreed on.
        package var takeovers: Int
        /// From power loss in calm weather until the address was on another machine.
        package var takeover: Duration?
        /// Runs of playbooks that ended, and programs executed for them.
        package var runs: Int
        package var executions: Int
        package var isStorm = false

        /// The command that shows what happened.
        package var replay: String { "fsdns simulate \(isStorm ? "--storm " : "")--seed \(seed) --trace" }
    }

    package struct Sweep: Sendable {
        package var runs = 0
        package var steps = 0
        package var takeovers = 0
        package var playbookRuns = 0
        package var executions = 0
        package var lasted = Duration.zero
        /// Sorted.
        package var takeoverTimes: [Duration] = []
        /// The first seed that went wrong.
        package var failure: Outcome?

        package init() {}
    }

    /// Runs each seed until one goes wrong.
    package static func sweep(
        seeds: some Sequence<UInt64>, sabotage: Sabotage = .none, areStorms: Bool = false
    ) -> Sweep {
        var sweep = Sweep()
        for seed in seeds {
            let outcome =
                areStorms
                ? storm(seed: seed, trace: false, sabotage: sabotage)
                : replay(seed: seed, trace: false, sabotage: sabotage)
            sweep.runs += 1
            sweep.steps += outcome.steps
            sweep.takeovers += outcome.takeovers
            sweep.playbookRuns += outcome.runs
            sweep.executions += outcome.executions
            sweep.lasted += outcome.lasted
            if let time = outcome.takeover { sweep.takeoverTimes.append(time) }
            if outcome.violation != nil {
                sweep.failure = outcome
                break
            }
        }
        sweep.takeoverTimes.sort()
        return sweep
    }

    /// Runs one seed; the same seed gives the same trace in every process.
    package static func replay(seed: UInt64, trace: Bool, sabotage: Sabotage = .none) -> Outcome {
        var chance = Chance(seed: seed &+ 0x5EED)
        let blueprint = Blueprint.draw(using: &chance.workload, sabotage: sabotage)
        var world = World(blueprint, seed: seed, keepsTrace: trace)
        world.weather = Weather.draw(using: &chance.weather)
        // The ages matter only where a leader may misjudge a silence: when many heartbeats are lost.
        if sabotage == .inflatedAges { world.weather[.loss] = .common }
        for machine in world.machines.indices {
            world.planBoot(machine, after: chance.machines.draw(0...300) * millisecond)
        }
        if chance.weather.happens(perMille: 800) { world.awaitRest() }
        world.beginStorm()
        if chance.playbooks.happens(perMille: 600) { world.beginPlaybooks() }
        if chance.files.happens(perMille: 300) { world.planRoll() }
        world.run(for: .milliseconds(chance.weather.draw(6000...12_000)))
        // Without a disk, or before everybody met once, no node can be missed for good.
        let mayLoseOne = !world.hasLostADisk && world.judge.formedAt != nil
        if mayLoseOne, chance.weather.happens(perMille: 300) {
            let machine = chance.weather.draw(0...(world.machines.count - 1))
            world.machines[machine].staysDown = true
            world.crash(machine, restartAfter: nil)
        }
        world.endStorm()
        world.awaitRest()
        world.finishRoll()
        world.awaitRest()
        var takeover: Duration?
        if world.violation == nil { world.stayQuiet(for: .milliseconds(500)) }
        if world.violation == nil {
            world.cutOneService()
            if world.violation == nil { world.awaitRest() }
        }
        let isWhole = !world.machines.contains { $0.staysDown }
        if world.violation == nil, isWhole || world.machines.count > 3 {
            takeover = world.loseOneMaster()
            world.run(for: .seconds(1))
        }
        return Outcome(
            seed: seed, violation: world.violation, trace: world.trace, lasted: world.now - .zero,
            steps: world.steps, takeovers: world.judge.takeoverCount, takeover: takeover,
            runs: world.judge.playbooks.finished, executions: world.judge.playbooks.executions)
    }
}
