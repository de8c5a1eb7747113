import Cluster
import Config
import Glibc
import Primitives
import Testing

@testable import Daemon

/// The newest registration of a phone counts, whoever holds the address of an older one, and a phone that logs out is out.
@Suite("Registrations at addresses that were let go", .serialized)
struct NewestRegistrationTests {
    /// Two machines that know each other; the first has alpha, the second beta.
    private func pair(_ registrations: SwitchAccess.Registrations = .single) throws -> (
        SharedSite, SharedSite
    ) {
        let one = try SharedSite("fs1", number: 10, registrations: registrations)
        let two = try SharedSite("fs2", number: 11, registrations: registrations)
        one.meet(two)
        for site in [one, two] { #expect(site.reports.next { $0.health == .healthy } != nil) }
        try tell(one, two, alpha: one.me, epoch: 1)
        return (one, two)
    }

    private func tell(_ one: SharedSite, _ two: SharedSite, alpha: Holder?, epoch: UInt64) throws {
        for site in [one, two] {
            try site.told(alpha: alpha, beta: two.me, epoch: Index(epoch), members: [one.me, two.me])
        }
    }

    private func known(_ site: SharedSite) throws -> [String] {
        try site.registrations().map { "\($0.user) \($0.address)" }.sorted()
    }

    @Test(
        "whose phone registers elsewhere is no more where nobody holds the address, also once it is held again"
    )
    func released() throws {
        let (one, two) = try pair()
        try one.registered(0..<3)
        #expect(try eventually { try two.listed() == 3 })
        try tell(one, two, alpha: nil, epoch: 1)
        #expect(try eventually { try two.registrations().allSatisfy { $0.node == nil } })
        #expect(try two.registrations().allSatisfy { !$0.survivesTakeover })
        try two.registered(1..<2, at: SharedSite.other, host: "192.0.2.9")
        for site in [one, two] {
            #expect(try eventually { try known(site) == ["0@h alpha", "1@h beta", "2@h alpha"] })
        }
        #expect(try eventually { try !two.api("sofia_contact alpha/1@h").contains("192.0.2.7") })
        // It logs out where it is now: that brings nothing older back.
        try two.unregistered(1..<2, at: SharedSite.other, host: "192.0.2.9")
        for site in [one, two] {
            #expect(try eventually { try known(site) == ["0@h alpha", "2@h alpha"] })
        }
        try tell(one, two, alpha: two.me, epoch: 2)
        #expect(try eventually { try two.registrations().allSatisfy { $0.node == "fs2" } })
        #expect(try !eventually(within: 4) { try known(two).contains("1@h alpha") })
        // The same phone may come there again, with the very contact it had.
        usleep(2_100_000)
        try two.registered(1..<2)
        #expect(try eventually { try known(one) == ["0@h alpha", "1@h alpha", "2@h alpha"] })
    }

    @Test("a phone that logs out at another address is out everywhere") func loggedOut() throws {
        let (one, two) = try pair()
        try one.registered(0..<4)
        #expect(try eventually { try two.listed() == 4 })
        try two.unregistered(1..<2, at: SharedSite.other)
        for site in [one, two] {
            #expect(try eventually { try known(site) == ["0@h alpha", "2@h alpha", "3@h alpha"] })
        }
        #expect(try eventually { try two.api("sofia_contact alpha/1@h").contains("not_registered") })
        try tell(one, two, alpha: nil, epoch: 1)
        try two.unregistered(2..<3, at: SharedSite.other)
        for site in [one, two] { #expect(try eventually { try known(site) == ["0@h alpha", "3@h alpha"] }) }
        #expect(try eventually { try two.api("sofia_contact alpha/2@h").contains("not_registered") })
    }

    @Test("where a user has several registrations, only the same one is replaced or ended") func several()
        throws
    {
        let (one, two) = try pair(.contact)
        try one.registered(0..<2)
        #expect(try eventually { try known(two).count == 2 })
        try tell(one, two, alpha: nil, epoch: 1)
        try two.registered(0..<1, at: SharedSite.other)
        try two.registered(1..<2, at: SharedSite.other, host: "192.0.2.9")
        for site in [one, two] {
            #expect(try eventually { try known(site) == ["0@h beta", "1@h alpha", "1@h beta"] })
        }
        try two.unregistered(1..<2, at: SharedSite.other, host: "192.0.2.9")
        for site in [one, two] { #expect(try eventually { try known(site) == ["0@h beta", "1@h alpha"] }) }
    }
}
