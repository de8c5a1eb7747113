import GRDB
import Glibc
import Testing

@testable import Daemon

/// A slave could bring no call back, and nobody needs it yet.
@Suite("A core database that is of no use when it is needed", .serialized)
struct RehearsalTests {
    private let site: SharedSite

    init() throws {
        site = try SharedSite("fs1", number: 14, rehearsal: .milliseconds(200))
        #expect(site.reports.next { $0.health == .healthy && $0.blockers.isEmpty } != nil)
        try site.told(nil, epoch: 1, members: [site.me])
    }

    private var path: String { site.directory.path + "/core.db" }

    private func isTold(_ text: String) -> Bool {
        site.reports.next { report in
            report.blockers.contains {
                ($0.kind == .database || $0.kind == .waiting) && $0.text.contains(text)
            }
        } != nil
    }

    private var isWell: Bool { site.reports.next { $0.blockers.isEmpty } != nil }

    @Test("locked by somebody who does not let go") func locked() throws {
        let other = try DatabaseQueue(path: path)
        try other.writeWithoutTransaction { database in
            try database.execute(sql: "BEGIN EXCLUSIVE")
            #expect(isTold("is locked: "))
            try database.execute(sql: "ROLLBACK")
        }
        #expect(isWell)
        let told = site.journal.lines(after: 0).map(\.event.text).filter { $0.hasPrefix("calls can") }
        #expect(told.last == "calls can be recovered here again")
    }

    @Test("locked when an address comes: what its calls wait for is told within seconds, and they come back")
    func lockedWithCalls() throws {
        let other = try SharedSite("fs2", number: 15)
        site.meet(other)
        let members = [site.me, other.me]
        for one in [site, other] { try one.told(other.me, epoch: 1, members: members) }
        #expect(try other.api("simulator load parked 3 alpha").contains("+OK"))
        #expect(try eventually { try site.calls().count { $0.isRecoverable } == 3 })
        let writer = try DatabaseQueue(path: path)
        try writer.writeWithoutTransaction { database in
            try database.execute(sql: "BEGIN IMMEDIATE")
            for one in [site, other] { try one.told(site.me, epoch: 2, members: members) }
            #expect(isTold("calls of alpha wait to be revived: the switch's core database"))
            try database.execute(sql: "ROLLBACK")
        }
        #expect(try eventually { try site.api("show channels count").contains("3 total") })
        #expect(isWell)
    }

    @Test("readable, and not to be written") func unwritable() throws {
        // No journal can be made there.
        #expect(symlink("/nowhere/journal", path + "-journal") == 0)
        #expect(isTold("may not be opened by this user; let it by an ACL on db_dir"))
        #expect(unlink(path + "-journal") == 0)
        #expect(isWell)
    }

    @Test("replaced by another file, until FreeSWITCH is restarted") func replaced() throws {
        let copy = path + ".copy"
        try DatabaseQueue(path: path).backup(to: DatabaseQueue(path: copy))
        #expect(rename(copy, path) == 0)
        #expect(isTold("was replaced: restart FreeSWITCH"))
        // The same process, whose event socket tells nothing of its files when it is open again.
        site.begin("simulator cut")
        #expect(site.reports.next { $0.health == .unhealthy } != nil)
        let back = try #require(site.reports.next { $0.health == .healthy })
        #expect(back.blockers.contains { $0.kind == .database })
        #expect(try !eventually(within: 1) { site.reports.next(within: 0) { $0.blockers.isEmpty } != nil })
        try site.crashSwitch()
        #expect(isWell)
    }

    @Test("not used by a FreeSWITCH that was started without one") func unused() throws {
        #expect(try site.api("simulator database off").contains("+OK"))
        #expect(isTold("FreeSWITCH does not use its core database"))
        #expect(try site.api("simulator database on").contains("+OK"))
        #expect(isWell)
    }

    @Test("left behind where the switch's settings name another") func elsewhere() throws {
        let other = try SharedSite("fs2", number: 15) { $0.told["core-db-name"] = "calls" }
        let report = other.reports.next { report in report.blockers.contains { $0.kind == .database } }
        #expect(
            report?.blockers.filter { $0.kind == .database }.map(\.text) == [
                "core-db-name in switch.conf.xml moves the switch's calls out of \(other.directory.path)/core.db: "
                    + "fsdns needs them there"
            ])
    }
}
