import Testing

@testable import Daemon

/// What a node says of its switch, by which the seat moves, and which history and events repeat.
@Suite("The ways in which a FreeSWITCH goes", .serialized)
struct SwitchEndTests {
    private let site: SharedSite

    init() throws {
        site = try SharedSite("fs1", number: 16)
        #expect(site.reports.next { $0.health == .healthy } != nil)
        try site.told(site.me, epoch: 1, members: [site.me])
        #expect(site.reports.next { $0.blockers.isEmpty && !$0.addresses.isEmpty } != nil)
    }

    /// Everything it says, until the switch is not reached, and what it says then.
    private func texts() throws -> [String] {
        var texts: [String] = []
        repeat {
            let report = try #require(site.reports.next())
            texts += report.blockers.map(\.text).filter { !texts.contains($0) }
            if report.health == .unhealthy { return texts }
        } while true
    }

    @Test("stopped in order: that, and nothing of what ends with it") func stopped() throws {
        #expect(try site.api("fsctl shutdown").contains("+OK"))
        try site.awaitEnd()
        let found = try texts().filter { !$0.contains("and ends when it has none") }
        #expect(found.first == "FreeSWITCH is being stopped (systemctl stop, fsctl shutdown)")
        #expect(
            found.count == 2 && found.last?.hasPrefix("FreeSWITCH was stopped and is not reached: ") == true)
        let last = try #require(
            site.reports.next { $0.blockers.first?.text.contains("nobody answers") == true })
        #expect(last.blockers.first?.text.hasPrefix("FreeSWITCH was stopped and is not reached: ") == true)
        #expect(last.illness == last.blockers.first?.text)
    }

    @Test("stopped when it has no call: that it will, and then that it does") func elegant() throws {
        #expect(try site.api("simulator load parked 1 alpha").contains("+OK"))
        try #require(try eventually { try site.api("show channels count").contains("1 total") })
        #expect(try site.api("simulator load stop").contains("+OK"))
        site.begin("fsctl shutdown elegant")
        #expect(
            site.reports.next { report in
                report.blockers.map(\.text) == [
                    "FreeSWITCH ends as soon as it has no call (fsctl shutdown cancel)"
                ]
            } != nil)
        site.begin("hupall")
        let found = try texts()
        #expect(found.contains("FreeSWITCH is being stopped (systemctl stop, fsctl shutdown)"))
        #expect(found.last?.hasPrefix("FreeSWITCH was stopped and is not reached: ") == true)
    }

    @Test("told to end as soon as possible: that it takes no call, and how to take it back") func soon()
        throws
    {
        #expect(try site.api("simulator load parked 1 alpha").contains("+OK"))
        try #require(try eventually { try site.api("show channels count").contains("1 total") })
        site.begin("fsctl shutdown asap")
        #expect(
            site.reports.next { report in
                report.blockers.map(\.text)
                    == [
                        "FreeSWITCH answers new calls with 503, and ends when it has none (fsctl shutdown cancel)"
                    ]
            } != nil)
        #expect(try site.api("fsctl shutdown cancel").contains("+OK"))
        #expect(site.reports.next { $0.blockers.isEmpty } != nil)
    }

    @Test("killed: that its event socket closed without a word") func killed() throws {
        site.begin("simulator crash")
        try site.awaitEnd()
        let found = try texts()
        #expect(found == ["FreeSWITCH is not reached: the event socket closed without a notice"])
    }

    @Test("cut off, while it lives: that its event socket closed without a word, until it is open again")
    func cut()
        throws
    {
        site.begin("simulator cut")
        #expect(
            try texts() == ["FreeSWITCH is not reached: the event socket closed without a notice"])
        #expect(site.reports.next { $0.health == .healthy && $0.blockers.isEmpty } != nil)
    }

    @Test("without its event socket's module: that, and not that FreeSWITCH was stopped") func unloaded()
        throws
    {
        site.stopSwitch()
        #expect(
            try texts() == [
                "FreeSWITCH is not reached: the event socket was shut down"
            ])
    }
}
