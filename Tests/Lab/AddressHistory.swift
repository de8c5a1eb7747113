/// Who had which address when, as the kernels of all machines told it.
package struct AddressHistory: Sendable {
    package struct Change: Sendable, Hashable {
        package var at: BootTime
        package var machine: String
        /// False also for every address of a machine whose power was cut.
        package var isAdded: Bool
    }

    private var changes: [String: [Change]] = [:]

    package init() {}

    /// Reads what the watch of one machine wrote: `nanoseconds add|del|off address` lines.
    package mutating func read(_ text: String, of machine: String) throws {
        var held: [String] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 3, let moment = Int64(words[0]) else {
                throw LabFailure("address watch of \(machine) wrote: \(line)")
            }
            let at = BootTime(nanoseconds: moment)
            switch words[1] {
            case "add":
                held.append(words[2])
                changes[words[2], default: []].append(Change(at: at, machine: machine, isAdded: true))
            case "del":
                held.removeAll { $0 == words[2] }
                changes[words[2], default: []].append(Change(at: at, machine: machine, isAdded: false))
            case "off":
                for address in held {
                    changes[address, default: []].append(Change(at: at, machine: machine, isAdded: false))
                }
                held = []
            default: throw LabFailure("address watch of \(machine) wrote: \(line)")
            }
        }
    }

    /// Every change of one address, in the order of time.
    package func changes(of address: String) -> [Change] {
        (changes[address] ?? []).sorted { ($0.at, $0.isAdded ? 1 : 0) < ($1.at, $1.isAdded ? 1 : 0) }
    }

    /// The first time after `moment` that a machine got the address, and which.
    package func firstAdd(of address: String, after moment: BootTime) -> Change? {
        changes(of: address).first { $0.isAdded && $0.at > moment }
    }

    package func firstRemoval(of address: String, from machine: String, after moment: BootTime) -> Change? {
        changes(of: address).first { !$0.isAdded && $0.at > moment && $0.machine == machine }
    }

    /// For how many milliseconds two or more machines had the address, until `end`.
    package func overlap(of address: String, until end: BootTime) -> Double {
        var holders: Set<String> = []
        var since: BootTime?
        var total = 0.0
        for change in changes(of: address) where change.at <= end {
            if change.isAdded { holders.insert(change.machine) } else { holders.remove(change.machine) }
            if holders.count > 1 {
                since = since ?? change.at
            } else if let start = since {
                total += change.at.milliseconds(since: start)
                since = nil
            }
        }
        return total + (since.map { end.milliseconds(since: $0) } ?? 0)
    }
}
