import EventSocket
import Primitives
import Replication

/// The authoritative registrations of one profile, on the node whose switch has the phones.
///
/// Events change it at once; a listing taken from time to time mends what events were lost. Every change comes
/// out once, for the replicas.
package struct RegistrationBook: Sendable {
    package struct Settings: Hashable, Sendable {
        /// The profile's `multiple-registrations`.
        package var mode: RegistrationMode
        /// The profile's `sip-expires-late-margin`: the switch keeps a registration that much longer.
        package var lateMargin: Duration = .seconds(60)
        /// How long the switch may take to look for expired ones (`registration-thread-frequency`), and some.
        package var sweepDelay: Duration = .seconds(60)
        /// How far the switch's own tables lag behind its events.
        package var lag: Duration = .seconds(2)
        /// The most registrations that are kept.
        package var limit = 2_000_000

        package init(mode: RegistrationMode) { self.mode = mode }
    }

    package enum Change: Hashable, Sendable {
        /// `supersedes`: the Call-ID the same contact had before, which receivers must unregister first.
        case put(RegistrationKey, Registration, supersedes: String?)
        /// The registration as it was last known.
        case removed(RegistrationKey, Registration, RemovalReason)

        package var key: RegistrationKey {
            switch self {
            case .put(let key, _, _), .removed(let key, _, _): key
            }
        }
    }

    package enum RemovalReason: Hashable, Sendable {
        case unregistered
        case expired
        /// A listing does not have it.
        case absent
        /// Neither an event nor a listing told of its end, and it is long over.
        case overdue
        /// The phone registered at another address since, or logged out there.
        case superseded
    }

    private struct Entry {
        var registration: Registration
        /// When an event last told of it.
        var heard: Instant
        /// The bucket of `agenda` it stands in.
        var bucket: Int64
    }

    package let profile: String
    package let settings: Settings
    /// An event did not fit what is known: take a listing.
    package private(set) var wantsListing = true
    /// Registrations that found no room.
    package private(set) var refused: UInt64 = 0
    private var entries: [RegistrationKey: Entry] = [:]
    /// Which entries are looked at in which stretch of 8 s; each entry stands in one of them.
    private var agenda: [Int64: [RegistrationKey]] = [:]
    private var nextBucket: Int64?
    /// Removed a moment ago: the switch's tables may still have them.
    private var departed: [RegistrationKey: Instant] = [:]
    private var listingBegan: Instant?
    private var comparison: Comparison?
    private var adoptionBegan: Instant?

    /// How far a listing has been compared.
    private struct Comparison {
        var listed: ListedRegistrations
        /// Of the next row.
        var place = 0
        /// The last bucket whose entries were looked for in it.
        var bucket = Int64.min
    }

    package init(profile: String, settings: Settings) {
        self.profile = profile
        self.settings = settings
    }

    package var count: Int { entries.count }
    /// Sorted by key.
    package var registrations: [Registration] {
        entries.sorted { $0.key < $1.key }.map(\.value.registration)
    }
    package func registration(_ key: RegistrationKey) -> Registration? { entries[key]?.registration }
    package func key(of registration: Registration) -> RegistrationKey {
        RegistrationKey(registration, mode: settings.mode)
    }

    /// What one event of this switch changes; events of other profiles and kinds change nothing.
    ///
    /// - Throws: when the event lacks what names the registration.
    package mutating func handle(_ event: SwitchEvent, at now: Instant) throws(SwitchFailure) -> [Change] {
        guard event["profile-name"] == profile, let told = try RegistrationEvent(event, at: now) else {
            return []
        }
        return handle(told, at: now)
    }

    /// The same, of an event of this profile that was read already.
    package mutating func handle(_ told: RegistrationEvent, at now: Instant) -> [Change] {
        switch told {
        case .registered(let registration): return put(registration, heard: now)
        case .unregistered(let name): return unregistered(name, at: now)
        case .expired(let name): return expired(name, at: now)
        }
    }

    private mutating func put(_ registration: Registration, heard: Instant) -> [Change] {
        let key = key(of: registration)
        let old = entries[key]
        if old == nil, entries.count >= settings.limit {
            refused += 1
            return []
        }
        let bucket = schedule(key, registration, already: old?.bucket)
        entries[key] = Entry(registration: registration, heard: heard, bucket: bucket)
        departed[key] = nil
        if old?.registration == registration { return [] }
        let before = old?.registration.callID
        return [.put(key, registration, supersedes: before == registration.callID ? nil : before)]
    }

    private mutating func remove(
        _ key: RegistrationKey, _ reason: RemovalReason, at now: Instant
    ) -> [Change] {
        guard let entry = entries.removeValue(forKey: key) else { return [] }
        forgetDeparted(at: now)
        departed[key] = now
        return [.removed(key, entry.registration, reason)]
    }

    /// The phone has registered at another address, or logged out there.
    ///
    /// - Parameter older: what is over; one that came here meanwhile stays.
    package mutating func supersede(by older: RegistrationName, at now: Instant) -> [Change] {
        let key = RegistrationKey(older, mode: settings.mode)
        guard let entry = entries[key], RegistrationName(entry.registration).isSameRow(as: older) else {
            return []
        }
        return remove(key, .superseded, at: now)
    }

    private mutating func unregistered(_ name: RegistrationName, at now: Instant) -> [Change] {
        let key = RegistrationKey(name, mode: settings.mode)
        // `Contact: *`, or another Call-ID: the switch knows which of them went, the event does not tell.
        if entries[key] == nil {
            wantsListing = true
            // The replica may still have it, and is not adopted that far.
            if adoptionBegan != nil { departed[key] = now }
        }
        return remove(key, .unregistered, at: now)
    }

    private mutating func expired(_ name: RegistrationName, at now: Instant) -> [Change] {
        let key = RegistrationKey(name, mode: settings.mode)
        guard let entry = entries[key] else { return [] }
        // The row that expired has been replaced meanwhile.
        if !name.callID.isEmpty, name.callID != entry.registration.callID { return [] }
        // A refresh came between the switch's look and its event.
        if entry.registration.expires - now > settings.lag {
            wantsListing = true
            return []
        }
        return remove(key, .expired, at: now)
    }
}

// MARK: - Takeovers

extension RegistrationBook {
    /// What a replica has comes now, in any number of parts.
    package mutating func beginAdoption(at now: Instant) { adoptionBegan = now }

    /// Takes over what a replica had: the switch here has it by injection and will tell of its end.
    ///
    /// - Returns: what the switch ended since the adoption began. What it told of otherwise stays as it is.
    package mutating func adopt(_ registrations: [Registration], at now: Instant) -> [Change] {
        guard let began = adoptionBegan else { return [] }
        var changes: [Change] = []
        for registration in registrations where registration.profile == profile {
            let key = key(of: registration)
            if entries[key] != nil { continue }
            if let gone = departed[key], gone >= began {
                changes.append(.removed(key, registration, .unregistered))
            } else {
                _ = put(registration, heard: now)
            }
        }
        return changes
    }

    /// All that was to be adopted has been; a listing shall tell what was not known there.
    package mutating func endAdoption() {
        adoptionBegan = nil
        wantsListing = true
    }
}

// MARK: - Listings

extension RegistrationBook {
    /// A listing has been asked for: what happens from now on is newer than it.
    package mutating func beginListing(at now: Instant) {
        listingBegan = now
        wantsListing = false
    }

    /// The switch gave no listing, or none that can be used.
    package mutating func failListing() {
        listingBegan = nil
        comparison = nil
        wantsListing = true
    }

    /// The listing that was asked for came: `compare` it until it is over.
    package mutating func finishListing(_ listed: ListedRegistrations) {
        guard listingBegan != nil, listed.profile == profile, listed.mode == settings.mode else {
            return failListing()
        }
        comparison = Comparison(listed: listed)
    }

    /// Whether there is more to `compare`.
    package var isComparing: Bool { comparison != nil }

    /// Compares some more of the listing with what is known.
    ///
    /// - Parameter limit: about so many registrations are looked at.
    /// - Returns: how what is known differed. What an event told within `lag` before the question or since
    ///   stays as it is; a listing with unreadable entries takes nothing away.
    package mutating func compare(atMost limit: Int, at now: Instant) -> [Change] {
        guard let began = listingBegan, let comparison else { return [] }
        let settled = began - settings.lag
        let rows = comparison.listed.rows
        if comparison.place < rows.count {
            let end = min(comparison.place + limit, rows.count)
            self.comparison?.place = end
            var changes: [Change] = []
            for row in rows[comparison.place..<end] { changes += compare(row, settled) }
            return changes
        }
        if comparison.listed.isWhole, let changes = compareAbsent(comparison, limit, settled, at: now) {
            return changes
        }
        self.comparison = nil
        listingBegan = nil
        return []
    }

    private mutating func compare(_ row: ListedRegistrations.Row, _ settled: Instant) -> [Change] {
        if let gone = departed[row.key], gone >= settled { return [] }
        guard let entry = entries[row.key] else {
            return put(row.registration, heard: settled - .nanoseconds(1))
        }
        if entry.heard >= settled || !differs(entry.registration, row.registration) { return [] }
        return put(merged(entry.registration, row.registration), heard: entry.heard)
    }

    /// Takes away what a listing does not have, some buckets of it.
    ///
    /// Entries that change their bucket meanwhile are put further off by the clock, so they are still met, or were
    /// told of by an event and stay.
    ///
    /// - Returns: nil when there is nothing more to look at.
    private mutating func compareAbsent(
        _ comparison: Comparison, _ limit: Int, _ settled: Instant, at now: Instant
    ) -> [Change]? {
        let buckets = agenda.keys.filter { $0 > comparison.bucket }.sorted()
        guard !buckets.isEmpty else { return nil }
        var changes: [Change] = []
        var looked = 0
        for bucket in buckets where looked < limit {
            self.comparison?.bucket = bucket
            let keys = agenda[bucket] ?? []
            looked += keys.count
            let absent = keys.filter { key in
                entries[key].map { $0.heard < settled } == true && !comparison.listed.keys.contains(key)
            }
            for key in absent.sorted() { changes += remove(key, .absent, at: now) }
        }
        return changes
    }

    /// A listing tells whole seconds and knows less than an event.
    private func differs(_ known: Registration, _ listed: Registration) -> Bool {
        let drift = known.expires - listed.expires
        return known.callID != listed.callID || known.contact != listed.contact || drift > settings.lag
            || drift < .zero - settings.lag
    }

    private func merged(_ known: Registration, _ listed: Registration) -> Registration {
        var merged = known
        merged.callID = listed.callID
        merged.contact = listed.contact
        merged.networkIP = listed.networkIP
        merged.networkPort = listed.networkPort
        merged.expires = listed.expires
        return merged
    }

    private mutating func forgetDeparted(at now: Instant) {
        if departed.count < 4096 { return }
        let oldest = min(listingBegan ?? now, adoptionBegan ?? now) - settings.lag
        departed = departed.filter { $0.value >= oldest }
    }
}

// MARK: - Time

extension RegistrationBook {
    private static let bucketLength: Int64 = 8_000_000_000

    /// When to call `sweep`; nil while there is nothing that could end.
    package var nextDeadline: Instant? {
        nextBucket.map { Instant(nanoseconds: ($0 + 1) * Self.bucketLength) }
    }

    /// Removes what is so long over that the switch's own event must have been lost.
    package mutating func sweep(at now: Instant) -> [Change] {
        var changes: [Change] = []
        while let bucket = nextBucket, (bucket + 1) * Self.bucketLength <= now.nanoseconds {
            for key in (agenda.removeValue(forKey: bucket) ?? []).sorted() {
                guard let entry = entries[key], entry.bucket == bucket else { continue }
                if overdue(entry.registration) <= now {
                    changes += remove(key, .overdue, at: now)
                } else {
                    let bucket = schedule(key, entry.registration, already: nil)
                    entries[key]?.bucket = bucket
                }
            }
            nextBucket = agenda.keys.min()
        }
        return changes
    }

    private func overdue(_ registration: Registration) -> Instant {
        registration.expires + settings.lateMargin + settings.sweepDelay
    }

    /// An entry that is refreshed stays where it stands and is put further off when its bucket comes.
    private mutating func schedule(
        _ key: RegistrationKey, _ registration: Registration, already: Int64?
    ) -> Int64 {
        let bucket = overdue(registration).nanoseconds / Self.bucketLength
        if let already, already <= bucket { return already }
        agenda[bucket, default: []].append(key)
        nextBucket = min(nextBucket ?? bucket, bucket)
        return bucket
    }
}
