import Primitives

/// Whether the primary would take our updates: tried every minute with updates that change nothing.
///
/// An empty update proves the key only; a server with rules for names judges each record, so every set we write to is
/// named once. When all together are refused, halves are tried until the set is found that is refused.
package struct ZoneProof: Hashable, Sendable {
    static let first = Duration.seconds(2)
    static let interval = Duration.seconds(60)
    /// After something was refused: what is told of it must end soon after it is mended.
    static let intervalInTrouble = Duration.seconds(10)
    /// An answer that should not be is looked at again after so long.
    static let surprisePause = Duration.seconds(5)
    /// What is refused for so long is no server that was restarted.
    static let patience = Duration.seconds(30)
    /// So many refused sets are looked for, each of which is left out of updates.
    static let most = 16
    /// So many of them are named; more would say nothing new.
    static let named = 3

    var due: Instant = .zero
    /// What is on its way.
    var asked: [ZoneQuestion] = []
    /// What is to be tried in this round.
    var waiting: [[ZoneQuestion]] = []
    /// Those of this round that are tried by an update whose prerequisite can never hold.
    var guarded: [ZoneQuestion] = []
    var refused: [ZoneQuestion] = []
    /// What the last round found to be refused while others were taken: left out of updates, so that those are.
    private(set) var leftOut: [ZoneQuestion] = []
    var reason = ""
    var hasPassed = false
    /// How often in sequence the zone was not as it was read.
    var surprises = 0
    package var trouble: [ZoneTrouble] = []
    /// What keeps this node from writing anything, as of all rounds for a while: some may have met a server that was restarted.
    var shutOut: ZoneTrouble? { isShutOut ? trouble.first : nil }
    private var failingSince: Instant?
    private var isShutOut = false
    /// Nothing of this round was answered yet.
    private var isFirst = false
    /// The last round that looked for what exactly is refused.
    private var search: Search?

    private struct Search: Hashable {
        var at: Instant
        var reason: String
        var hasPassed: Bool
    }

    package init() {}

    /// Whether the last round was passed whole.
    var isWell: Bool { hasPassed && trouble.isEmpty && waiting.isEmpty && asked.isEmpty }
    var isUnderway: Bool { !asked.isEmpty }
    /// Whether what is on its way must be answered by a failed prerequisite.
    package var isGuarded: Bool { !asked.isEmpty && asked.allSatisfy(guarded.contains) }
}

extension DesiredZone {
    /// An update that changes nothing, and is allowed when updates of all these sets are.
    ///
    /// It deletes records that nobody has. Of SRV it adds one that is there: BIND judges a deletion of SRV by the
    /// records it would delete, so that deleting what is not there is always allowed. Where no SRV is there yet, one is
    /// added under a prerequisite that can never hold (`guarded`). BIND since 9.16.37 and 9.18.11, Knot and PowerDNS
    /// judge the rights first, whatever RFC 2136 §3.3 says, and answer REFUSED (Knot: BADKEY) or else NXRRSET; an older
    /// BIND answers NXRRSET to both, and the missing right is found when the first SRV is written.
    package func proof(
        of sets: [ZoneQuestion], in found: [ZoneRecord], guarded: Bool = false
    ) -> ZoneUpdate {
        let marks = marks(in: found)
        var foreign = marks.own.dropFirst().map(\.record) + marks.foreign
        if guarded { foreign.append(never) }
        var update = ZoneUpdate(
            zone: settings.zone, expected: marks.own.first?.record, required: foreign.isEmpty ? nil : foreign,
            epochName: epochName, delete: [], add: [])
        for set in sets {
            if let there = found.first(where: { $0.name == set.name && $0.type == set.type }),
                set.type == "SRV"
            {
                update.add.append(there)
            } else if let nothing = nothing(of: set, in: found) {
                if guarded, set.type == "SRV" {
                    update.add.append(nothing)
                } else {
                    update.delete.append(nothing)
                }
            }
        }
        update.delete.sort()
        update.add.sort()
        return update
    }

    /// A record that is required to be there so that nothing happens.
    private var never: ZoneRecord {
        ZoneRecord(name: epochName, ttl: 0, content: .txt(Self.neverWritten))
    }

    static let neverWritten = "fsdns never writes this"

    /// A record of the set that is not there and never will be.
    private func nothing(of set: ZoneQuestion, in found: [ZoneRecord]) -> ZoneRecord? {
        let content: ZoneRecord.Content?
        switch set.type {
        // Networks for examples (RFC 5737, RFC 3849): no caller is ever sent there.
        case "A": content = (1...254).lazy.compactMap { unused("192.0.2.\($0)", set, found) }.first
        case "AAAA": content = (1...254).lazy.compactMap { unused("2001:db8::\($0)", set, found) }.first
        case "SRV": content = .srv(priority: 0, weight: 0, port: 1, target: "nothing.invalid")
        default: content = .txt("fsdns asks whether it may change this")
        }
        return content.map { ZoneRecord(name: set.name, ttl: 0, content: $0) }
    }

    private func unused(_ text: String, _ set: ZoneQuestion, _ found: [ZoneRecord]) -> ZoneRecord.Content? {
        guard let ip = IPAddress(text), !ours.contains(ip) else { return nil }
        let content = ZoneRecord.Content.address(ip)
        return found.contains { $0.name == set.name && $0.content == content } ? nil : content
    }
}

extension ZoneProof {
    /// The next sets to try; nil when the round is over.
    package mutating func next() -> [ZoneQuestion]? {
        guard !waiting.isEmpty, !isEnough else { return nil }
        asked = waiting.removeFirst()
        return asked
    }

    /// - Parameter found: what is in the zone.
    package mutating func begin(_ sets: [ZoneQuestion], in found: [ZoneRecord]) {
        guarded = sets.filter { set in
            set.type == "SRV" && !found.contains { $0.name == set.name && $0.type == set.type }
        }
        waiting = [sets.filter { !guarded.contains($0) }, guarded].filter { !$0.isEmpty }
        refused = []
        hasPassed = false
        isFirst = true
        reason = ""
    }

    /// An update was carried out: what was found before is tried again soon.
    mutating func updated(at now: Instant) {
        if !trouble.isEmpty { due = min(due, now) }
        (failingSince, isShutOut) = (nil, false)
    }

    /// Something failed and may be well again: whether updates are taken, too, is to be known soon.
    mutating func hurry(at now: Instant) { due = min(due, now + Self.first) }

    /// Whether more would say nothing new: where some are refused one by one and none was taken, all are.
    private var isEnough: Bool { refused.count >= (hasPassed ? Self.most : Self.named) }

    /// - Returns: whether the round is over.
    package mutating func ended(
        _ outcome: ZoneUpdateOutcome, _ server: DNSSettings.ServerSettings, at now: Instant
    ) -> Bool {
        let (tried, wasGuarded, wasFirst) = (asked, isGuarded, isFirst)
        asked = []
        isFirst = false
        switch outcome {
        case .prerequisiteFailed where wasGuarded: hasPassed = true
        case .done where wasGuarded:
            hasPassed = true
            finish([ZoneRefusal.careless(server)], at: now)
            return true
        case .done:
            hasPassed = true
            surprises = 0
        case .prerequisiteFailed(let code):
            surprises += 1
            if surprises >= 3 {
                finish([ZoneRefusal.otherView(server, code)], at: now)
            } else {
                waiting = []
                due = now + Self.surprisePause
            }
            return true
        case .refused(let why), .unknown(let why):
            reason = why
            guard ZoneRefusal.dependsOnRecords(why) else {
                finish([ZoneRefusal.trouble(why, server)], at: now)
                return true
            }
            // It is asked often whether it is mended, and seldom what it is.
            if wasFirst, !trouble.isEmpty, let search, search.reason == why, now - search.at < Self.interval {
                hasPassed = search.hasPassed
                finish(trouble, leavingOut: leftOut, at: now)
                return true
            }
            if tried.count > 1 {
                waiting = [Array(tried[..<(tried.count / 2)]), Array(tried[(tried.count / 2)...])] + waiting
            } else {
                refused += tried
            }
        }
        guard waiting.isEmpty || isEnough else { return false }
        search = Search(at: now, reason: reason, hasPassed: hasPassed)
        if refused.isEmpty {
            finish([], at: now)
        } else if hasPassed {
            finish(
                refused.prefix(Self.named).map { ZoneRefusal.grant(for: $0, reason, server) },
                leavingOut: refused, at: now)
        } else {
            finish([ZoneRefusal.trouble(reason, server)], at: now)
        }
        return true
    }

    private mutating func finish(
        _ found: [ZoneTrouble], leavingOut: [ZoneQuestion] = [], at now: Instant
    ) {
        trouble = found
        leftOut = leavingOut
        failingSince = hasPassed || found.isEmpty ? nil : failingSince ?? now
        isShutOut = failingSince.map { now - $0 >= Self.patience } ?? false
        waiting = []
        due = now + (found.isEmpty ? Self.interval : Self.intervalInTrouble)
    }
}
