import EventSocket
import NIOCore
import NIOPosix
import Primitives
import Replication
import Switch

// What would hold up the loop when there are a hundred thousand phones: listings are read on another thread, and
// all else goes on for a moment at a time, so that events and calls come between.

extension RegistrationSharing {
    /// Registrations looked at in one slice: about half a millisecond.
    static let sliceSize = 128
    /// Between two slices; without a pause the loop would not look at its sockets.
    private static let slicePause: TimeAmount = .microseconds(200)
    /// Between two listings of one profile that nothing but doubt asks for, at least and at most.
    private static let listingPause: Duration = .seconds(5)
    private static let longestListingPause: Duration = .seconds(300)
    /// Long listings are a load: a profile is listed so small a part of the time.
    private static let listingShare = 20

    func sliceSoon() {
        guard !isSlicing, !isStopped else { return }
        isSlicing = true
        loop.assumeIsolated().scheduleTask(in: Self.slicePause) { [weak self] in
            guard let self else { return }
            isSlicing = false
            if !isStopped, slice() { sliceSoon() }
        }
    }

    /// - Returns: whether there is more to do now.
    private func slice() -> Bool {
        let now = Instant.now()
        for name in books.keys.sorted() {
            if books[name]?.adoption != nil {
                adoptSome(name, at: now)
                return true
            }
            if books[name]?.book.isComparing == true {
                compareSome(name, at: now)
                return true
            }
        }
        if auditSome(at: now) { return true }
        return offerSome(at: now)
    }

    // MARK: - Addresses that came here

    private func adoptSome(_ name: String, at now: Instant) {
        guard let adoption = books[name]?.adoption else { return }
        let (records, next) = replica.page(
            of: .address(name), after: adoption.cursor, limit: Self.sliceSize, at: now)
        let registrations = records.filter { $0.kind == .registration }.compactMap { try? $0.registration() }
        let unknown = registrations.filter { !isKnown($0, to: name) }
        write(books[name]?.book.adopt(registrations, at: now) ?? [], to: name)
        for registration in unknown
        where isRetired(registration, at: name)
            || adoption.wasUnheld && hasNewer(registration, than: name)
        {
            takeOut(RetiredRegistration(registration, at: now, isFinal: true), at: now)
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
        if next == nil { tend() } else if adoption.isInjected { pump() }
    }

    private func isKnown(_ registration: Registration, to name: String) -> Bool {
        books[name].map { $0.book.registration($0.book.key(of: registration)) != nil } ?? false
    }

    // MARK: - Listings

    func list(_ profile: String) {
        let asked = Instant.now()
        listings += 1
        let number = listings
        books[profile]?.listing = number
        books[profile]?.book.beginListing(at: asked)
        link.api("sofia xmlstatus profile \(profile) reg") { [weak self] result in
            guard let self, books[profile]?.listing == number else { return }
            if case .success(let answer) = result {
                read(answer.body, profile, number, asked: asked)
            } else {
                listed(.none, profile, asked: asked)
            }
        }
    }

    private func read(_ body: [UInt8], _ profile: String, _ number: UInt64, asked: Instant) {
        read(body, profile) { [weak self] listing in
            guard let self, books[profile]?.listing == number else { return }
            listed(listing, profile, asked: asked)
        }
    }

    func read(_ body: [UInt8], _ profile: String, _ then: @escaping (ListedRegistrations?) -> Void) {
        let (mode, now) = (mode, Instant.now())
        let reading = NIOThreadPool.singleton.runIfActive(eventLoop: loop) {
            let listing = try RegistrationListing(
                reading: body, profile: profile, at: now, lateMargin: Self.lateMargin)
            return ListedRegistrations(listing, mode: mode)
        }
        reading.assumeIsolated().whenComplete { [weak self] result in
            if case .failure(let failure) = result {
                self?.log.warning("registration", profile, "\(failure)")
            }
            then(try? result.get())
        }
    }

    private func listed(_ listed: ListedRegistrations?, _ profile: String, asked: Instant) {
        let now = Instant.now()
        let pause = min((now - asked) * Self.listingShare, Self.longestListingPause)
        books[profile]?.nextListing = now + max(Self.listingPause, pause)
        if let listed {
            books[profile]?.book.finishListing(listed)
            books[profile]?.isWitness = true
            audited.insert(profile)
        } else {
            books[profile]?.book.failListing()
        }
        if books[profile]?.book.isComparing == true {
            sliceSoon()
        } else {
            books[profile]?.listing = nil
            tend()
        }
    }

    private func compareSome(_ profile: String, at now: Instant) {
        write(books[profile]?.book.compare(atMost: Self.sliceSize, at: now) ?? [], to: profile)
        guard books[profile]?.book.isComparing == false else { return }
        books[profile]?.listing = nil
        tend()
    }

    // MARK: - Everything that others hold

    func beginPass() {
        queue.beginPass()
        let streams = replica.streams.filter { stream in
            guard case .address(let name) = stream else { return false }
            return books[name] == nil && isWanted(name)
        }
        pass = Pass(streams: streams)
        sliceSoon()
    }

    /// - Returns: whether there is more, and room for it.
    private func offerSome(at now: Instant) -> Bool {
        guard isUp, let stream = pass?.streams.first else {
            if pass?.streams.isEmpty == true { endPass() }
            return false
        }
        guard queue.hasRoomForPass else { return false }
        var next: PageCursor?
        // What came here meanwhile is offered as it is adopted.
        if case .address(let name) = stream, books[name] == nil, isWanted(name) {
            let page = replica.page(of: stream, after: pass?.cursor, limit: Self.sliceSize, at: now)
            for record in page.records where record.kind == .registration {
                guard let registration = try? record.registration(), !isOut(registration, at: name) else {
                    continue
                }
                _ = queue.offer(.present(registration), mode: mode)
            }
            next = page.next
        }
        pass?.cursor = next
        if next == nil { pass?.streams.removeFirst() }
        if pass?.streams.isEmpty == true { endPass() }
        pump()
        return pass != nil && queue.hasRoomForPass
    }

    private func endPass() {
        pass = nil
        queue.endPass()
    }
}
