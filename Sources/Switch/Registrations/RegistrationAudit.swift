import Primitives
import Replication

/// What a profile has of its own, held against what is known.
///
/// A switch keeps registrations in a file that outlives its process and its machine, and what phones did meanwhile it was not
/// told: who took a registration back, or moved, would ring at the old place again, and be told to all nodes once the address
/// came. The listing is taken again until nothing contradicts any more.
package struct RegistrationAudit: Sendable {
    package struct Settings: Hashable, Sendable {
        /// How long a row nobody told of may have its event under way; none where no phone can register.
        package var patience: Duration
        /// How far the switch's own tables lag behind what it was told.
        package var lag: Duration = .seconds(2)
        /// As often a listing is taken that still contradicts.
        package var rounds = 5
        /// How long after its end a row is still the switch's business: `sip-expires-late-margin` and the time until it looks.
        package var lateness: Duration = .seconds(120)

        package init(patience: Duration) { self.patience = patience }
    }

    package enum Correction: Hashable, Sendable {
        /// Nobody knows of it.
        case absent(RegistrationName)
        /// It is known otherwise than the row says.
        case present(Registration, insteadOf: RegistrationName)
    }

    private enum Phase: Sendable {
        /// For the instant at which a listing is to be asked for.
        case waiting(until: Instant)
        case listing
        case comparing(ListedRegistrations, place: Int)
        /// Rows that contradicted, until their events would have come.
        case doubting(until: Instant)
        case judging(place: Int)
        case done
    }

    package let settings: Settings
    private var phase: Phase
    private var round = 0
    private var suspects: [ListedRegistrations.Row] = []

    /// - Parameter due: when to begin.
    package init(settings: Settings, due: Instant) {
        self.settings = settings
        phase = .waiting(until: due)
    }

    package var isDone: Bool { if case .done = phase { true } else { false } }

    /// Whether there is more to `work` at once.
    package var isWorking: Bool {
        switch phase {
        case .comparing, .judging: true
        case .waiting, .listing, .doubting, .done: false
        }
    }

    /// When to `tick`; nil when an answer must come first, or there is nothing to wait for.
    package var nextDeadline: Instant? {
        switch phase {
        case .waiting(let due), .doubting(let due): due
        case .listing, .comparing, .judging, .done: nil
        }
    }

    /// - Returns: whether a listing is to be asked for now.
    package mutating func tick(at now: Instant) -> Bool {
        switch phase {
        case .waiting(let due) where due <= now:
            phase = .listing
            return true
        case .doubting(let due) where due <= now: phase = .judging(place: 0)
        case .waiting, .listing, .comparing, .doubting, .judging, .done: break
        }
        return false
    }

    /// The listing that was asked for came, or none that can be used.
    package mutating func listed(_ listed: ListedRegistrations?, at now: Instant) {
        guard case .listing = phase else { return }
        suspects = []
        phase = listed.map { .comparing($0, place: 0) } ?? .waiting(until: now + settings.lag)
    }

    /// The switch cannot be asked now.
    package mutating func interrupted(at now: Instant) {
        if case .listing = phase { phase = .waiting(until: now) }
    }

    /// Looks at about so many rows.
    ///
    /// - Parameter known: what is known under a key.
    package mutating func work(
        atMost limit: Int, at now: Instant, known: (RegistrationKey) -> Registration?
    ) -> [Correction] {
        switch phase {
        case .comparing(let listed, let place):
            let end = min(place + limit, listed.rows.count)
            for row in listed.rows[place..<end] where correction(of: row, at: now, known) != nil {
                suspects.append(row)
            }
            if end < listed.rows.count {
                phase = .comparing(listed, place: end)
            } else {
                phase = suspects.isEmpty ? .done : .doubting(until: now + settings.patience)
            }
            return []
        case .judging(let place):
            let end = min(place + limit, suspects.count)
            let corrections = suspects[place..<end].compactMap { correction(of: $0, at: now, known) }
            phase = .judging(place: end)
            if end == suspects.count { endRound(at: now) }
            return corrections
        case .waiting, .listing, .doubting, .done: return []
        }
    }

    private mutating func endRound(at now: Instant) {
        suspects = []
        round += 1
        phase = round < settings.rounds ? .waiting(until: now + settings.lag) : .done
    }

    private func correction(
        of row: ListedRegistrations.Row, at now: Instant, _ known: (RegistrationKey) -> Registration?
    ) -> Correction? {
        let name = RegistrationName(row.registration)
        if let known = known(row.key) {
            let isSame =
                known.callID == row.registration.callID && known.contact == row.registration.contact
            return isSame ? nil : .present(known, insteadOf: name)
        }
        // Its time ran out a moment ago, and the switch takes it out by itself.
        let over = now - row.registration.expires
        return over >= .zero && over < settings.lateness ? nil : .absent(name)
    }
}
