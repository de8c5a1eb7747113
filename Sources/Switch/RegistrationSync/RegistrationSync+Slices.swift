import Primitives
import Replication

// What would hold up the loop when there are a hundred thousand phones goes on for a moment at a time, so that events and calls
// come between.

extension RegistrationSync {
    /// Registrations looked at in one slice: about half a millisecond.
    static let sliceSize = 128
    /// Between two listings of one profile that nothing but doubt asks for, at least and at most.
    private static let listingPause: Duration = .seconds(5)
    private static let longestListingPause: Duration = .seconds(300)
    /// Long listings are a load: a profile is listed so small a part of the time.
    private static let listingShare = 20

    mutating func sliceSoon(_ turn: inout Turn) {
        guard !isSlicing else { return }
        isSlicing = true
        turn.effects.append(.slice)
    }

    /// - Returns: whether there is more to do now.
    mutating func slice(_ turn: inout Turn) -> Bool {
        for name in books.keys.sorted() {
            if books[name]?.adoption != nil {
                adoptSome(name, &turn)
                return true
            }
            if books[name]?.book.isComparing == true {
                compareSome(name, &turn)
                return true
            }
        }
        if auditSome(&turn) { return true }
        return offerSome(&turn)
    }

    // MARK: - Addresses that came here

    private mutating func adoptSome(_ name: String, _ turn: inout Turn) {
        guard let adoption = books[name]?.adoption else { return }
        let (records, next) = turn.view.page(
            of: .address(name), after: adoption.cursor, limit: Self.sliceSize)
        let registrations = records.filter { $0.kind == .registration }.compactMap { try? $0.registration() }
        let unknown = registrations.filter { !isKnown($0, to: name) }
        write(books[name]?.book.adopt(registrations, at: turn.now) ?? [], to: name, &turn)
        for registration in unknown
        where isRetired(registration, at: name, seeing: turn.view)
            || adoption.wasUnheld && hasNewer(registration, than: name, seeing: turn.view)
        {
            takeOut(retirement(of: registration, isFinal: true, at: turn.now), &turn)
        }
        if adoption.isInjected {
            for registration in unknown where isKnown(registration, to: name) {
                _ = queue.offer(.present(registration), mode: mode)
            }
        }
        books[name]?.adoption?.cursor = next
        if next == nil {
            books[name]?.adoption = nil
            books[name]?.book.endAdoption()
        }
        if next == nil { tend(&turn) } else if adoption.isInjected { pump(&turn) }
    }

    private func isKnown(_ registration: Registration, to name: String) -> Bool {
        books[name].map { $0.book.registration($0.book.key(of: registration)) != nil } ?? false
    }

    // MARK: - Listings

    mutating func list(_ profile: String, _ turn: inout Turn) {
        listings += 1
        books[profile]?.listing = listings
        books[profile]?.listingAsked = turn.now
        books[profile]?.book.beginListing(at: turn.now)
        turn.effects.append(.list(listings, profile: profile))
    }

    mutating func listed(_ number: UInt64, _ listing: ListedRegistrations?, _ turn: inout Turn) {
        if let name = books.first(where: { $0.value.listing == number })?.key {
            listed(listing, of: name, &turn)
        } else if let name = audits.first(where: { $0.value.listing == number })?.key {
            audit(name, listing, &turn)
        }
    }

    private mutating func listed(
        _ listed: ListedRegistrations?, of profile: String, _ turn: inout Turn
    ) {
        let lasted = turn.now - (books[profile]?.listingAsked ?? turn.now)
        let pause = min(lasted * Self.listingShare, Self.longestListingPause)
        books[profile]?.nextListing = turn.now + max(Self.listingPause, pause)
        if let listed {
            books[profile]?.book.finishListing(listed)
            books[profile]?.isWitness = true
            audited.insert(profile)
        } else {
            books[profile]?.book.failListing()
        }
        if books[profile]?.book.isComparing == true {
            sliceSoon(&turn)
        } else {
            books[profile]?.listing = nil
            tend(&turn)
        }
    }

    private mutating func compareSome(_ profile: String, _ turn: inout Turn) {
        write(
            books[profile]?.book.compare(atMost: Self.sliceSize, at: turn.now) ?? [], to: profile, &turn)
        guard books[profile]?.book.isComparing == false else { return }
        books[profile]?.listing = nil
        tend(&turn)
    }

    // MARK: - Everything that others hold

    mutating func beginPass(_ turn: inout Turn) {
        queue.beginPass()
        let streams = turn.view.streams.filter { stream in
            guard case .address(let name) = stream else { return false }
            return books[name] == nil && isWanted(name)
        }
        pass = Pass(streams: streams)
        sliceSoon(&turn)
    }

    /// - Returns: whether there is more, and room for it.
    private mutating func offerSome(_ turn: inout Turn) -> Bool {
        guard isUp, let stream = pass?.streams.first else {
            if pass?.streams.isEmpty == true { endPass() }
            return false
        }
        guard queue.hasRoomForPass else { return false }
        var next: PageCursor?
        // What came here meanwhile is offered as it is adopted.
        if case .address(let name) = stream, books[name] == nil, isWanted(name) {
            let page = turn.view.page(of: stream, after: pass?.cursor, limit: Self.sliceSize)
            for record in page.records where record.kind == .registration {
                guard let registration = try? record.registration(),
                    !isOut(registration, at: name, seeing: turn.view)
                else { continue }
                _ = queue.offer(.present(registration), mode: mode)
            }
            next = page.next
        }
        pass?.cursor = next
        if next == nil { pass?.streams.removeFirst() }
        if pass?.streams.isEmpty == true { endPass() }
        pump(&turn)
        return pass != nil && queue.hasRoomForPass
    }

    private mutating func endPass() {
        pass = nil
        queue.endPass()
    }
}
