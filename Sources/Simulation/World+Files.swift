import Cluster

// Other cluster files: they lie on a machine, and are read when its node service starts the next time.

extension ClusterSettings {
    /// This file with changes written as `ttl=2`, `lease=300ms` or `expect=4`; its version follows from the changes, so the same
    /// words are the same file. Nil when a word is none of these.
    func changed(by words: [String]) -> ClusterSettings? {
        var other = self
        for word in words {
            let parts = word.split(separator: "=").map(String.init)
            guard parts.count == 2 else { return nil }
            let digits = parts[1].hasSuffix("ms") ? String(parts[1].dropLast(2)) : parts[1]
            guard let number = Int(digits) else { return nil }
            switch parts[0] {
            case "ttl": other.dns?.ttl = .seconds(number)
            case "expect": other.expect = number
            case "lease":
                other.timing.lease = .milliseconds(number)
                other.timing.deadAfter = .milliseconds(number + 50)
            default: return nil
            }
        }
        for byte in words.joined(separator: " ").utf8 { other.version = other.version &* 31 &+ UInt64(byte) }
        return other
    }
}

extension World {
    /// Between two restarts of a roll, at least and at most.
    private static let pace = 40 * millisecond...1500 * millisecond

    /// The newest file, when it lies on every machine.
    var commonFile: ClusterSettings? {
        guard let first = machines.first?.settings else { return nil }
        return machines.allSatisfy { $0.settings.version == first.version } ? first : nil
    }

    /// Whether the node service that runs there has read another file than the one that lies there.
    func hasFormerFile(_ machine: Int) -> Bool {
        machines[machine].service.map { $0.node.settings.version != machines[machine].settings.version }
            ?? false
    }

    /// Somebody begins a roll of the next file: it lies on all machines, and they are restarted one after another.
    mutating func planRoll() {
        agenda.add(.fileComes, at: now.after(nanoseconds: chance.files.draw(100...4000) * millisecond))
    }

    mutating func fileComes() {
        guard isStormy, let file = blueprint.settings.changed(by: ["ttl=\(chance.files.draw(2...5))"]) else {
            return
        }
        trace.add(now, "operator", "a cluster file with another TTL lies on every machine")
        for machine in machines.indices { machines[machine].settings = file }
        agenda.add(.rollGoesOn, at: now.after(nanoseconds: chance.files.drawSpan(Self.pace)))
    }

    /// Restarts one of those that still have the former file, gently or not.
    mutating func rollGoesOn() {
        let former = machines.indices.filter {
            hasFormerFile($0) && machines[$0].service?.isStopping == false
        }
        guard isStormy, !former.isEmpty else { return }
        let machine = chance.files.pick(former)
        switch chance.files.draw(0...3) {
        case 0: kill(machine, restartAfter: chance.files.draw(20...1000) * millisecond)
        case 1: crash(machine, restartAfter: chance.files.draw(100...1500) * millisecond)
        default: shutDown(machine)
        }
        agenda.add(.rollGoesOn, at: now.after(nanoseconds: chance.files.drawSpan(Self.pace)))
    }

    /// In calm the roll is done to its end, one node after another as it should be.
    mutating func finishRoll() {
        for machine in machines.indices where hasFormerFile(machine) && violation == nil {
            shutDown(machine)
            let end = now + .seconds(8)
            repeat {
                run(for: .milliseconds(25))
            } while now < end && violation == nil
                && (hasFormerFile(machine) || unrest() != nil)
        }
    }

    /// Why the agreed file is not the one every running node has read; nil when it is.
    func unrestOfFile(_ state: ControlState) -> String? {
        guard let file = commonFile, file.version != state.settings.version,
            machines.allSatisfy({ $0.service?.node.settings.version == file.version })
        else { return nil }
        return "every node has read file \(file.version), and \(state.settings.version) is the agreed one"
    }
}

/// For how long seats were not covered, seen in true time, since somebody began to watch.
struct Coverage: Sendable {
    private(set) var since: Moment
    /// Of each seat, in the order of the file: since when nobody has its address; nil while somebody has.
    private var bareSince: [Moment?]
    private(set) var longest = Duration.zero
    /// The seat that was bare for the longest time.
    private(set) var worst = ""

    init(seats: Int, at now: Moment) {
        since = now
        bareSince = Array(repeating: nil, count: seats)
    }

    mutating func note(_ isCovered: [Bool], names: [String], at now: Moment) {
        for (seat, covered) in isCovered.enumerated() where seat < bareSince.count {
            if let bare = bareSince[seat], now - bare > longest {
                longest = now - bare
                worst = names[seat]
            }
            bareSince[seat] = covered ? nil : bareSince[seat] ?? now
        }
    }
}

extension World {
    mutating func watchCoverage() {
        coverage = Coverage(seats: blueprint.settings.seats.count, at: now)
        noteCoverage()
    }

    mutating func noteCoverage() {
        guard coverage != nil, let state = judge.newestState else { return }
        let covered = state.seats.map { !holders(of: $0.address).isEmpty }
        coverage?.note(covered, names: state.seats.map(\.name), at: now)
    }
}
