import EventSocket
import Primitives
import Replication
import Switch
import Testing

private let start = Instant.zero + .seconds(1000)

extension RegistrationBook {
    /// The whole of a listing, so much of it at a time.
    fileprivate mutating func finishListing(
        _ listing: RegistrationListing?, slice: Int = 1, at now: Instant
    ) -> [Change] {
        guard let listing else {
            failListing()
            return []
        }
        finishListing(ListedRegistrations(listing, mode: settings.mode))
        var changes: [Change] = []
        while isComparing { changes += compare(atMost: slice, at: now) }
        return changes
    }
}

/// The authoritative registrations of a profile.
@Suite struct RegistrationBookTests {
    private func book(_ mode: RegistrationMode, limit: Int = 100) -> RegistrationBook {
        var settings = RegistrationBook.Settings(mode: mode)
        settings.limit = limit
        return RegistrationBook(profile: "svcA", settings: settings)
    }

    private func event(
        _ kind: String, _ user: String = "1001", callID: String = "c1",
        contact: String = "<sip:1001@192.0.2.7>",
        expires: Int = 120, profile: String = "svcA"
    ) -> SwitchEvent {
        let isExpiry = kind == "expire"
        return SwitchEvent(
            headers: Headers([
                .init("Event-Name", "CUSTOM"), .init("Event-Subclass", "sofia::\(kind)"),
                .init("profile-name", profile), .init(isExpiry ? "user" : "from-user", user),
                .init(isExpiry ? "host" : "from-host", "h"), .init("contact", contact),
                .init("call-id", callID), .init("expires", "\(expires)"),
            ]))
    }

    private func words(_ changes: [RegistrationBook.Change]) -> [String] {
        changes.map { change in
            switch change {
            case .put(_, let registration, let old):
                "put \(registration.user) \(registration.callID)" + (old.map { " for \($0)" } ?? "")
            case .removed(_, let registration, let reason):
                "removed \(registration.user) \(registration.callID) \(reason)"
            }
        }
    }

    @Test("the recorded life of three phones comes out as changes") func recorded() throws {
        var book = book(.single)
        var told: [String] = []
        for event in try Recordings.events("events_registration_plain.raw") {
            told += words(try book.handle(event, at: start + .seconds(told.count)))
        }
        #expect(
            told == [
                "put 1001 reg-1001", "put 1001 reg-1001", "put 1002 reg-1002", "put 1003 reg-1003",
                "removed 1001 reg-1001 unregistered", "removed 1002 reg-1002 expired",
            ])
        #expect(book.registrations.map(\.user) == ["1003"])
    }

    @Test("a second REGISTER replaces by user, by Call-ID or by contact, as the profile says") func modes()
        throws
    {
        var told: [RegistrationMode: [String]] = [:]
        for mode in RegistrationMode.allCases {
            var book = book(mode)
            told[mode] = try words(
                book.handle(event("register"), at: start)
                    + book.handle(event("register", callID: "c2"), at: start)
                    + book.handle(event("register", callID: "c2", contact: "<sip:1001@192.0.2.8>"), at: start)
            )
            #expect(book.count == (mode == .single ? 1 : 2))
        }
        #expect(told[.single] == ["put 1001 c1", "put 1001 c2 for c1", "put 1001 c2"])
        #expect(told[.callID] == ["put 1001 c1", "put 1001 c2", "put 1001 c2"])
        // Receivers, which go by Call-ID, have to drop c1 first.
        #expect(told[.contact] == ["put 1001 c1", "put 1001 c2 for c1", "put 1001 c2"])
    }

    @Test("events of other profiles, and ends of what is not known, change nothing") func foreign() throws {
        var book = book(.callID)
        book.beginListing(at: start)
        #expect(book.finishListing(.init(profile: "svcA"), at: start).isEmpty)
        #expect(try book.handle(event("register", profile: "svcB"), at: start).isEmpty)
        #expect(try book.handle(event("expire"), at: start).isEmpty)
        #expect(!book.wantsListing)
        #expect(try book.handle(event("unregister", callID: "unheard"), at: start).isEmpty)
        // The switch may have removed something else for it.
        #expect(book.wantsListing)
    }

    @Test("an expiry of a row that was replaced or refreshed meanwhile removes nothing") func lateExpiry()
        throws
    {
        var book = book(.contact)
        _ = try book.handle(event("register", callID: "c1"), at: start)
        _ = try book.handle(event("register", callID: "c2"), at: start + .seconds(100))
        #expect(try book.handle(event("expire", callID: "c1"), at: start + .seconds(200)).isEmpty)
        #expect(try book.handle(event("expire", callID: "c2"), at: start + .seconds(200)).isEmpty)
        #expect(
            words(try book.handle(event("expire", callID: "c2"), at: start + .seconds(280)))
                == ["removed 1001 c2 expired"])
    }

    @Test("a listing mends what events were lost") func reconciliation() throws {
        var book = book(.single)
        _ = try book.handle(event("register", "1"), at: start)
        _ = try book.handle(event("register", "2"), at: start)
        _ = try book.handle(event("register", "3"), at: start)
        let later = start + .seconds(30)
        book.beginListing(at: later)
        var one = try #require(book.registrations.first { $0.user == "1" })
        // One second off: the listing counts whole seconds.
        one.expires = one.expires - .seconds(1)
        one.status = "Registered"
        var three = try #require(book.registrations.first { $0.user == "3" })
        three.expires += .seconds(30)
        var four = three
        four.user = "4"
        let changes = book.finishListing(
            .init(profile: "svcA", registrations: [four, three, one]), at: later)
        #expect(words(changes) == ["put 4 c1", "put 3 c1", "removed 2 c1 absent"])
        #expect(book.registrations.map(\.user) == ["1", "3", "4"])
    }

    @Test("an event is newer than a listing that was under way") func race() throws {
        var book = book(.single)
        _ = try book.handle(event("register", "old"), at: start)
        let asked = start + .seconds(30)
        _ = try book.handle(event("register", "before"), at: asked - .milliseconds(300))
        let gone = try #require(book.registrations.first { $0.user == "old" })
        book.beginListing(at: asked)
        _ = try book.handle(event("register", "since"), at: asked + .milliseconds(1))
        _ = try book.handle(event("unregister", "old"), at: asked + .milliseconds(2))
        let changes = book.finishListing(
            .init(profile: "svcA", registrations: [gone]), at: asked + .seconds(1))
        #expect(changes.isEmpty)
        #expect(
            book.registrations.map(\.user) == ["before", "since"].sorted { $0.utf8.count < $1.utf8.count })
    }

    @Test("what an event tells between two parts of a comparison is newer than the listing") func slices()
        throws
    {
        var book = book(.single)
        for user in ["1", "2", "3"] { _ = try book.handle(event("register", user), at: start) }
        let asked = start + .seconds(30)
        let known = book.registrations
        book.beginListing(at: asked)
        // It has another contact for the first two, and lacks the third.
        let listed = known.prefix(2).map { registration in
            var listed = registration
            listed.contact = "<sip:listed@192.0.2.9>"
            return listed
        }
        book.finishListing(
            ListedRegistrations(.init(profile: "svcA", registrations: listed), mode: .single))
        #expect(words(book.compare(atMost: 1, at: asked)) == ["put 1 c1"])
        _ = try book.handle(event("unregister", "2"), at: asked + .milliseconds(1))
        _ = try book.handle(event("register", "3", expires: 900), at: asked + .milliseconds(1))
        _ = try book.handle(event("register", "4"), at: asked + .milliseconds(1))
        var changes: [RegistrationBook.Change] = []
        while book.isComparing { changes += book.compare(atMost: 1, at: asked + .milliseconds(2)) }
        #expect(changes.isEmpty)
        #expect(book.registrations.map(\.user) == ["1", "3", "4"])
        #expect(!book.wantsListing)
    }

    @Test("of what is adopted bit by bit, the switch's own events meanwhile are newer")
    func adoptedMeanwhile() throws {
        var before = book(.single)
        for user in ["1", "2", "3"] { _ = try before.handle(event("register", user), at: start) }
        let had = before.registrations
        var book = book(.single)
        let now = start + .seconds(10)
        book.beginAdoption(at: now)
        #expect(book.adopt([had[0]], at: now).isEmpty)
        _ = try book.handle(event("register", "2", callID: "new"), at: now)
        #expect(try book.handle(event("unregister", "3"), at: now).isEmpty)
        #expect(words(book.adopt(Array(had[1...]), at: now)) == ["removed 3 c1 unregistered"])
        book.endAdoption()
        #expect(book.registrations.map(\.callID) == ["c1", "new"])
        // Without an adoption under way nothing is taken over.
        #expect(book.adopt(had, at: now).isEmpty && book.count == 2)
    }

    @Test("a listing with an unreadable entry takes nothing away, a failed one changes nothing")
    func unreadable() throws {
        var book = book(.single)
        _ = try book.handle(event("register"), at: start)
        book.beginListing(at: start + .seconds(30))
        let listing = RegistrationListing(profile: "svcA", registrations: [], problems: ["one is damaged"])
        #expect(book.finishListing(listing, at: start + .seconds(31)).isEmpty)
        book.beginListing(at: start + .seconds(40))
        #expect(book.finishListing(nil, at: start + .seconds(41)).isEmpty)
        #expect(book.wantsListing && book.count == 1)
    }

    @Test("what is long over goes without any event") func overdue() throws {
        var book = book(.single)
        _ = try book.handle(event("register", "1", expires: 60), at: start)
        _ = try book.handle(event("register", "2", expires: 600), at: start)
        _ = try book.handle(event("register", "1", expires: 300), at: start + .seconds(30))
        var told: [String] = []
        var looked = 0
        while let deadline = book.nextDeadline, deadline < start + .seconds(3600) {
            told += words(book.sweep(at: deadline)).map {
                "\($0) at \((deadline - start).components.seconds / 60)"
            }
            looked += 1
        }
        #expect(told == ["removed 1 c1 overdue at 7", "removed 2 c1 overdue at 12"])
        #expect(looked <= 4)
        #expect(book.nextDeadline == nil)
    }

    @Test("a book that is full refuses, and says so") func full() throws {
        var book = book(.single, limit: 1)
        _ = try book.handle(event("register", "1"), at: start)
        #expect(try book.handle(event("register", "2"), at: start).isEmpty)
        #expect(!(try book.handle(event("register", "1", callID: "c2"), at: start).isEmpty))
        #expect(book.refused == 1 && book.count == 1)
    }

    @Test("after a takeover the replica's registrations are the book's, and end with this switch's events")
    func adopted() throws {
        var book = book(.single)
        let registration = Registration(
            profile: "svcA", user: "1001", host: "h", contact: "<sip:1001@192.0.2.7>", callID: "c1",
            expires: start + .seconds(30))
        book.beginAdoption(at: start)
        #expect(book.adopt([registration], at: start).isEmpty)
        book.endAdoption()
        #expect(book.wantsListing)
        #expect(
            words(try book.handle(event("expire"), at: start + .seconds(91))) == ["removed 1001 c1 expired"])
    }

    @Test(
        "whatever is lost, a listing after calm makes book and switch equal, and replicas too",
        arguments: 0..<40)
    func convergence(seed: UInt64) throws {
        var chance = SeededGenerator(seed: seed)
        let mode = RegistrationMode.allCases[Int(seed) % 3]
        var book = book(mode, limit: 1000)
        var truth: [RegistrationKey: Registration] = [:]
        var replica: [RegistrationKey: Registration] = [:]
        var now = start
        func apply(_ changes: [RegistrationBook.Change]) {
            for change in changes {
                switch change {
                case .put(let key, let registration, _): replica[key] = registration
                case .removed(let key, _, _): replica[key] = nil
                }
            }
        }
        for _ in 0..<300 {
            now += .milliseconds(Int64.random(in: 1...3000, using: &chance))
            let user = "u\(Int.random(in: 0..<12, using: &chance))"
            let event = event(
                Bool.random(using: &chance) ? "register" : "unregister", user,
                callID: "c\(Int.random(in: 0..<3, using: &chance))",
                contact: "<sip:\(user)@192.0.2.\(Int.random(in: 1...2, using: &chance))>", expires: 7200)
            switch try #require(try RegistrationEvent(event, at: now)) {
            case .registered(let registration):
                truth[RegistrationKey(registration, mode: mode)] = registration
            case .unregistered(let name), .expired(let name): truth[RegistrationKey(name, mode: mode)] = nil
            }
            if Int.random(in: 0..<4, using: &chance) > 0 { apply(try book.handle(event, at: now)) }
        }
        now += .seconds(10)
        book.beginListing(at: now)
        let listed = truth.sorted { $0.key < $1.key }.map(\.value)
        apply(
            book.finishListing(
                .init(profile: "svcA", registrations: listed), slice: Int(seed) + 1, at: now))
        #expect(book.registrations.map(\.contact) == listed.map(\.contact))
        #expect(book.registrations.map(\.callID) == listed.map(\.callID))
        #expect(replica.sorted { $0.key < $1.key }.map(\.value) == book.registrations)
    }

    @Test("a registration goes when its user has a newer one elsewhere, unless it is newer itself")
    func superseded()
        throws
    {
        var book = book(.single)
        _ = try book.handle(event("register"), at: start)
        let older = RegistrationName(try #require(book.registrations.first))
        _ = try book.handle(event("register", contact: "<sip:1001@192.0.2.8>"), at: start)
        #expect(book.supersede(by: older, at: start) == [])
        let newer = RegistrationName(try #require(book.registrations.first))
        let changes = book.supersede(by: newer, at: start)
        guard case .removed(_, _, .superseded) = try #require(changes.first) else {
            Issue.record("\(changes)")
            return
        }
        #expect(book.count == 0)
        var several = self.book(.contact)
        _ = try several.handle(event("register"), at: start)
        var other = older
        other.contact = "<sip:1001@192.0.2.8>"
        #expect(several.supersede(by: other, at: start) == [])
        #expect(several.supersede(by: older, at: start).count == 1)
    }

    @Test("who logs out is known by the Call-ID, by where the phone is, or says that it means all")
    func samePhone() throws {
        var book = book(.single)
        _ = try book.handle(
            event("register", contact: "\"A\" <sip:1001@192.0.2.8:5062;fs_nat=yes>"), at: start)
        let registration = try #require(book.registrations.first)
        func means(_ contact: String, _ callID: String) -> Bool {
            var name = RegistrationName(registration)
            (name.contact, name.callID) = (contact, callID)
            return name.isSamePhone(as: registration)
        }
        #expect(means("", registration.callID))
        #expect(means("<sip:1001@192.0.2.8:5062>;expires=0", "another"))
        #expect(means("<sip:*>", "another"))
        #expect(means("*", "another"))
        #expect(!means("<sip:1001@192.0.2.8:5063>", "another"))
        #expect(!means("", ""))
    }
}
