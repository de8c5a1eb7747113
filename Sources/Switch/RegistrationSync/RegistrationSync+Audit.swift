import Primitives
import Replication

// The registrations a switch has from another time are corrected by what is known: on a machine that comes back and on a slave by
// the replica, on a holder by what the replica had when the address came and what phones did since.

extension RegistrationSync {
    /// How far the switch's tables lag behind what it was told.
    static let tableLag: Duration = .seconds(2)
    /// A copy that has just become whole may be of a writer that is still listing what it has.
    private static let breath: Duration = .seconds(2)
    /// Of a row on a holder: its event may be under way.
    private static let patience: Duration = .seconds(2)
    /// A REGISTER so soon after a correction of the same row may have come before it in the switch.
    private static let correctionLag: Duration = .seconds(5)

    struct Audit {
        var audit: RegistrationAudit
        /// Against the book, else against the replica.
        var isHeld: Bool
        /// Of the listing that is under way.
        var listing: UInt64?
        var corrections = 0
        /// Under these rows were taken out: by contact, another contact may have had the same.
        var callIDs: Set<String> = []
    }

    /// What the profile has may be from another time again.
    mutating func unaudit(_ name: String) {
        audited.remove(name)
        audits[name] = nil
    }

    mutating func interruptAudits(at now: Instant) {
        for name in audits.keys {
            audits[name]?.listing = nil
            audits[name]?.audit.interrupted(at: now)
        }
    }

    /// Whether the switch may be asked for a listing that is believed.
    func mayList(_ name: String) -> Bool {
        guard isUp, let held = books[name], held.wantsListing else { return false }
        return !held.isWitness || audited.contains(name)
    }

    var auditDeadline: Instant? { isUp ? audits.values.compactMap(\.audit.nextDeadline).min() : nil }

    mutating func tendAudits(_ turn: inout Turn) {
        guard isUp else { return }
        for name in profiles?.sorted() ?? [] where !audited.contains(name) && audits[name] == nil {
            begin(name, turn)
        }
        for name in audits.keys.sorted() {
            if audits[name]?.audit.tick(at: turn.now) == true { listForAudit(name, &turn) }
            if audits[name]?.audit.isWorking == true { sliceSoon(&turn) }
        }
    }

    private mutating func begin(_ name: String, _ turn: Turn) {
        if let held = books[name] {
            // What comes with a listing of a switch that nobody knows better is believed.
            guard held.isWitness, held.adoption == nil, held.listing == nil else { return }
            let settings = RegistrationAudit.Settings(patience: Self.patience)
            audits[name] = Audit(audit: RegistrationAudit(settings: settings, due: turn.now), isHeld: true)
            return
        }
        // Only a copy that is as its writer's, and in which something was written, says what is not.
        guard let status = turn.view.status(of: .address(name)), !status.isOwned, status.isComplete,
            status.source != nil, status.position.sequence > 0, status.position.epoch == status.epoch
        else { return }
        let settings = RegistrationAudit.Settings(patience: .zero)
        audits[name] = Audit(
            audit: RegistrationAudit(settings: settings, due: turn.now + Self.breath), isHeld: false)
    }

    private mutating func listForAudit(_ name: String, _ turn: inout Turn) {
        listings += 1
        audits[name]?.listing = listings
        turn.effects.append(.list(listings, profile: name))
    }

    mutating func audit(_ name: String, _ listing: ListedRegistrations?, _ turn: inout Turn) {
        audits[name]?.listing = nil
        audits[name]?.audit.listed(listing, at: turn.now)
        sliceSoon(&turn)
        tend(&turn)
    }

    /// - Returns: whether anything was looked at.
    mutating func auditSome(_ turn: inout Turn) -> Bool {
        let name = audits.keys.sorted().first { audits[$0]?.audit.isWorking == true }
        // Taken out while it works, so that it is not copied.
        guard let name, var entry = audits.removeValue(forKey: name) else { return false }
        let isHeld = entry.isHeld
        let corrections = entry.audit.work(atMost: Self.sliceSize, at: turn.now) { key in
            if isHeld { return books[name]?.book.registration(key) }
            let known = turn.registration(key.bytes, at: name)
            return known.flatMap { isOut($0, at: name, seeing: turn.view) ? nil : $0 }
        }
        audits[name] = entry
        for correction in corrections { correct(correction, name, isHeld: isHeld, at: turn.now) }
        if audits[name]?.audit.isDone == true { end(name, &turn) }
        if audits[name]?.audit.isWorking != true { tend(&turn) } else { pump(&turn) }
        return true
    }

    private mutating func correct(
        _ correction: RegistrationAudit.Correction, _ name: String, isHeld: Bool, at now: Instant
    ) {
        audits[name]?.corrections += 1
        let key: RegistrationKey
        switch correction {
        case .absent(let row):
            key = RegistrationKey(row, mode: mode)
            if mode == .contact { audits[name]?.callIDs.insert(row.callID) }
            _ = queue.offer(.absent(row), mode: mode)
        case .present(var known, let row):
            known.profile = name
            key = RegistrationKey(known, mode: mode)
            queue.note(callID: row.callID, for: known, mode: mode)
            _ = queue.offer(.present(known), mode: mode)
        }
        if isHeld { books[name]?.corrected[key] = now }
    }

    private mutating func end(_ name: String, _ turn: inout Turn) {
        guard let ended = audits.removeValue(forKey: name) else { return }
        audited.insert(name)
        if ended.corrections > 0 {
            turn.effects.append(
                .notice(
                    subject: name,
                    "\(ended.corrections) registrations the switch had from another time were corrected"))
        }
        guard !ended.callIDs.isEmpty else { return }
        // The switch takes out by Call-ID what may have been several contacts.
        if ended.isHeld {
            for registration in registrations(at: name) where ended.callIDs.contains(registration.callID) {
                _ = queue.offer(.present(registration), mode: mode)
            }
        } else {
            queue.restarted()
        }
    }

    /// A phone has registered just after its row was corrected: the correction may have come after it.
    mutating func keep(_ changes: [RegistrationBook.Change], at name: String, _ now: Instant) {
        guard let known = books[name]?.corrected, !known.isEmpty else { return }
        let corrected = known.filter { now - $0.value < Self.correctionLag }
        books[name]?.corrected = corrected
        for case .put(let key, let registration, _) in changes where corrected[key] != nil {
            _ = queue.offer(.present(registration), mode: mode)
        }
    }

    mutating func takeOutEnded(_ turn: inout Turn) {
        while let (profile, key) = endings.take(at: turn.now) {
            // Its switch ends it where its address is, and who registered again meanwhile is known.
            guard books[profile] == nil,
                turn.view.record(.registration, key: key, in: .address(profile)) == nil
            else { continue }
            takeOut(key, of: profile)
        }
    }
}
