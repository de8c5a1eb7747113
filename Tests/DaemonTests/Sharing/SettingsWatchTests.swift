import Cluster
import SwitchSimulator
import Testing

@testable import Daemon

@Suite("A FreeSWITCH that is configured in another way than where the address is", .serialized)
struct SettingsWatchTests {
    /// The first site holds the address, and the second one would take it.
    private func pair(
        _ change: (inout SwitchSimulator.SwitchSettings) -> Void,
        one changeOne: (inout SwitchSimulator.SwitchSettings) -> Void = { _ in }
    ) throws -> (SharedSite, SharedSite) {
        let one = try SharedSite("fs1", number: 31, change: changeOne)
        let two = try SharedSite("fs2", number: 32, change: change)
        one.meet(two)
        for site in [one, two] { try site.told(one.me, epoch: 1, members: [one.me, two.me]) }
        return (one, two)
    }

    private func blocker(_ site: SharedSite, _ kind: Blocker.Kind) -> String? {
        var found: String?
        _ = site.reports.next { report in
            found = report.blockers.first { $0.kind == kind }?.text
            return found != nil
        }
        return found
    }

    @Test("without TLS, which the holder has, no machine stands ready") func withoutTLS() throws {
        let (one, two) = try pair({ _ in }, one: { $0.profiles[0].told["tls"] = "true" })
        #expect(
            blocker(two, .settings)
                == "profile alpha has no TLS, at fs1 it has: its TLS phones would be lost")
        withExtendedLifetime(one) {}
    }

    @Test("with another SIP port no machine stands ready") func otherPort() throws {
        let (one, two) = try pair { $0.profiles[0].told["sip-port"] = "5064" }
        #expect(
            blocker(two, .settings) == "profile alpha has SIP port 5064, at fs1 it has 5060")
        withExtendedLifetime(one) {}
    }

    @Test("media that stay at the machine are told: calls would not follow the address") func otherMedia()
        throws
    {
        let (one, two) = try pair { $0.profiles[0].runs = ["rtp-ip": "127.0.0.5"] }
        #expect(
            blocker(two, .difference)
                == "profile alpha has its media at 127.0.0.5, not at 127.83.7.200: its calls do not follow the address"
        )
        withExtendedLifetime(one) {}
    }

    @Test("without track-calls no machine stands ready, whoever has the address") func untracked() throws {
        let (one, two) = try pair { $0.profiles[0].tracksCalls = false }
        #expect(
            blocker(two, .settings)
                == "profile alpha has no track-calls: none of its calls could be brought back")
        withExtendedLifetime(one) {}
    }

    @Test("a machine whose directory lacks the domain of phones that are registered does not stand ready")
    func otherDomain() throws {
        let (one, two) = try pair { $0.unknownDomains = ["h"] }
        _ = one.reports.next { $0.health == .healthy }
        try one.registered(1000..<1001)
        #expect(
            blocker(two, .settings) == "FreeSWITCH does not know the domain h of phones at fs1")
        #expect(try !eventually(within: 0.5) { one.reports.next(within: 0) { !$0.blockers.isEmpty } != nil })
    }

    @Test("machines that are configured alike stand ready") func alike() throws {
        let (one, two) = try pair(
            { $0.profiles[0].told["tls"] = "true" }, one: { $0.profiles[0].told["tls"] = "true" })
        _ = one.reports.next { $0.health == .healthy }
        try one.registered(1000..<1001)
        #expect(try !eventually(within: 1) { two.reports.next(within: 0) { !$0.blockers.isEmpty } != nil })
    }

    @Test("what a profile runs with counts, not what its file says since") func notRestarted() throws {
        let (one, two) = try pair { $0.profiles[0].runs = ["sip-port": "5080"] }
        #expect(blocker(two, .settings) == "profile alpha has SIP port 5080, at fs1 it has 5060")
        withExtendedLifetime(one) {}
    }

    @Test("with another TLS port no machine stands ready") func otherSecurePort() throws {
        let (one, two) = try pair(
            { $0.profiles[0].told.merge(["tls": "true", "tls-sip-port": "5071"]) { $1 } },
            one: { $0.profiles[0].told["tls"] = "true" })
        #expect(blocker(two, .settings) == "profile alpha has TLS port 5071, at fs1 it has 5061")
        withExtendedLifetime(one) {}
    }

    @Test("of a switch that is gone only that is said, not how it was configured") func gone() throws {
        let (one, two) = try pair { $0.profiles[0].told["sip-port"] = "5064" }
        #expect(blocker(two, .settings) != nil)
        two.stopSwitch()
        let report = try #require(
            two.reports.next { $0.blockers.first?.text.contains("is not reached") == true })
        #expect(!report.blockers.contains { $0.kind == .settings })
        withExtendedLifetime(one) {}
    }
}
