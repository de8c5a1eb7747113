import Primitives

// What no event tells: the far tag of an inbound leg, which is there only after the caller's ACK, and the extension of a leg
// that is not bridged. The switch is asked for them, at a pace.

/// When a leg is looked at again.
struct Look: Hashable, Sendable {
    private static let first: Duration = .milliseconds(300)
    private static let longest: Duration = .seconds(4)

    /// After so many times, some forty seconds, the switch itself has given up a caller without an ACK.
    private static let times = 12

    private(set) var due: Instant
    private var pause = Look.first
    private var count = 0
    var isOver: Bool { count >= Self.times }

    init(at now: Instant) { due = now + Self.first }

    /// It was asked for: next time twice as late.
    mutating func asked(at now: Instant) {
        count += 1
        pause = min(pause + pause, Self.longest)
        due = now + pause
    }
}

extension CallTracker {
    /// Legs of which the switch is to be asked more.
    package struct Wanted: Hashable, Sendable {
        /// By `uuid_dump`; hand the dumps to `handle`, and say `gone` for those that are no more.
        package var dumps: [String] = []
        /// Their rows of the switch's own recovery table, whole; hand them to `noteExtensions`.
        package var rows: [String] = []

        package var isEmpty: Bool { dumps.isEmpty && rows.isEmpty }
    }

    /// Notes whether the leg has to be looked at.
    mutating func noteLook(_ uuid: String, at now: Instant) {
        guard let entry = entries[uuid] else { return }
        if !entry.lacksTag && !entry.lacksExtension {
            looks[uuid] = nil
        } else if looks[uuid] == nil {
            looks[uuid] = Look(at: now)
        }
    }

    /// Legs that lack something and have not been asked for within the last moments.
    ///
    /// - Parameter limit: the most legs.
    package mutating func wanted(limit: Int, at now: Instant) -> Wanted {
        var wanted = Wanted()
        if looks.isEmpty { return wanted }
        var count = 0
        for (uuid, look) in looks.sorted(by: { ($0.value.due, $0.key) < ($1.value.due, $1.key) }) {
            guard look.due <= now, count < limit else { break }
            guard let entry = entries[uuid], !look.isOver, entry.lacksTag || entry.lacksExtension else {
                looks[uuid] = nil
                continue
            }
            count += 1
            looks[uuid]?.asked(at: now)
            if entry.lacksTag { wanted.dumps.append(uuid) }
            if entry.lacksExtension { wanted.rows.append(uuid) }
        }
        return wanted
    }

    /// Takes in whole rows of the switch's own recovery table: the extensions of their legs.
    package mutating func noteExtensions(_ rows: [RecoveryRow], at now: Instant) {
        for row in rows where row.technology == "sofia" && row.runtimeUUID == runtime {
            guard var entry = entries[row.uuid], entry.lacksExtension,
                let metadata = try? RecoveryMetadata(reading: row)
            else { continue }
            entry.progress.note(metadata)
            entry.writeApplications()
            entries[row.uuid] = entry
            touch(row.uuid)
            noteLook(row.uuid, at: now)
        }
    }
}

extension CallTracker.Entry {
    private var isUp: Bool {
        isKnown && leg.phase != .ringing && !leg.profile.isEmpty && !leg.variables.isEmpty
    }
    var lacksTag: Bool { isUp && SIPTag.repaired(leg) == nil }
    var lacksExtension: Bool { isUp && leg.partner == nil && progress.isWanted && place != nil }

    /// Puts what the leg has still to execute among its variables.
    mutating func writeApplications() {
        leg.variables.removeAll { ApplicationVariables.isOne($0.name) }
        guard let place, !isTooLarge, let name = leg.variable("current_application"), !name.isEmpty else {
            return
        }
        let current = RecoveryMetadata.Application(
            name: name, data: leg.variable("current_application_data") ?? "")
        guard let rest = progress.rest(current: current, at: place) else { return }
        leg.variables += ApplicationVariables.fields(rest)
    }
}
