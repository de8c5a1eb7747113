import Primitives
import Replication
import Switch

// The registrations a switch has from another time are corrected by what is known: on a machine that comes back and on a slave by
// the replica, on a holder by what the replica had when the address came and what phones did since.

extension RegistrationSharing {
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
    func unaudit(_ name: String) {
        audited.remove(name)
        audits[name] = nil
    }

    func interruptAudits() {
        let now = Instant.now()
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

    func tendAudits(at now: Instant) {
        guard isUp else { return }
        for name in profiles?.sorted() ?? [] where !audited.contains(name) && audits[name] == nil {
            begin(name, at: now)
        }
        for name in audits.keys.sorted() {
            if audits[name]?.audit.tick(at: now) == true { listForAudit(name) }
            if audits[name]?.audit.isWorking == true { sliceSoon() }
        }
    }

    private func begin(_ name: String, at now: Instant) {
        if let held = books[name] {
            // What comes with a listing of a switch that nobody knows better is believed.
            guard held.isWitness, held.adoption == nil, held.listing == nil else { return }
            let settings = RegistrationAudit.Settings(patience: Self.patience)
            audits[name] = Audit(audit: RegistrationAudit(settings: settings, due: now), isHeld: true)
            return
        }
        // Only a copy that is as its writer's, and in which something was written, says what is not.
        guard let status = replica.status(of: .address(name)), !status.isOwned, status.isComplete,
            status.source != nil, status.position.sequence > 0, status.position.epoch == status.epoch
        else { return }
        let settings = RegistrationAudit.Settings(patience: .zero)
        audits[name] = Audit(
            audit: RegistrationAudit(settings: settings, due: now + Self.breath), isHeld: false)
    }

    private func listForAudit(_ name: String) {
        listings += 1
        let number = listings
        audits[name]?.listing = number
        link.api("sofia xmlstatus profile \(name) reg") { [weak self] result in
            guard let self, audits[name]?.listing == number else { return }
            guard case .success(let answer) = result else { return audited(name, nil) }
            read(answer.body, name) { [weak self] listing in
                guard let self, audits[name]?.listing == number else { return }
                audited(name, listing)
            }
        }
    }

    private func audited(_ name: String, _ listing: ListedRegistrations?) {
        audits[name]?.listing = nil
        audits[name]?.audit.listed(listing, at: Instant.now())
        sliceSoon()
        tend()
    }

    /// - Returns: whether anything was looked at.
    func auditSome(at now: Instant) -> Bool {
        let name = audits.keys.sorted().first { audits[$0]?.audit.isWorking == true }
        guard let name, let isHeld = audits[name]?.isHeld else { return false }
        let stream = StreamID.address(name)
        let corrections =
            audits[name]?.audit.work(atMost: Self.sliceSize, at: now) {
                [self, book = books[name]?.book] key in
                if isHeld { return book?.registration(key) }
                let known = try? replica.record(.registration, key: key.bytes, in: stream)?.registration()
                return known.flatMap { isOut($0, at: name) ? nil : $0 }
            } ?? []
        for correction in corrections { correct(correction, name, isHeld: isHeld, at: now) }
        if audits[name]?.audit.isDone == true { end(name) }
        if audits[name]?.audit.isWorking != true { tend() } else { pump() }
        return true
    }

    private func correct(
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

    private func end(_ name: String) {
        guard let ended = audits.removeValue(forKey: name) else { return }
        audited.insert(name)
        if ended.corrections > 0 {
            log.notice(
                "registration", name,
                "\(ended.corrections) registrations the switch had from another time were corrected")
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
    func keep(_ changes: [RegistrationBook.Change], at name: String) {
        guard let known = books[name]?.corrected, !known.isEmpty else { return }
        let now = Instant.now()
        let corrected = known.filter { now - $0.value < Self.correctionLag }
        books[name]?.corrected = corrected
        for case .put(let key, let registration, _) in changes where corrected[key] != nil {
            _ = queue.offer(.present(registration), mode: mode)
        }
    }
}

// MARK: - Ends

extension RegistrationSharing {
    /// Registrations whose time ran out in the replica. A profile in standby does not look for them (sofia.c:
    /// sofia_profile_worker_thread_run), and would name their contacts for ever.
    struct Endings {
        private static let limit = 100_000
        /// The holder keeps a registration that much longer, and looks for it only from time to time.
        private static let lateness: Duration = .seconds(90)
        private var waiting: [(due: Instant, profile: String, key: [UInt8])] = []
        private var head = 0

        var nextDeadline: Instant? { head < waiting.count ? waiting[head].due : nil }

        /// - Returns: false when there is no room.
        mutating func add(_ key: [UInt8], of profile: String, at now: Instant) -> Bool {
            guard waiting.count - head < Self.limit else { return false }
            waiting.append((now + Self.lateness, profile, key))
            return true
        }

        mutating func take(at now: Instant) -> (profile: String, key: [UInt8])? {
            guard head < waiting.count, waiting[head].due <= now else { return nil }
            defer {
                head += 1
                if head > 1024, head > waiting.count / 2 {
                    waiting.removeFirst(head)
                    head = 0
                }
            }
            return (waiting[head].profile, waiting[head].key)
        }
    }

    func takeOutEnded(at now: Instant) {
        while let (profile, key) = endings.take(at: now) {
            // Its switch ends it where its address is, and who registered again meanwhile is known.
            guard books[profile] == nil,
                replica.record(.registration, key: key, in: .address(profile)) == nil
            else { continue }
            takeOut(key, of: profile)
        }
    }
}
