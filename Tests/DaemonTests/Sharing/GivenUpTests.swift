import Cluster
import Consensus
import ControlProtocol
import Testing

@testable import Daemon

/// No switch can bring the calls back for a while, or ever.
@Suite("Calls that nobody can revive at once", .serialized)
struct GivenUpTests {
    /// Two machines that know each other; the first has the address and three calls.
    private func pair(_ patience: Duration, limitPassword: String? = nil) throws -> (SharedSite, SharedSite) {
        let one = try SharedSite(
            "fs1", number: 8, recoveryPatience: patience, limitPassword: limitPassword)
        let two = try SharedSite(
            "fs2", number: 9, recoveryPatience: patience, limitPassword: limitPassword)
        one.meet(two)
        for site in [one, two] {
            #expect(site.reports.next { $0.health == .healthy } != nil)
            try site.told(one.me, epoch: 1, members: [one.me, two.me])
        }
        #expect(try one.api("simulator load parked 3 alpha").contains("+OK"))
        #expect(try eventually { try two.calls().count { $0.isRecoverable } == 3 })
        #expect(try one.api("simulator load stop").contains("+OK"))
        return (one, two)
    }

    @Test("a taker that is paused says so at once, and revives them when it is let on") func paused() throws {
        let (one, two) = try pair(.seconds(60))
        #expect(try two.api("fsctl pause").contains("+OK"))
        for site in [one, two] { try site.told(two.me, epoch: 2, members: [one.me, two.me]) }
        #expect(
            two.reports.next { report in
                report.reviving.isEmpty && report.addresses.contains { $0.address == SharedSite.profile }
                    && report.blockers.contains { $0.text.hasPrefix("FreeSWITCH is paused") }
            } != nil)
        #expect(try !eventually(within: 11) { try !two.recoveries().isEmpty })
        #expect(try two.api("fsctl resume").contains("+OK"))
        #expect(try eventually(within: 2) { try two.api("show channels count").contains("3 total") })
        #expect(try eventually { try two.recoveries().first?.recovered == 3 })
    }

    @Test("what a switch had not revived when the address went on is left to the next, and no loss")
    func cutShort() throws {
        let (one, two) = try pair(.seconds(60))
        #expect(try two.api("fsctl pause").contains("+OK"))
        for site in [one, two] { try site.told(two.me, epoch: 2, members: [one.me, two.me]) }
        #expect(
            two.reports.next { report in
                report.reviving.isEmpty && report.addresses.contains { $0.address == SharedSite.profile }
            } != nil)
        for site in [two, one] { try site.told(one.me, epoch: 3, members: [one.me, two.me]) }
        #expect(try eventually { try one.recoveries().count == 2 })
        let lines = try one.recoveries()
        let first = try #require(lines.first { $0.node == "fs2" })
        #expect(first.recovered == 0 && first.legs == 3 && first.lost == [])
        #expect(first.left?.why == "alpha went to fs1" && first.left?.legs == 3)
        #expect(Set(first.left?.open.map(\.reason) ?? []) == ["the switch is paused"])
        #expect(lines.first { $0.node == "fs1" }?.recovered == 3)
        let texts = two.journal.lines(after: 0).map(\.event).filter { $0.kind == .recovered }.map(\.text)
        #expect(
            texts == [
                "0 of 3 legs of alpha recovered (0 calls) before alpha went to fs1; "
                    + "left 3 to the next holder: the switch is paused"
            ])
    }

    @Test("limits of who failed first go on counting where the address moves on before its calls are back")
    func limits() throws {
        let (one, two) = try pair(.seconds(60), limitPassword: "right")
        let three = Holder(member: MemberID(name: "fs3", birth: 3), incarnation: 3 << 32)
        func isCounted() throws -> Bool {
            try two.lines(.limits).contains {
                if case .limits(let lines) = $0 { lines.contains { $0.key == "room" } } else { false }
            }
        }
        try #require(try eventually { try one.api("hiredis_raw default ping") == "PONG" })
        _ = try one.api("hiredis_raw default incr room")
        #expect(try eventually { try isCounted() })
        #expect(try two.api("fsctl pause").contains("+OK"))
        try two.told(two.me, epoch: 2, members: [two.me, three])
        #expect(
            two.reports.next { report in
                report.reviving.isEmpty && report.addresses.contains { $0.address == SharedSite.profile }
            } != nil)
        try two.told(three, epoch: 3, members: [two.me, three])
        #expect(try eventually { try two.recoveries().first?.left?.legs == 3 })
        #expect(try !eventually(within: 2) { try !isCounted() })
    }

    @Test("an address that is given to its holder anew ends the first recovery, and the second is its own")
    func anew() throws {
        let (one, two) = try pair(.seconds(60))
        #expect(try two.api("fsctl pause").contains("+OK"))
        for site in [one, two] { try site.told(two.me, epoch: 2, members: [one.me, two.me]) }
        #expect(two.reports.next { $0.addresses.contains { $0.address == SharedSite.profile } } != nil)
        for site in [one, two] { try site.told(two.me, epoch: 3, members: [one.me, two.me]) }
        #expect(try two.api("fsctl resume").contains("+OK"))
        #expect(try eventually { try two.recoveries().count == 2 })
        #expect(try two.recoveries().first?.left?.why == "alpha was given to this node anew")
        #expect(try two.recoveries().last?.recovered == 3)
    }

    @Test("what did not come back in time is given up everywhere, and nobody revives it later") func tooLong()
        throws
    {
        let (one, two) = try pair(.seconds(2))
        #expect(try two.api("fsctl pause").contains("+OK"))
        for site in [one, two] { try site.told(two.me, epoch: 2, members: [one.me, two.me]) }
        #expect(try eventually { try two.recoveries().first?.lost.count == 3 })
        #expect(try eventually(within: 10) { try one.calls().isEmpty && two.calls().isEmpty })
        #expect(try two.api("fsctl resume").contains("+OK"))
        // They come back for a moment, to say BYE.
        #expect(try eventually { try two.api("status").contains("3 session(s) since startup") })
        #expect(try eventually { try two.api("show channels count").contains("0 total") })
        #expect(try two.recoveries().map(\.recovered) == [0])
        #expect(try one.calls().isEmpty && two.calls().isEmpty)
    }

    @Test("what nobody had for too long is told that it is over, and not revived") func forsaken() throws {
        let (one, two) = try pair(.seconds(1))
        for site in [one, two] { try site.told(nil, epoch: 2, members: [one.me, two.me]) }
        #expect(try !eventually(within: 1.2) { try !two.recoveries().isEmpty })
        for site in [one, two] { try site.told(two.me, epoch: 3, members: [one.me, two.me]) }
        #expect(try eventually { try two.recoveries().first?.lost.count == 3 })
        #expect(
            Set(try two.recoveries().flatMap(\.lost).map(\.reason)) == [
                "no switch could revive it in time"
            ])
        #expect(try eventually { try two.calls().isEmpty && one.calls().isEmpty })
        #expect(try two.api("show channels count").contains("0 total"))
    }
}
