import Cluster
import Primitives
import Testing

@testable import Daemon

@Suite("What nodes share", .serialized)
struct SharingTests {
    /// Two machines that know each other; the first has the address.
    private func pair(failedAfter: Duration = .seconds(20)) throws -> (SharedSite, SharedSite) {
        let one = try SharedSite("fs1", number: 1, failedAfter: failedAfter)
        let two = try SharedSite("fs2", number: 2)
        one.meet(two)
        for site in [one, two] {
            #expect(site.reports.next { $0.health == .healthy } != nil)
            try site.told(one.me, epoch: 1, members: [one.me, two.me])
        }
        return (one, two)
    }

    @Test("calls of one switch are known at the other node, and live on in its switch when the address moves")
    func takeover() throws {
        let (one, two) = try pair()
        #expect(try one.api("simulator load bridged 6 alpha").contains("+OK"))
        #expect(try one.api("simulator load parked 2 alpha").contains("+OK"))
        // A caller whose callee still rings could be brought back, too, and is one leg.
        #expect(try eventually { try two.calls().count { $0.isRecoverable && $0.otherUUID != nil } == 6 })
        #expect(try eventually { try two.calls().count { $0.isRecoverable } == 8 })
        // On a slow machine its load might end a call and begin another just when the address moves.
        #expect(try one.api("simulator load stop").contains("+OK"))
        for site in [one, two] { try site.told(two.me, epoch: 2, members: [one.me, two.me]) }
        #expect(try eventually { try two.recoveries().first?.recovered == 14 })
        #expect(try two.calls().count { $0.isRecoverable } == 8)
        // The former holder's switch forgets them.
        let uuids = try two.calls().map(\.uuid)
        #expect(
            try eventually {
                let left = try one.api("show channels")
                return !uuids.contains { left.contains($0) }
            })
        #expect(try two.api("show channels count").contains("14 total"))
        #expect(try eventually { try one.recoveries().map(\.node) == ["fs2"] })
    }

    @Test(
        "before an address goes by plan, calls that no other switch could revive are hung up, and others are not"
    )
    func parting() throws {
        let (one, two) = try pair()
        let members = [one.me, two.me]
        #expect(try one.api("simulator load parked 3 alpha").contains("+OK"))
        #expect(try eventually { try two.calls().count { $0.isRecoverable } == 3 })
        #expect(try one.api("simulator load stop").contains("+OK"))
        try one.told(one.me, epoch: 1, members: members, isParting: true)
        let first = HeldAddress(address: SharedSite.profile, epoch: Epoch(term: 1, index: 1))
        #expect(one.reports.next { $0.parted == [first] } != nil)
        #expect(try one.api("show channels count").contains("3 total"))
        // By another decision it has the address with another IP: the media of its calls are bound elsewhere.
        for site in [one, two] { try site.told(one.me, epoch: 2, members: members, ip: "127.83.7.210") }
        #expect(one.reports.next { $0.parted == [] } != nil)
        try one.told(one.me, epoch: 2, members: members, ip: "127.83.7.210", isParting: true)
        let second = HeldAddress(address: SharedSite.profile, epoch: Epoch(term: 1, index: 2))
        #expect(one.reports.next { $0.parted == [second] } != nil)
        #expect(try one.api("show channels count").contains("0 total"))
        let told = one.journal.lines(after: 0).filter { $0.event.kind == .callsEnded }
        #expect(told.map(\.event.text.isEmpty) == [false])
        // Their ends are everybody's knowledge.
        #expect(try eventually { try two.calls().isEmpty })
    }

    @Test(
        "before an address goes by plan, what rings for a caller who was answered is cancelled, and he goes along"
    )
    func partingOfWaiting() throws {
        let (one, two) = try pair()
        let members = [one.me, two.me]
        #expect(try one.api("simulator load waiting 3 alpha").contains("+OK"))
        #expect(try eventually { try two.calls().count { $0.isRecoverable } == 3 })
        #expect(try one.api("show channels count").contains("6 total"))
        #expect(try one.api("simulator load stop").contains("+OK"))
        try one.told(one.me, epoch: 1, members: members, isParting: true)
        let address = HeldAddress(address: SharedSite.profile, epoch: Epoch(term: 1, index: 1))
        #expect(one.reports.next { $0.parted == [address] } != nil)
        #expect(try one.api("show channels").components(separatedBy: "CS_PARK").count == 4)
        #expect(try one.api("show channels count").contains("3 total"))
        #expect(
            one.journal.lines(after: 0).filter { $0.event.kind == .callsEnded }.map(\.event.text) == [
                "3 callers wait for an answer: what rings for them is cancelled and rings anew where alpha goes"
            ])
        for site in [one, two] { try site.told(two.me, epoch: 2, members: members) }
        // They were in `bridge`, and are again.
        #expect(try eventually { try two.api("show channels count").contains("6 total") })
        #expect(try eventually { try one.api("show channels count").contains("0 total") })
    }

    @Test("callers who were parked for a move that is called off enter their extensions anew")
    func partingCalledOff() throws {
        let (one, two) = try pair()
        let members = [one.me, two.me]
        #expect(try one.api("simulator load waiting 2 alpha").contains("+OK"))
        #expect(try eventually { try two.calls().count { $0.isRecoverable } == 2 })
        #expect(try one.api("simulator load stop").contains("+OK"))
        try one.told(one.me, epoch: 1, members: members, isParting: true)
        #expect(one.reports.next { !$0.parted.isEmpty } != nil)
        #expect(try one.api("show channels").contains("CS_PARK"))
        // Who was to have it is lost: nobody has it for a moment, and then this node again.
        try one.told(nil, epoch: 1, members: members)
        try one.told(one.me, epoch: 2, members: members)
        #expect(try eventually { try one.api("show channels count").contains("4 total") })
        #expect(try !one.api("show channels").contains("CS_PARK"))
        #expect(try eventually { try two.calls().count { $0.isRecoverable } == 2 })
    }

    @Test(
        "calls are refused for as long as a drain wants it, also when that ends amid a recovery or somebody else began it"
    )
    func refusal() throws {
        let (one, two) = try pair()
        let members = [one.me, two.me]
        func isRefusing() throws -> Bool { try two.api("global_getvar fsdns_drain").hasPrefix("true") }
        #expect(try one.api("simulator load parked 3 alpha").contains("+OK"))
        #expect(try eventually { try two.calls().count { $0.isRecoverable } == 3 })
        let duty = DrainDuty(
            address: SharedSite.profile, refusesCalls: true, movesRegistrations: false, hangsUp: false)
        for site in [one, two] {
            try site.told(two.me, epoch: 2, members: members, duty: site.me == two.me ? duty : nil)
        }
        #expect(try eventually { try isRefusing() })
        for site in [one, two] { try site.told(two.me, epoch: 2, members: members) }
        #expect(try eventually { try !isRefusing() })
        #expect(try two.api("global_setvar fsdns_drain=true").contains("+OK"))
        #expect(try eventually { try !isRefusing() })
        #expect(two.reports.next { !$0.isRefusing } != nil)
    }

    @Test("a switch whose own calls are paused serves nobody well, and says so until they are resumed")
    func outboundPause() throws {
        let (one, _) = try pair()
        #expect(try one.api("fsctl pause outbound").contains("+OK"))
        #expect(
            one.reports.next { $0.blockers.contains { $0.text.hasPrefix("FreeSWITCH makes no calls") } }
                != nil)
        #expect(try one.api("fsctl resume outbound").contains("+OK"))
        #expect(one.reports.next { $0.blockers.isEmpty } != nil)
    }

    @Test("a call that ends is forgotten everywhere") func hangup() throws {
        let (one, two) = try pair()
        #expect(try one.api("simulator load bridged 3 alpha").contains("+OK"))
        #expect(try eventually { try two.calls().count == 3 })
        let uuid = try #require(try two.calls().first?.uuid)
        _ = try one.api("simulator load bridged 0 alpha")
        _ = try one.api("uuid_kill \(uuid)")
        #expect(try eventually { try !two.calls().contains { $0.uuid == uuid } })
    }

    @Test("a switch that is started anew gets its own calls back from the replica") func restart() throws {
        let (one, two) = try pair()
        #expect(try one.api("simulator load bridged 4 alpha").contains("+OK"))
        #expect(try eventually { try two.calls().count { $0.isRecoverable && $0.otherUUID != nil } == 4 })
        try one.crashSwitch()
        #expect(try eventually { try one.recoveries().first?.recovered == 8 })
        #expect(one.reports.next { $0.health == .unhealthy } != nil)
        #expect(one.reports.next { $0.health == .healthy } != nil)
        #expect(try two.calls().count { $0.isRecoverable } == 4)
    }

    @Test(
        "a profile that is put into standby while its address is here is let on at once, as often as it happens"
    )
    func rescan() throws {
        let (one, _) = try pair()
        // The switch answers a nobody who is dialled with the profile's state.
        func isTaking() throws -> Bool {
            try one.api("originate sofia/alpha/%nowhere &park").contains("USER_NOT_REGISTERED")
        }
        #expect(try eventually { try isTaking() })
        for _ in 0..<3 {
            #expect(try one.api("sofia profile alpha rescan").contains("+OK"))
            #expect(try eventually(within: 5) { try isTaking() })
        }
    }

    @Test("a profile that is in standby stays there while its address is elsewhere") func standby() throws {
        let (_, two) = try pair()
        #expect(try two.api("sofia profile alpha rescan").contains("+OK"))
        // As long as it would have taken to be let on.
        #expect(
            try !eventually(within: 1) {
                try two.api("originate sofia/alpha/%nowhere &park").contains("USER_NOT_REGISTERED")
            })
    }

    @Test("a switch whose event system is stuck is told to the node") func stuck() throws {
        let (one, _) = try pair(failedAfter: .seconds(1))
        #expect(try one.api("simulator events stuck").contains("+OK"))
        let report = try #require(one.reports.next { $0.health == .unhealthy })
        #expect(
            report.blockers.first?.text
                == "FreeSWITCH is unhealthy: an event sent through it does not come back in time")
    }

    @Test(
        "a switch that cannot be looked at when an address comes is no excuse for long, and is looked at again"
    )
    func blind() throws {
        let (one, two) = try pair()
        #expect(try one.api("simulator load parked 3 alpha").contains("+OK"))
        #expect(try eventually { try two.calls().count { $0.isRecoverable } == 3 })
        // Whoever connects anew is refused as well.
        let console = try RawClient(two.eventSocket.port, at: "\(two.eventSocket.ip)")
        try console.logIn("ClueCon")
        #expect(try console.ask("api simulator commands refuse").contains("+OK"))
        for site in [one, two] { try site.told(two.me, epoch: 2, members: [one.me, two.me]) }
        #expect(two.reports.next { $0.reviving == [SharedSite.profile] } != nil)
        #expect(
            two.reports.next { report in
                report.reviving.isEmpty && report.blockers.contains { $0.text.contains("refuses commands") }
                    && report.blockers.contains { $0.text == "FreeSWITCH does not run profile alpha" }
            } != nil)
        #expect(try console.ask("api simulator commands accept").contains("+OK"))
        #expect(try eventually { try two.recoveries().first?.recovered == 3 })
        #expect(two.reports.next { $0.blockers.isEmpty } != nil)
    }

    @Test("of a switch that is gone nothing is said that only it could tell") func gone() throws {
        let (one, _) = try pair()
        // As without mod_sofia: no profile runs.
        #expect(try one.api("simulator commands refuse").contains("+OK"))
        let missing = "FreeSWITCH does not run profile alpha"
        #expect(one.reports.next { $0.blockers.contains { $0.text == missing } } != nil)
        one.stopSwitch()
        let report = try #require(
            one.reports.next { $0.blockers.first?.text.contains("is not reached") == true })
        #expect(report.health == .unhealthy)
        #expect(report.blockers.map(\.text).allSatisfy { $0.hasPrefix("FreeSWITCH is not reached: ") })
        #expect(report.blockers.count == 1 && report.capacity == 0)
    }

    @Test("a switch that is paused is told to the node") func paused() throws {
        let (one, _) = try pair()
        let clock = ContinuousClock()
        let start = clock.now
        #expect(try one.api("fsctl pause").contains("+OK"))
        #expect(
            one.reports.next { $0.blockers.first?.text.hasPrefix("FreeSWITCH is paused") == true } != nil)
        // Nothing tells of it; a slave that is paused must not be chosen for long.
        #expect(clock.now - start < .seconds(3))
        #expect(try one.api("fsctl resume").contains("+OK"))
        #expect(one.reports.next { $0.blockers.isEmpty } != nil)
    }

    @Test(
        "a switch that ends as soon as it has no call is told to the node, and no more when that is taken back"
    )
    func ending() throws {
        let (one, _) = try pair()
        // It has a call, or it would end at once.
        #expect(try one.api("simulator load bridged 2 \(SharedSite.profile)").contains("+OK"))
        try #require(try eventually { try !one.api("show channels count").contains("\n0 total") })
        one.begin("fsctl shutdown elegant")
        #expect(
            one.reports.next { $0.blockers.first?.text.hasPrefix("FreeSWITCH ends as soon as") == true }
                != nil)
        #expect(try one.api("fsctl shutdown cancel").contains("+OK"))
        #expect(one.reports.next { $0.blockers.isEmpty } != nil)
    }

    @Test(
        "a switch that gives the limit service a wrong password is told to the node, one with the right one is not"
    )
    func limitPassword() throws {
        let wrong = try SharedSite("fs1", number: 1, limitPassword: "wrong")
        #expect(
            wrong.reports.next { report in
                report.blockers.contains {
                    $0.kind == .limits && $0.text.hasPrefix("FreeSWITCH is refused by the limit service")
                }
            } != nil)
        let right = try SharedSite("fs2", number: 2, limitPassword: "right")
        #expect(right.reports.next { $0.health == .healthy } != nil)
        #expect(try right.api("hiredis_raw default ping") == "PONG")
        #expect(try !eventually(within: 1) { right.reports.next(within: 0) { !$0.blockers.isEmpty } != nil })
    }

    @Test("why the switch is not reached is told to the node") func unreached() throws {
        let one = try SharedSite("fs1", number: 1, password: "another")
        let report = try #require(one.reports.next { !$0.blockers.isEmpty })
        #expect(report.health == .unknown)
        #expect(
            report.blockers.map(\.text)
                == ["FreeSWITCH is not reached: the event socket refused the password"])
    }

    @Test(
        "hundreds of registrations come to the other switch, again when it lost them, and move with the address"
    )
    func registrations() throws {
        // More than wait in the queue, and than are looked at in one slice.
        let count = 700
        let (one, two) = try pair()
        try one.registered(0..<count)
        #expect(try eventually { try two.listed() == count })
        _ = try two.api("sofia profile alpha flush_inbound_reg")
        #expect(try two.listed() == 0)
        try two.crashSwitch()
        #expect(try eventually { try two.listed() == count })
        for site in [one, two] { try site.told(two.me, epoch: 2, members: [one.me, two.me]) }
        #expect(two.reports.next { $0.registrations == UInt32(count) } != nil)
        try two.unregistered(0..<10)
        #expect(try eventually { try one.registrations().count == count - 10 })
    }

    @Test("a phone that comes to another address has its older registration taken out of every switch")
    func newest() throws {
        let one = try SharedSite("fs1", number: 3)
        let two = try SharedSite("fs2", number: 4)
        one.meet(two)
        for site in [one, two] {
            #expect(site.reports.next { $0.health == .healthy } != nil)
            try site.told(alpha: one.me, beta: two.me, epoch: 1, members: [one.me, two.me])
        }
        try one.registered(0..<3)
        #expect(try eventually { try two.api("sofia_contact */1@h").contains("sofia/alpha/") })
        // What is escaped in a contact comes as it is.
        #expect(try two.api("sofia_contact */1@h").contains("1%40x@192.0.2.7"))
        // A switch's own registrations are events only here: its table tells of the others'.
        try two.registered(1..<2, at: SharedSite.other, host: "192.0.2.9")
        #expect(try eventually { try one.api("sofia_contact */1@h").contains("192.0.2.9") })
        #expect(try eventually { try !two.api("sofia_contact */1@h").contains("192.0.2.7") })
        #expect(
            try eventually {
                try one.registrations().map { "\($0.user) \($0.address)" }.sorted() == [
                    "0@h alpha", "1@h beta", "2@h alpha",
                ]
            })
        // It comes back to where it was, with the very contact it had there.
        try one.registered(1..<2)
        #expect(try eventually { try two.api("sofia_contact */1@h").contains("192.0.2.7") })
        #expect(try eventually { try !one.api("sofia_contact */1@h").contains("192.0.2.9") })
        #expect(try eventually { try two.api("global_getvar fsdns_profile").hasPrefix("beta") })
    }

}
