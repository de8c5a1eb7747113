import Cluster
import Primitives

// The verbs of a scenario, and what it may expect.

extension World {
    private var leaderIndex: Int? { machines.firstIndex { $0.service?.node.isLeader == true } }

    /// A machine by its name, or `leader`.
    func machine(_ act: Scenario.Act, _ place: Int) throws(Scenario.Failure) -> Int {
        let name = try act.word(place)
        guard let machine = name == "leader" ? leaderIndex : index(of: name) else {
            throw Scenario.Failure(line: act.line, text: "there is no \(name)")
        }
        return machine
    }

    mutating func play(_ act: Scenario.Act, _ cuts: inout [Cut]) throws(Scenario.Failure) {
        if try playPlaybook(act) { return }
        switch act.words[0] {
        case "run": run(until: now.after(nanoseconds: try act.nanoseconds(1)))
        case "rest":
            // What was just asked must have begun before there can be an end to it.
            run(for: .milliseconds(60))
            awaitRest()
        case "crash", "kill", "wipe", "restart", "stop", "pause", "resume", "keeper-dies":
            try playOnMachine(act)
        case "isolate", "cut", "heal": try playOnNetwork(act, &cuts)
        case "break-links", "mend-links":
            setPeerLinks(of: try machine(act, 1), areBroken: act.words[0] == "break-links")
        case "start-copy", "start-clone":
            copyKeepsHost = act.words[0] == "start-clone"
            try startCopy(act)
        case "stop-copy": endCopy()
        case "put-back": try putBack(act)
        case "keep-backup": backup = machines[try machine(act, 1)].disk.copied
        case "unplug": plug(try machine(act, 1), false)
        case "plug": plug(try machine(act, 1), true)
        case "filter": filter(try machine(act, 1), true)
        case "unfilter": filter(try machine(act, 1), false)
        case "no-network": place(try act.word(1), isPlaceable: false)
        case "network": place(try act.word(1), isPlaceable: true)
        case "switches":
            for number in machines.indices where machines[number].kind == .full {
                machines[number].phones.health = .healthy
                passSwitchNow(number)
            }
        case "drain", "abort", "undrain", "switchover", "adopt", "forget", "vacate", "recover-quorum":
            try playOperator(act)
        case "until": try runUntil(act)
        case "calls" where try act.word(1) == "all":
            for number in machines.indices where machines[number].kind == .full {
                machines[number].phones.health = .healthy
                passSwitchNow(number)
            }
            for address in blueprint.settings.addresses {
                calls.setSteady(address.name, calls: try act.number(2))
            }
        case "calls":
            let number = try machine(act, 1)
            machines[number].phones.health = .healthy
            for held in machines[number].keeper.held {
                calls.setSteady(held.address.name, calls: try act.number(2))
            }
            passSwitchNow(number)
        case "hopeless": calls.setHopeless(try act.word(1), calls: try act.number(2))
        case "stubborn": machines[try machine(act, 1)].phones.isStubborn = true
        case "pause-switch":
            let number = try machine(act, 1)
            machines[number].phones.isPaused = true
            passSwitchNow(number)
        case "switch-fails":
            let number = try machine(act, 1)
            machines[number].phones.health = .unhealthy
            machines[number].phones.isRefusing = false
            passSwitchNow(number)
        case "dns": try playOnServer(act)
        case "file": try layFile(act)
        case "upgrade": install(.current, on: try machine(act, 1))
        case "downgrade": install(.unannounced, on: try machine(act, 1))
        case "watch": watchCoverage()
        default: throw Scenario.Failure(line: act.line, text: "\"\(act.words[0])\" is no verb")
        }
    }

    /// TCP does not pass, datagrams do.
    private mutating func setPeerLinks(of machine: Int, areBroken: Bool) {
        for other in machines.indices where other != machine {
            for link in [Link(from: machine, to: other), Link(from: other, to: machine)] {
                if areBroken {
                    network.breakPeerLink(link)
                    disconnect(link)
                } else {
                    network.mendPeerLink(link)
                }
            }
        }
    }

    private mutating func startCopy(_ act: Scenario.Act) throws(Scenario.Failure) {
        guard let copy = machines.firstIndex(where: \.isCopy), let original = index(of: machines[copy].name)
        else { throw Scenario.Failure(line: act.line, text: "the cast has no copy: copies NODE") }
        if !machines[copy].staysDown { return planBoot(copy, after: millisecond) }
        trace.add(now, machines[copy].name, "is started a second time, from a copy of its disk")
        machines[copy].disk = machines[original].disk.copied
        machines[copy].staysDown = false
        planBoot(copy, after: millisecond)
    }

    /// `put-back fs1`: its disk is again what it was when `keep-backup fs1` was said.
    private mutating func putBack(_ act: Scenario.Act) throws(Scenario.Failure) {
        let number = try machine(act, 1)
        guard let backup else { throw Scenario.Failure(line: act.line, text: "no backup was kept") }
        trace.add(now, machines[number].name, "gets its state directory back from a backup")
        machines[number].disk = backup
    }

    /// `until waiting-for-calls`: time passes until the drain is there.
    private mutating func runUntil(_ act: Scenario.Act) throws(Scenario.Failure) {
        let phase = try act.word(1)
        let end = now + .seconds(30)
        while (judge.newestState?.drain?.phase.rawValue ?? "none") != phase, violation == nil {
            guard now < end else {
                throw Scenario.Failure(line: act.line, text: "the drain never came to \(phase)")
            }
            run(for: .microseconds(100))
        }
    }

    /// `file fs1 ttl=2` or `file all ttl=2 lease=300ms`; alone, `file fs1` is the first one again.
    private mutating func layFile(_ act: Scenario.Act) throws(Scenario.Failure) {
        guard let file = blueprint.settings.changed(by: Array(act.words.dropFirst(2))) else {
            throw Scenario.Failure(line: act.line, text: "a file is changed by ttl=, expect= and lease=")
        }
        guard try act.word(1) != "all" else {
            for number in machines.indices { machines[number].settings = file }
            return
        }
        machines[try machine(act, 1)].settings = file
    }

    private mutating func playOnMachine(_ act: Scenario.Act) throws(Scenario.Failure) {
        let number = try machine(act, 1)
        switch act.words[0] {
        case "crash":
            machines[number].staysDown = true
            crash(number, restartAfter: nil)
        case "kill":
            machines[number].staysDown = true
            kill(number, restartAfter: nil)
        case "wipe":
            machines[number].staysDown = true
            wipe(number, restartAfter: nil)
        case "restart":
            machines[number].staysDown = false
            planBoot(number, after: millisecond)
        case "stop":
            machines[number].staysDown = true
            shutDown(number)
        case "pause":
            let span = try act.nanoseconds(2)
            let who = act.words.count > 3 ? act.words[3] : "service"
            if who != "service" { sleep(.keeper, of: number, nanoseconds: span) }
            if who != "keeper" { sleep(.service, of: number, nanoseconds: span) }
        case "keeper-dies": killKeeper(of: number)
        default:
            if machines[number].keeper.condition == .asleep { wakeKeeper(number) }
            if machines[number].service?.isAsleep == true { wakeService(number) }
        }
    }

    private mutating func playOnNetwork(_ act: Scenario.Act, _ cuts: inout [Cut]) throws(Scenario.Failure) {
        switch act.words[0] {
        case "isolate":
            let cut = network.boundary(of: [try machine(act, 1)])
            cuts.append(cut)
            self.cut(cut)
        case "cut":
            let ends = try act.word(1).split(separator: ">").map(String.init)
            guard ends.count == 2, let from = index(of: ends[0]), let to = index(of: ends[1]) else {
                throw Scenario.Failure(line: act.line, text: "a cut is written A>B")
            }
            let cut = Cut(links: [Link(from: from, to: to)])
            cuts.append(cut)
            self.cut(cut)
        default:
            for cut in cuts { heal(cut) }
            cuts = []
        }
    }

    private mutating func playOperator(_ act: Scenario.Act) throws(Scenario.Failure) {
        guard let asked = machines.indices.first(where: { machines[$0].service?.isAsleep == false }) else {
            throw Scenario.Failure(line: act.line, text: "no node runs")
        }
        let who = "ops@console"
        switch act.words[0] {
        case "drain":
            let deadline: Duration? = act.words.count > 2 ? .nanoseconds(try act.nanoseconds(2)) : nil
            let wanted = act.words.count > 3 ? Drain.OnDeadline(rawValue: act.words[3]) : .wait
            guard let onDeadline = wanted else {
                throw Scenario.Failure(line: act.line, text: "\(act.words[3]) is not what a deadline does")
            }
            ask(
                .drain(
                    DrainRequest(
                        target: try act.word(1), deadline: deadline, onDeadline: onDeadline,
                        reason: "kernel update", dryRun: false, who: who)), of: asked)
        case "abort": ask(.abortDrain(who: who), of: asked)
        case "adopt": ask(.zoneApply(adopt: true, who: who), of: asked)
        case "forget": ask(.forget(node: try act.word(1), who: who), of: asked)
        case "vacate": ask(.vacate(who: who), of: try machine(act, 1))
        case "recover-quorum":
            let lost = try act.word(1).split(separator: ",").map(String.init)
            ask(.recoverQuorum(lost: lost, dryRun: false, who: who), of: asked)
        case "undrain": ask(.undrain(node: try act.word(1), who: who), of: asked)
        default:
            let to = act.words.count > 2 ? act.words[2] : nil
            ask(.switchover(seat: try act.word(1), to: to, dryRun: false, who: who), of: asked)
        }
    }

    private mutating func playOnServer(_ act: Scenario.Act) throws(Scenario.Failure) {
        let conditions: [(String, NameServers.Condition)] = [
            ("refuses", .refusing), ("silent", .silent), ("forgetful", .forgetful), ("tardy", .tardy),
            ("unreadable", .unreadable), ("ignores", .ignoring), ("keeps-ttl", .keepingTTL),
            ("recovers", .well),
        ]
        let word = try act.word(1)
        guard let found = conditions.first(where: { $0.0 == word }) else {
            throw Scenario.Failure(line: act.line, text: "\(word) is nothing a name server does")
        }
        setServer(0, found.1)
    }

    private mutating func passSwitchNow(_ machine: Int) {
        machines[machine].phones.told = nil
        tellSwitch(machine)
    }

    // MARK: - Expecting

    /// The first machine whose `status` does not warn of this; nil when all do.
    private func unwarned(of text: String) -> String? {
        let silent = machines.first { machine in
            guard let node = machine.service?.node else { return false }
            let now = machine.clock.instant(at: now)
            return !node.statusReport(at: now).warnings.contains { $0.contains(text) }
        }
        return silent.map { "\($0.name) does not warn of it" }
    }

    /// Why the world is not as the scenario says; nil when it is.
    func objection(to act: Scenario.Act) throws(Scenario.Failure) -> String? {
        let rest = Array(act.words.dropFirst(2))
        let text = rest.joined(separator: " ")
        switch try act.word(1) {
        case "told": return trace.lines.contains { $0.contains(text) } ? nil : "nobody said \"\(text)\""
        case "never-told": return trace.lines.first { $0.contains(text) }.map { "it was said: \($0)" }
        case "warned": return unwarned(of: text)
        case "updates-at-most":
            let count = trace.lines.count { $0.contains(" zone: update of ") }
            return count <= (try act.number(2)) ? nil : "\(count) updates arrived"
        default: return try objectionToState(act, rest, text)
        }
    }

    private func objectionToState(
        _ act: Scenario.Act, _ rest: [String], _ text: String
    ) throws(Scenario.Failure) -> String? {
        guard let state = judge.newestState else { return "no cluster was formed" }
        if let objection = try objectionToPlaybooks(act, state) { return objection }
        switch try act.word(1) {
        case "holder":
            guard let seat = state.seat(try act.word(2)) else { return "no seat \(act.words[2])" }
            let holders = holders(of: seat.address)
            let wanted = try act.word(3)
            let isRight = wanted == "none" ? holders.isEmpty : holders == [wanted]
            return isRight ? nil : "\(seat.name) (\(seat.address)) is held by \(holders)"
        case "held":
            for name in rest where holders(of: state.seat(name)?.address ?? "").count != 1 {
                return "\(name) is held by \(holders(of: state.seat(name)?.address ?? ""))"
            }
            return nil
        case "nobody-holds":
            let holders = holders(of: try act.word(2))
            return holders.isEmpty ? nil : "\(act.words[2]) is held by \(holders)"
        case "address":
            let address = state.seat(try act.word(2))?.address ?? "nothing"
            return try act.word(3) == address ? nil : "\(act.words[2]) is at \(address)"
        case "published":
            guard let nameServers, let name = blueprint.serviceName else { return "there is no zone" }
            let served = NameServers.addresses(in: nameServers.primary, of: name).map { "\($0)" }
            return served == rest.sorted() ? nil : "the zone serves \(served)"
        case "served":
            // Whoever asks the zone now, or is in a call, finds somebody.
            guard let nameServers, let name = blueprint.serviceName else { return "there is no zone" }
            let served = NameServers.addresses(in: nameServers.primary, of: name)
            for address in blueprint.settings.addresses
            where served.contains(address.ip) || calls[address.name] > 0 {
                let holders = holders(of: address.name)
                if holders.count != 1 {
                    return "\(address.name) is asked for, or has calls, and is held by \(holders)"
                }
            }
            return nil
        case "role":
            let role = state.member(try act.word(2)).map { state.role(of: $0).rawValue } ?? "unknown"
            return try act.word(3) == role ? nil : "\(act.words[2]) is \(role)"
        case "drain":
            let phase = state.drain?.phase.rawValue ?? "none"
            return try act.word(2) == phase ? nil : "the drain is \(phase)"
        case "moves":
            return state.takeovers.count == (try act.number(2)) ? nil : "\(state.takeovers.count) moves count"
        case "file":
            let wanted = blueprint.settings.changed(by: rest)
            return wanted == state.settings ? nil : "file \(state.settings.version) is the agreed one"
        case "gap":
            guard let coverage else { return "nobody watches" }
            let bound = try act.nanoseconds(2)
            return coverage.longest <= .nanoseconds(bound)
                ? nil : "\(coverage.worst) was bare for \(coverage.longest)"
        case "terms":
            return judge.newestTerm <= Term(try act.number(2)) ? nil : "term \(judge.newestTerm) has begun"
        case "format": return "\(state.format)" == text ? nil : "format \(state.format) is agreed on"
        case "slaves": return state.slaves == rest ? nil : "the slaves are \(state.slaves)"
        default: throw Scenario.Failure(line: act.line, text: "nothing like that can be expected")
        }
    }
}
