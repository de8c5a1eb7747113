import Primitives
import Testing

@testable import Daemon

/// A switch keeps its registrations on its disk, and what happened while its machine was away it was not told.
@Suite("A switch that comes back with registrations of another time", .serialized)
struct ReturningSwitchTests {
    /// Two machines that know each other; the first has the address.
    private func pair() throws -> (SharedSite, SharedSite) {
        let one = try SharedSite("fs1", number: 5)
        let two = try SharedSite("fs2", number: 6)
        one.meet(two)
        for site in [one, two] {
            #expect(site.reports.next { $0.health == .healthy } != nil)
            try site.told(one.me, epoch: 1, members: [one.me, two.me])
        }
        return (one, two)
    }

    private func users(_ site: SharedSite) throws -> [String] {
        try site.registrations().map { "\($0.user) \($0.contact)" }.sorted()
    }

    @Test("on a slave what was taken back goes, and what moved is where it is now") func slave() throws {
        let (one, two) = try pair()
        try one.registered(0..<3)
        #expect(try eventually { try two.listed() == 3 })
        try two.remembered(2..<5)
        try two.crashSwitch()
        #expect(try eventually { try two.listed() == 3 })
        for user in 0..<3 { #expect(try two.api("sofia_contact */\(user)@h").contains("192.0.2.7")) }
        #expect(try one.registrations().count == 3)
    }

    @Test("when the address comes at once, nothing of it comes to life, here or elsewhere") func holder()
        throws
    {
        let (one, two) = try pair()
        try one.registered(0..<3)
        #expect(try eventually { try two.listed() == 3 })
        let before = try users(one)
        try two.remembered(2..<5)
        for site in [one, two] { try site.told(two.me, epoch: 2, members: [one.me, two.me]) }
        #expect(try eventually { try two.listed() == 3 })
        #expect(try two.api("sofia_contact */2@h").contains("192.0.2.7"))
        // As long as the listings take that believe the switch again.
        #expect(try !eventually(within: 5) { try users(two) != before || users(one) != before })
    }

    @Test("who registers while it is held against the replica stays") func newcomer() throws {
        let (one, two) = try pair()
        try one.registered(0..<1)
        #expect(try eventually { try two.listed() == 1 })
        try two.remembered(4..<6)
        for site in [one, two] { try site.told(two.me, epoch: 2, members: [one.me, two.me]) }
        #expect(try eventually { try users(two).count == 1 })
        // One of the rows is that of a phone that has just come, with the contact it had.
        try two.registered(4..<5)
        #expect(try eventually { try two.listed() == 2 })
        #expect(try two.api("sofia_contact */4@h").contains("4"))
        #expect(try two.api("sofia_contact */5@h").contains("not_registered"))
        #expect(try eventually { try users(one).map { $0.prefix(3) } == ["0@h", "4@h"] })
    }

    @Test("where nobody else knows anything, what the switch has is believed") func alone() throws {
        let one = try SharedSite("fs1", number: 7)
        #expect(one.reports.next { $0.health == .healthy } != nil)
        try one.remembered(0..<3)
        try one.told(one.me, epoch: 1, members: [one.me])
        #expect(try eventually { try one.registrations().count == 3 })
        try one.crashSwitch()
        #expect(try !eventually(within: 3) { try one.registrations().count != 3 || one.listed() != 3 })
    }
}
