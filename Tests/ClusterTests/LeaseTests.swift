import Consensus
import Primitives
import Testing

@testable import Cluster

@Suite("The lease")
struct LeaseTests {
    private let voters = ["fs1", "fs2", "fs3", "fs4", "fs5"].map { MemberID(name: $0, birth: 1) }
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    @Test("it runs from the newest heartbeat a majority acknowledged")
    func majority() {
        var lease = Lease()
        for sequence in 1...4 { lease.beat(UInt64(sequence), at: at(Int64(sequence) * 25)) }
        lease.acknowledged(4, by: voters[1], view: .zero, known: .zero)
        #expect(lease.vouchedSince(voters: voters, me: voters[0], now: at(110)) == nil)
        lease.acknowledged(2, by: voters[2], view: .zero, known: .zero)
        #expect(lease.vouchedSince(voters: voters, me: voters[0], now: at(110)) == at(50))
        lease.acknowledged(3, by: voters[3], view: .zero, known: .zero)
        #expect(lease.vouchedSince(voters: voters, me: voters[0], now: at(110)) == at(75))
    }

    @Test("an old acknowledgement never shortens it")
    func oldAcknowledgement() {
        var lease = Lease()
        lease.beat(1, at: at(25))
        lease.beat(2, at: at(50))
        lease.acknowledged(2, by: voters[1], view: .zero, known: .zero)
        lease.acknowledged(1, by: voters[1], view: .zero, known: .zero)
        #expect(lease.vouchedSince(voters: Array(voters[0...1]), me: voters[0], now: at(60)) == at(50))
    }

    @Test("an acknowledgement from a log that knows a later fence counts once ours knows it too")
    func deferred() {
        var lease = Lease()
        let fence = Epoch(term: 2, index: 9)
        lease.beat(1, at: at(25))
        lease.acknowledged(1, by: voters[1], view: LogView(term: 2, fence: fence), known: .zero)
        lease.learned(LogView(term: 2, fence: Epoch(term: 2, index: 8)))
        #expect(lease.vouchedSince(voters: Array(voters[0...1]), me: voters[0], now: at(30)) == nil)
        lease.learned(LogView(term: 2, fence: fence))
        #expect(lease.vouchedSince(voters: Array(voters[0...1]), me: voters[0], now: at(30)) == at(25))
    }

    @Test("a heartbeat that was never sent, or is forgotten, proves nothing")
    func unknownHeartbeat() {
        var lease = Lease()
        for sequence in 1...300 { lease.beat(UInt64(sequence), at: at(Int64(sequence))) }
        lease.acknowledged(20, by: voters[1], view: .zero, known: .zero)
        lease.acknowledged(400, by: voters[1], view: .zero, known: .zero)
        #expect(lease.vouchedSince(voters: Array(voters[0...1]), me: voters[0], now: at(300)) == nil)
    }

    @Test("a node that votes not at all needs a majority of those who do")
    func learner() {
        var lease = Lease()
        lease.beat(1, at: at(25))
        lease.acknowledged(1, by: voters[1], view: .zero, known: .zero)
        #expect(lease.vouchedSince(voters: Array(voters[1...3]), me: voters[0], now: at(30)) == nil)
        lease.acknowledged(1, by: voters[2], view: .zero, known: .zero)
        #expect(lease.vouchedSince(voters: Array(voters[1...3]), me: voters[0], now: at(30)) == at(25))
    }
}

@Suite("The wait behind a fence")
struct FenceLogTests {
    private let names = ["fs1", "fs2", "fs3", "fs4", "fs5"]
    private func member(_ name: String) -> MemberID { MemberID(name: name, birth: 1) }
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }
    private let dead = Holder(member: MemberID(name: "fs5", birth: 1), incarnation: 1)
    private let epoch = Epoch(term: 2, index: 9)

    private func log(basis: Fence.Basis = .silence, heardAt: Instant) -> FenceLog {
        var log = FenceLog()
        log.append(
            .init(
                epoch: epoch, fence: Fence(holder: dead, basis: basis, grants: []), voters: names.map(member),
                lastReceived: heardAt))
        return log
    }

    private func age(_ milliseconds: Int64) -> SilenceAge {
        SilenceAge(fence: epoch, holder: dead, age: .milliseconds(milliseconds))
    }

    @Test("it is over when a majority has not heard the dead for a whole lease")
    func over() {
        var log = log(heardAt: at(1000))
        #expect(
            log.waitedUntil(log.entries[0], me: member("fs1"), isOnDisk: true, wait: .milliseconds(150))
                == nil)
        log.replied(age(200), by: member("fs2"), at: at(1205))
        #expect(
            log.waitedUntil(log.entries[0], me: member("fs1"), isOnDisk: true, wait: .milliseconds(150))
                == nil)
        log.replied(age(30), by: member("fs3"), at: at(1205))
        #expect(
            log.waitedUntil(log.entries[0], me: member("fs1"), isOnDisk: true, wait: .milliseconds(150))
                == at(1325))
        log.replied(age(190), by: member("fs4"), at: at(1206))
        #expect(
            log.waitedUntil(log.entries[0], me: member("fs1"), isOnDisk: true, wait: .milliseconds(150))
                == at(1166))
    }

    @Test("the dead node's own word does not count")
    func deadDoesNotCount() {
        var log = log(heardAt: at(1000))
        log.replied(age(500), by: member("fs5"), at: at(1205))
        log.replied(age(500), by: member("fs2"), at: at(1205))
        #expect(
            log.waitedUntil(log.entries[0], me: member("fs1"), isOnDisk: true, wait: .milliseconds(150))
                == nil)
    }

    @Test("an age for another fence or another holder is not taken")
    func foreignAge() {
        var log = log(heardAt: at(1000))
        log.replied(
            SilenceAge(fence: Epoch(term: 1, index: 9), holder: dead, age: .seconds(9)), by: member("fs2"),
            at: at(1205))
        log.replied(
            SilenceAge(fence: epoch, holder: dead, age: .milliseconds(-5)), by: member("fs3"), at: at(1205))
        #expect(log.entries[0].ages == [])
    }

    @Test("a holder that says itself that it holds nothing is not waited for")
    func noWait() {
        let log = log(basis: .reborn, heardAt: at(1000))
        #expect(
            log.waitedUntil(log.entries[0], me: member("fs1"), isOnDisk: true, wait: .milliseconds(150))
                == at(1000))
    }

    @Test("a truncated fence is forgotten, and one is kept until it is applied and in effect")
    func forgetting() {
        var log = log(heardAt: at(1000))
        #expect(log.fences(dead))
        log.forget(through: 8)
        #expect(log.entries.count == 1)
        log.forget(through: 9)
        #expect(log.entries.isEmpty)
        var other = self.log(heardAt: at(1000))
        other.truncate(from: 9)
        #expect(!other.fences(dead))
    }
}

/// What the log of an acknowledgement's sender must not know more than our own.
@Suite struct LogViewTests {
    @Test("a deposed leader's own fence of a newer term does not make up for a newer leader's log")
    func deposed() {
        let committedByTerm4 = LogView(term: 4, fence: Epoch(term: 2, index: 10))
        let deposed = LogView(term: 3, fence: Epoch(term: 3, index: 10))
        #expect(!deposed.covers(committedByTerm4))
        #expect(LogView(term: 4, fence: Epoch(term: 2, index: 10)).covers(committedByTerm4))
        // A node of an older version does not tell the term of its log.
        #expect(deposed.covers(LogView(term: 0, fence: Epoch(term: 2, index: 10))))
    }
}
