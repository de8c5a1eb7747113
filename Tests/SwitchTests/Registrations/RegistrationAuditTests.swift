import Primitives
import Replication
import Switch
import Testing

private let start = Instant.zero + .seconds(1000)

@Suite("What a switch has from another time is held against what is known")
struct RegistrationAuditTests {
    private func row(_ user: String, _ contact: String, _ callID: String, left: Int = 300) -> Registration {
        Registration(
            profile: "alpha", user: user, host: "h", contact: contact, callID: callID,
            expires: start + .seconds(left))
    }

    private func listed(_ rows: [Registration], _ mode: RegistrationMode) -> ListedRegistrations {
        ListedRegistrations(RegistrationListing(profile: "alpha", registrations: rows), mode: mode)
    }

    /// One listing, and what is corrected by it; the second look is taken at what is known by then.
    private func corrections(
        _ audit: inout RegistrationAudit, _ rows: [Registration], _ mode: RegistrationMode,
        known: [Registration], later: [Registration]? = nil, at now: Instant
    ) -> [RegistrationAudit.Correction] {
        func find(_ known: [Registration], _ key: RegistrationKey) -> Registration? {
            known.first { RegistrationKey($0, mode: mode) == key }
        }
        let asks = audit.tick(at: now)
        #expect(asks)
        audit.listed(listed(rows, mode), at: now)
        while audit.isWorking { _ = audit.work(atMost: 1, at: now) { find(known, $0) } }
        guard let due = audit.nextDeadline else { return [] }
        let asksAgain = audit.tick(at: due)
        #expect(!asksAgain)
        var all: [RegistrationAudit.Correction] = []
        while audit.isWorking { all += audit.work(atMost: 1, at: due) { find(later ?? known, $0) } }
        return all
    }

    @Test("gone, moved and unchanged rows, for each way to tell registrations apart") func kinds() {
        for mode in RegistrationMode.allCases {
            var audit = RegistrationAudit(settings: .init(patience: .zero), due: start)
            let same = row("1", "<sip:1@a>", "c1")
            let gone = row("2", "<sip:2@a>", "c2")
            let moved = row("3", "<sip:3@new>", mode == .callID ? "c3" : "c4")
            let old = row("3", mode == .contact ? "<sip:3@new>" : "<sip:3@old>", "c3")
            let told = corrections(&audit, [same, gone, old], mode, known: [same, moved], at: start)
            #expect(
                Set(told) == [
                    .absent(RegistrationName(gone)), .present(moved, insteadOf: RegistrationName(old)),
                ])
            // It is looked at again until nothing contradicts.
            #expect(!audit.isDone)
            let again = corrections(
                &audit, [same, moved], mode, known: [same, moved], at: start + .seconds(2))
            #expect(again.isEmpty)
            #expect(audit.isDone)
        }
    }

    @Test("a row whose event was under way stays") func events() {
        var audit = RegistrationAudit(settings: .init(patience: .seconds(2)), due: start)
        let new = row("1", "<sip:1@a>", "c1")
        #expect(corrections(&audit, [new], .single, known: [], later: [new], at: start).isEmpty)
    }

    @Test("a row whose time ran out a moment ago is the switch's business, one of long ago is not")
    func expired() {
        var audit = RegistrationAudit(settings: .init(patience: .zero), due: start)
        let late = row("1", "<sip:1@a>", "c1", left: -60)
        let old = row("2", "<sip:2@a>", "c2", left: -121)
        #expect(
            corrections(&audit, [late, old], .single, known: [], at: start)
                == [.absent(RegistrationName(old))])
    }

    @Test("a listing that did not come is asked for again, and a switch that never obeys is left alone")
    func stubborn() {
        var audit = RegistrationAudit(settings: .init(patience: .zero), due: start)
        let early = audit.tick(at: start - .nanoseconds(1))
        let first = audit.tick(at: start)
        audit.listed(nil, at: start)
        #expect(audit.nextDeadline == start + .seconds(2))
        let second = audit.tick(at: start + .seconds(2))
        #expect([early, first, second] == [false, true, true])
        audit.interrupted(at: start + .seconds(3))
        var rounds = 0
        while !audit.isDone, let due = audit.nextDeadline {
            rounds += 1
            _ = corrections(&audit, [row("1", "<sip:1@a>", "c1")], .single, known: [], at: due)
        }
        #expect(rounds == 5)
    }
}
