import Cluster
import Consensus

// Machines of two releases in one cluster, and how one takes the other's place.

extension World {
    /// Between two looks of systemd at a service that does not start.
    private static let startsAgain = 1000 * millisecond
    /// How long after all read a format it must be agreed on, in calm.
    static let raiseBound: Duration = .seconds(20)

    // MARK: - What a release cannot read

    /// The oldest format whose reader knows all that this message carries.
    static func format(of message: PeerMessage) -> Int {
        guard case .consensus(let message, _) = message else { return FormatVersion.oldest }
        switch message.body {
        case .append(_, let entries, _): return format(of: entries)
        case .snapshot(let snapshot): return snapshot.state.format
        default: return FormatVersion.oldest
        }
    }

    private static func format(of entries: [ControlEntry]) -> Int {
        entries.map { entry in
            if case .command(let stamped) = entry.payload {
                stamped.command.format
            } else {
                FormatVersion.oldest
            }
        }.max() ?? FormatVersion.oldest
    }

    /// A release from before does not read the frame, and ends the link; whether it was so.
    mutating func endsUnread(_ message: PeerMessage, over link: Link) -> Bool {
        guard let reader = machines[link.to].service?.node,
            Self.format(of: message) > reader.release.formats.upperBound
        else { return false }
        trace.add(now, reader.name, "cannot read what \(machines[link.from].name) sends: the link ends")
        if judge.newestState?.isActive(reader.me) == true {
            judge.object(
                now, .formats, "\(reader.me) is a member and meets format \(Self.format(of: message))")
        }
        disconnect(link)
        return true
    }

    /// A release from before does not start with what a later one wrote, and changes nothing; whether it is so.
    mutating func refusesDisk(_ machine: Int) -> Bool {
        let restored = machines[machine].disk.restored
        let format = max(
            restored.snapshot?.state.format ?? FormatVersion.oldest, Self.format(of: restored.entries))
        guard format > machines[machine].release.formats.upperBound else { return false }
        if !machines[machine].hasRefused {
            trace.add(
                now, machines[machine].name, "does not start: its state was written by a later release")
        }
        machines[machine].hasRefused = true
        planBoot(machine, after: Self.startsAgain)
        return true
    }

    /// Nobody has what it cannot read, however it came there.
    mutating func judgeFormat(of machine: Int, _ state: ControlState) {
        guard let node = machines[machine].service?.node, state.format > node.release.formats.upperBound
        else { return }
        judge.object(now, .formats, "\(node.me) has an agreed state of format \(state.format)")
    }

    // MARK: - Upgrades

    /// Another program lies there; what runs goes on with the one it has.
    mutating func install(_ release: ReleaseInfo, on machine: Int) {
        guard machines[machine].release != release else { return }
        let isNewer = release.formats.upperBound > machines[machine].release.formats.upperBound
        trace.add(now, machines[machine].name, "gets the \(isNewer ? "later" : "earlier") release")
        machines[machine].release = release
        machines[machine].hasRefused = false
    }

    /// Whether what runs there is another release than what lies there.
    private func runsFormerRelease(_ machine: Int) -> Bool {
        machines[machine].service.map { $0.node.release != machines[machine].release } ?? false
    }

    /// Somebody upgrades a machine in the storm, or takes a step back, and restarts it gently or not.
    mutating func upgradeGoesOn() {
        guard isStormy, let span = storm?.span else { return }
        let machine = Int(drawInStorm(0...Int64(machines.count - 1)))
        let isOld = machines[machine].release == .unannounced
        let mayGoBack = judge.newestState.map { $0.format == FormatVersion.oldest } ?? true
        if isOld || (mayGoBack && happensInStorm(perMille: 300)) {
            install(isOld ? .current : .unannounced, on: machine)
            switch drawInStorm(0...3) {
            case 0: kill(machine, restartAfter: drawSpanInStorm(2 * millisecond...span))
            case 1: crash(machine, restartAfter: drawSpanInStorm(2 * millisecond...span * 4))
            default: shutDown(machine)
            }
        }
        agenda.add(.upgradeGoesOn, at: now.after(nanoseconds: drawSpanInStorm(span...span * 12)))
    }

    /// In calm the upgrade is done to its end: first those that are shut out already, then one node after another.
    mutating func finishUpgrade() {
        let agreed = judge.newestState?.format ?? FormatVersion.oldest
        let isShutOut = { (machine: Machine) in machine.release.formats.upperBound < agreed }
        for machine in machines.indices where isShutOut(machines[machine]) { upgrade(machine) }
        awaitRest()
        for machine in machines.indices where violation == nil && !machines[machine].isCopy {
            upgrade(machine)
            awaitRest()
        }
        let end = now + Self.raiseBound
        while violation == nil, judge.newestState?.format != FormatVersion.newest {
            guard now < end else {
                judge.object(
                    now, .formats, "every node reads format \(FormatVersion.newest), which is not agreed on")
                return
            }
            run(for: .milliseconds(25))
        }
        awaitRest()
    }

    private mutating func upgrade(_ machine: Int) {
        install(.current, on: machine)
        guard runsFormerRelease(machine) else { return }
        shutDown(machine)
        let end = now + .seconds(8)
        while violation == nil, now < end, runsFormerRelease(machine) { run(for: .milliseconds(25)) }
    }
}

extension Simulation {
    /// Storms over a cluster of the release before, while somebody upgrades it; the seeds are those of other storms.
    package static func upgrade(seed: UInt64, trace: Bool) -> Outcome {
        // Copies that are taken in and vanish may be most of the voters: nothing that a release could mend.
        let theme = theme(of: seed) == .copies ? .everything : theme(of: seed)
        var drawing = Storm(theme: theme, seed: seed &+ 0x0F64, span: 1, machines: 1).chance
        var blueprint = Blueprint.drawForStorm(theme, using: &drawing)
        for place in blueprint.machines.indices where drawing.happens(perMille: 800) {
            blueprint.machines[place].release = .unannounced
        }
        var world = World(blueprint, seed: seed, keepsTrace: trace)
        world.weather = Weather.drawForStorm(theme, using: &drawing)
        for machine in world.machines.indices where !world.machines[machine].isCopy {
            world.planBoot(machine, after: drawing.draw(0...200) * millisecond)
        }
        world.awaitRest()
        let span = max(blueprint.settings.timing.deadAfter.nanoseconds, 100 * millisecond)
        world.begin(Storm(theme: theme, seed: seed, span: span, machines: world.machines.count))
        world.agenda.add(.upgradeGoesOn, at: world.now.after(nanoseconds: span))
        world.run(for: .nanoseconds(span * drawing.draw(30...90)))
        world.endStorm()
        world.finishUpgrade()
        return world.judged(after: seed)
    }
}
