import Cluster
import Primitives

/// What would become of a cluster as it stands, if an operator drained something or machines failed: the same nodes
/// decide it on pretended machines.
package struct WhatIf: Sendable {
    package struct Site: Hashable, Sendable {
        package enum Standing: Hashable, Sendable {
            case serving, maintenance, failed
        }
        package var name: String
        package var kind: NodeRule.Kind
        package var health: SwitchReport.Health
        package var standing: Standing
        package var calls: Int

        package init(
            name: String, kind: NodeRule.Kind, health: SwitchReport.Health, standing: Standing, calls: Int
        ) {
            self.name = name
            self.kind = kind
            self.health = health
            self.standing = standing
            self.calls = calls
        }
    }

    package enum Question: Hashable, Sendable {
        case drain(DrainRequest)
        /// All of them at once.
        case fail([String])
    }

    package struct Happening: Hashable, Sendable {
        /// Since the question was asked or the machines failed.
        package var after: Duration
        package var machine: String
        package var text: String
    }

    package struct SeatEnd: Hashable, Sendable {
        package var name: String
        package var address: IPAddress?
        package var before: String?
        package var holder: String?
        /// Until its next holder had the address; nil when it stayed, or none has.
        package var silence: Duration?
    }

    package struct Outcome: Sendable {
        /// Why the cluster would not even begin; nothing else is told then.
        package var refusals: [String] = []
        package var plan: [String] = []
        package var story: [Happening] = []
        package var seats: [SeatEnd] = []
        package var slaves: [String] = []
        package var maintenance: [String] = []
        package var published: [IPAddress] = []
        /// What keeps the cluster from being at rest in the end.
        package var unrest: String?
        /// Where the pretended cluster could not be brought to stand as the real one does.
        package var differences: [String] = []
        /// A law that was broken: a fault of ours.
        package var violation: String?
    }

    /// Each seat's address is the one it has now, and its preferred node the one that holds it.
    package var settings: ClusterSettings
    package var sites: [Site]
    /// In the order in which they would take over.
    package var slaves: [String]

    /// No story of a drain is followed for longer.
    private static let longest: Duration = .seconds(3600)
    private static let who = "ops@console"

    package init(settings: ClusterSettings, sites: [Site], slaves: [String]) {
        self.settings = settings
        self.sites = sites
        self.slaves = slaves
    }

    package func ask(_ question: Question) -> Outcome {
        var outcome = Outcome()
        var world = stage()
        outcome.differences = differences(world)
        guard world.violation == nil else {
            outcome.violation = world.violation.map { "\($0)" }
            return outcome
        }
        let before = holders(world)
        let mark = world.trace.lines.count
        let began = world.now
        switch question {
        case .drain(let request):
            world.ask(.drain(request), of: world.firstAwake)
            let left = request.deadline.map { min($0, Self.longest) } ?? .zero
            outcome.unrest = followDrain(&world, until: began + left + settle)
        case .fail(let names):
            for machine in names.compactMap(world.index) {
                world.machines[machine].staysDown = true
                world.crash(machine, restartAfter: nil)
            }
            world.run(for: .milliseconds(60))
            outcome.unrest = world.rest(until: began + settle)
        }
        let lines = world.trace.lines[mark...].compactMap { TraceLine($0) }
        tell(lines, since: began, in: &outcome)
        describe(world, before: before, lines, since: began, in: &outcome)
        return outcome
    }

    /// Long enough for elections, takeovers and records to be forgotten.
    private var settle: Duration { .seconds(20) + (settings.dns?.ttl ?? .zero) * 3 }

    // MARK: - The cluster as it stands

    private func stage() -> World {
        let plans = sites.map { Blueprint.MachinePlan(name: $0.name, kind: $0.kind, health: $0.health) }
        var world = World(Blueprint(machines: plans, settings: settings), seed: 1, keepsTrace: true)
        for address in settings.addresses { world.calls.setSteady(address.name, calls: 0) }
        for machine in world.machines.indices {
            world.planBoot(machine, after: Int64(machine) * 3 * millisecond)
        }
        world.awaitRest()
        for site in sites where site.standing == .maintenance { takeOut(site.name, &world) }
        for (machine, site) in sites.enumerated() where site.standing == .failed {
            world.machines[machine].staysDown = true
            world.crash(machine, restartAfter: nil)
            world.run(for: .milliseconds(60))
            _ = world.rest(until: world.now + settle)
        }
        orderSlaves(&world)
        for seat in settings.seats {
            let holder = sites.first { $0.name == seat.prefer }
            if let holder, holder.calls > 0 { world.calls.setSteady(seat.address, calls: holder.calls) }
        }
        // Every switch tells its calls.
        world.run(for: .seconds(1))
        return world
    }

    /// A node without a seat cannot be drained by hand; a run of a playbook takes it out all the same.
    private func takeOut(_ node: String, _ world: inout World) {
        var playbook = Playbook(
            name: "out", summary: "",
            steps: [
                PlaybookStep(
                    line: 1, action: .drain(target: node, deadline: nil, onDeadline: .wait, reason: ""),
                    timeout: .seconds(60))
            ], rollsBack: false)
        playbook.aborts = PlaybookAborts(slavesBelow: nil, onNodeFailure: false, onThinQuorum: false)
        world.useCalendar()
        world.usesPlaybooks = true
        let request = PlaybookRequest.run(playbook, who: Self.who, dryRun: false, ignoresWindow: true)
        world.ask(.playbook(request), of: world.firstAwake)
        world.run(for: .milliseconds(60))
        _ = world.rest(until: world.now + settle)
    }

    /// The list is by the time of joining: whoever comes back joins last.
    private func orderSlaves(_ world: inout World) {
        guard world.judge.newestState?.slaves != slaves,
            world.judge.newestState?.slaves.sorted() == slaves.sorted()
        else { return }
        for machine in slaves.compactMap(world.index) {
            world.machines[machine].staysDown = true
            world.crash(machine, restartAfter: nil)
            world.run(for: .milliseconds(60))
            _ = world.rest(until: world.now + settle)
            world.machines[machine].staysDown = false
            world.planBoot(machine, after: millisecond)
            world.run(for: .milliseconds(60))
            _ = world.rest(until: world.now + settle)
        }
    }

    private func differences(_ world: World) -> [String] {
        guard let state = world.judge.newestState else { return ["no cluster was formed"] }
        var texts: [String] = []
        for seat in settings.seats {
            let holders = world.holders(of: state.seat(seat.name)?.address ?? "")
            let site = sites.first { $0.name == seat.prefer && $0.standing == .serving }
            if holders != (site.map { [$0.name] } ?? []) {
                texts.append(
                    "\(seat.name) is with \(holders.first ?? "nobody") instead of \(site?.name ?? "nobody")")
            }
        }
        if state.slaves != slaves {
            texts.append(
                "the slaves are \(state.slaves.joined(separator: ", ")) instead of "
                    + slaves.joined(separator: ", "))
        }
        return texts
    }

    private func holders(_ world: World) -> [String?] {
        settings.seats.map { seat in
            world.holders(of: world.judge.newestState?.seat(seat.name)?.address ?? "").first
        }
    }

    // MARK: - What happens

    /// Calls that are waited for without a deadline end when everything else is done.
    private func followDrain(_ world: inout World, until end: Moment) -> String? {
        world.run(for: .milliseconds(60))
        var reason = world.unrest()
        while let unrest = reason, world.violation == nil {
            guard world.now < end else { return unrest }
            if let drain = world.judge.newestState?.drain, drain.phase == .waitingForCalls,
                drain.deadline == nil, world.calls[drain.oldAddress] > 0
            {
                world.trace.add(
                    world.now, "callers",
                    "all \(world.calls[drain.oldAddress]) calls have ended, in their own time")
                world.calls.setSteady(drain.oldAddress, calls: 0)
            }
            world.run(for: .milliseconds(25))
            reason = world.unrest()
        }
        return nil
    }

    private func tell(_ lines: [TraceLine], since began: Moment, in outcome: inout Outcome) {
        for line in lines {
            if line.machine == "operator" {
                if let text = line.answer("refused") { outcome.refusals = text }
                if let text = line.answer("accepted") { outcome.plan = text }
                continue
            }
            guard let text = line.story else { continue }
            outcome.story.append(
                Happening(
                    after: .nanoseconds(line.microseconds * 1000 - began.nanoseconds), machine: line.machine,
                    text: text))
        }
    }

    private func describe(
        _ world: World, before: [String?], _ lines: [TraceLine], since began: Moment,
        in outcome: inout Outcome
    ) {
        let state = world.judge.newestState
        let after = holders(world)
        for (place, seat) in settings.seats.enumerated() {
            let address = state?.seat(seat.name)?.address ?? seat.address
            let ip = settings.addresses.first { $0.name == address }?.ip
            var end = SeatEnd(name: seat.name, address: ip, before: before[place], holder: after[place])
            if address == seat.address, let ip, let holder = after[place], holder != before[place] {
                let added = lines.first { $0.machine == holder && $0.text.hasPrefix("+ \(ip) ") }
                let lost = lines.last { $0.machine == before[place] && $0.text.hasPrefix("- \(ip) ") }
                let since = lost.map { $0.microseconds * 1000 } ?? began.nanoseconds
                end.silence = added.map { .nanoseconds($0.microseconds * 1000 - since) }
            }
            outcome.seats.append(end)
        }
        outcome.slaves = state?.slaves ?? []
        outcome.maintenance = state?.members.filter { $0.maintenance != nil }.map(\.name) ?? []
        if let servers = world.nameServers, let name = world.blueprint.serviceName {
            outcome.published = NameServers.addresses(in: servers.primary, of: name)
        }
        outcome.violation = world.violation.map { "\($0)" }
    }
}

extension World {
    fileprivate var firstAwake: Int {
        machines.firstIndex { $0.service?.isAsleep == false } ?? 0
    }

    /// Lets time pass until the cluster is at rest; what keeps it from rest at the end, nil when nothing does.
    fileprivate mutating func rest(until end: Moment) -> String? {
        var reason = unrest()
        while let unrest = reason, violation == nil {
            guard now < end else { return unrest }
            run(for: .milliseconds(25))
            reason = self.unrest()
        }
        return nil
    }
}

/// A line of a trace, taken apart again.
private struct TraceLine {
    var microseconds: Int64
    var machine: String
    var text: String

    init?(_ line: String) {
        let parts = line.split(separator: " ", maxSplits: 2)
        guard parts.count == 3, parts[0].hasSuffix("ms"), parts[1].hasSuffix(":") else { return nil }
        let digits = parts[0].dropLast(2).filter { $0 != "." }
        guard let microseconds = Int64(digits) else { return nil }
        self.microseconds = microseconds
        machine = String(parts[1].dropLast())
        text = String(parts[2])
    }

    /// What an operator was told, when it was of that kind.
    func answer(_ kind: String) -> [String]? {
        guard let at = text.firstRange(of: " is answered: \(kind)") else { return nil }
        guard let colon = text[at.upperBound...].firstRange(of: ": ") else { return [] }
        return text[colon.upperBound...].split(separator: "; ").map(String.init)
    }

    /// Without what happens all the time, for people; nil when it is nothing to tell.
    var story: String? {
        if machine == "zone" { return zoneStory }
        let told = [
            "takeover ", "node-fenced ", "seat-", "drain-", "maintenance ", "leader-changed ", "takeover-",
            "loses power", "all ",
        ]
        let isAddress = text.hasPrefix("+ ") || text.hasPrefix("- ")
        guard isAddress || told.contains(where: text.hasPrefix) else { return nil }
        // The epoch at its end is that of a pretended world.
        let end = text.ranges(of: " @").last?.lowerBound ?? text.endIndex
        let plain = String(text[..<end])
        if isAddress { return (plain.hasPrefix("+") ? "has " : "lets go of ") + plain.dropFirst(2) }
        guard let colon = plain.firstRange(of: ": ") else { return plain }
        return String(plain[colon.upperBound...])
    }

    /// Addresses that come and go under any name, each once.
    private var zoneStory: String? {
        guard let colon = text.firstRange(of: ": "), text.hasSuffix(": done") else { return nil }
        var changes: [String] = []
        for word in text[colon.upperBound...].split(separator: " ") {
            let parts = word.drop { $0 == "+" || $0 == "-" }.split(separator: "/")
            guard let sign = word.first, "+-".contains(sign), parts.count == 2 else { continue }
            let value = parts[1].hasSuffix(":") ? parts[1].dropLast() : parts[1]
            guard let ip = IPAddress(String(value)) else { continue }
            let change = "\(sign == "+" ? "adds" : "withdraws") \(ip)"
            if !changes.contains(change) { changes.append(change) }
        }
        return changes.isEmpty ? nil : "DNS " + changes.joined(separator: ", ")
    }
}
