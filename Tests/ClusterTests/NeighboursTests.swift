import Consensus
import Primitives
import Testing

@testable import Cluster

/// Lives of neighbours, and who of them counts.
@Suite struct NeighboursTests {
    private let me = Holder(member: MemberID(name: "fs1", birth: 1), incarnation: 1 << 32)
    private func other(_ life: UInt64) -> Holder {
        Holder(member: MemberID(name: "fs2", birth: 2), incarnation: life << 32)
    }
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    private static let here = MachineID(host: 1, boot: 5)

    private func heartbeat(
        _ sender: Holder, _ sequence: UInt64, hears: Holder?, on machine: MachineID = Self.here
    ) -> Heartbeat {
        var heartbeat = Heartbeat(
            clusterID: 1, sender: sender, sequence: sequence, kind: .full, role: .slave, settingsVersion: 1,
            term: 1, commit: 1, leader: nil, fenceEpoch: .zero, holding: [], leaseValid: true,
            keeperEmpty: true, leaving: false, load: SwitchReport(health: .healthy), founding: 0,
            acknowledgements: hears.map { [Acknowledgement(holder: $0, sequence: 0, age: .zero)] } ?? [])
        heartbeat.machine = machine
        return heartbeat
    }

    private func hear(_ neighbours: inout Neighbours, _ heartbeat: Heartbeat, _ now: Instant)
        -> Neighbours.Hearing
    {
        neighbours.heard(
            heartbeat, by: me, patience: .seconds(1), silence: .milliseconds(200), pace: .milliseconds(25),
            at: now)
    }

    @Test("a number that its sender cannot have come to makes nothing old that the sender says")
    func leap() {
        var neighbours = Neighbours(at: .zero)
        check(hear(&neighbours, heartbeat(other(1), 7, hears: me), at(0)) == .appeared)
        check(hear(&neighbours, heartbeat(other(1), 100_001, hears: me), at(10)) == .stale)
        for beat in 1...80 {
            check(
                hear(&neighbours, heartbeat(other(1), 7 + UInt64(beat), hears: me), at(Int64(beat) * 25))
                    == .again)
            // Whoever goes on with it is not believed beside the true one either.
            check(
                hear(
                    &neighbours, heartbeat(other(1), 100_001 + UInt64(beat), hears: me),
                    at(Int64(beat) * 25 + 1)) == .stale)
        }
    }

    @Test("who goes on from a number far ahead, and nobody says anything else, is believed after a second")
    func stoodStill() {
        var neighbours = Neighbours(at: .zero)
        _ = hear(&neighbours, heartbeat(other(1), 7, hears: me), at(0))
        for beat in 0..<40 {
            check(
                hear(
                    &neighbours, heartbeat(other(1), 90_000 + UInt64(beat), hears: me),
                    at(30 + Int64(beat) * 25)) == .stale)
        }
        check(hear(&neighbours, heartbeat(other(1), 90_040, hears: me), at(1030)) == .again)
        check(hear(&neighbours, heartbeat(other(1), 90_041, hears: me), at(1055)) == .again)
    }

    @Test("after a silence the numbers may be as far ahead as the time allows") func lostBeats() {
        var neighbours = Neighbours(at: .zero)
        _ = hear(&neighbours, heartbeat(other(1), 7, hears: me), at(0))
        check(hear(&neighbours, heartbeat(other(1), 7 + 2400, hears: me), at(60_000)) != .stale)
    }

    @Test("the silence of a life counts from when that life was heard, not from our start")
    func formerLife() {
        var neighbours = Neighbours(at: .zero)
        _ = hear(&neighbours, heartbeat(other(1), 7, hears: me), at(5000))
        _ = hear(&neighbours, heartbeat(other(2), 1, hears: me), at(5008))
        #expect(neighbours.lastHeard(other(1)) == at(5000))
        #expect(neighbours.lastHeard(other(2)) == at(5008))
        #expect(neighbours.lastHeard(other(9)) == .zero)
        check(hear(&neighbours, heartbeat(other(1), 8, hears: me), at(5010)) == .stale)
        #expect(neighbours.lastHeard(other(1)) == at(5000))
        #expect(neighbours.voicelessSince(other(1)) == at(5010))
    }

    @Test("a life that had to make room on the record is not taken for one that was never heard")
    func manyLives() {
        var neighbours = Neighbours(at: .zero)
        for life in 1...8 {
            _ = hear(&neighbours, heartbeat(other(UInt64(life)), 1, hears: me), at(Int64(life) * 100))
        }
        #expect(neighbours.lastHeard(other(7)) == at(700))
        #expect(neighbours.lastHeard(other(1)) >= at(100))
        for node in 0..<70 {
            let stranger = Holder(member: MemberID(name: "x\(node)", birth: 9), incarnation: 1 << 32)
            _ = hear(&neighbours, heartbeat(stranger, 1, hears: me), at(1000 + Int64(node)))
        }
        #expect(neighbours.lastHeard(other(8)) >= at(800))
    }

    @Test("who does not show that it hears this life of us counts for a second, and again once it does")
    func proof() {
        let formerMe = Holder(member: me.member, incarnation: me.incarnation - 1)
        var neighbours = Neighbours(at: .zero)
        check(hear(&neighbours, heartbeat(other(1), 1, hears: formerMe), at(100)) == .appeared)
        check(hear(&neighbours, heartbeat(other(1), 2, hears: formerMe), at(1050)) == .again)
        check(hear(&neighbours, heartbeat(other(1), 3, hears: formerMe), at(1150)) == .unproven)
        check(hear(&neighbours, heartbeat(other(2), 1, hears: formerMe), at(1160)) == .unproven)
        #expect(neighbours.lastHeard(other(1)) == at(1050))
        #expect(neighbours[other(1).member]?.unproven?.holder == other(2))
        check(hear(&neighbours, heartbeat(other(1), 4, hears: me), at(1200)) == .again)
        #expect(neighbours.lastHeard(other(1)) == at(1200))
        #expect(neighbours[other(1).member]?.unproven == nil)
    }

    @Test("a sleep of our own is nobody's failure to show that it hears us")
    func sleep() {
        var neighbours = Neighbours(at: .zero)
        _ = hear(&neighbours, heartbeat(other(1), 1, hears: me), at(100))
        neighbours.excuse(.seconds(5), at: at(5100))
        check(hear(&neighbours, heartbeat(other(1), 2, hears: nil), at(5110)) == .again)
    }

    @Test("a life on another machine is believed only when the one on record has been silent")
    func rival() {
        let there = MachineID(host: 1, boot: 6)
        var neighbours = Neighbours(at: .zero)
        _ = hear(&neighbours, heartbeat(other(1), 7, hears: me), at(5000))
        check(hear(&neighbours, heartbeat(other(2), 1, hears: me, on: there), at(5100)) == .rival)
        #expect(neighbours[other(1).member]?.holder == other(1))
        #expect(neighbours[other(1).member]?.rival?.holder == other(2))
        check(hear(&neighbours, heartbeat(other(2), 2, hears: me, on: there), at(5200)) == .appeared)
        #expect(neighbours[other(1).member]?.rival == nil)
        // The original comes back when the other one is gone, and not by a recording.
        check(hear(&neighbours, heartbeat(other(1), 8, hears: me), at(5300)) == .stale)
        check(hear(&neighbours, heartbeat(other(1), 7, hears: me), at(5600)) == .stale)
        check(hear(&neighbours, heartbeat(other(1), 9, hears: me), at(5600)) == .appeared)
        #expect(neighbours.lastHeard(other(1)) == at(5600))
        #expect(neighbours.lastHeard(other(2)) == at(5200))
    }

    @Test("only a life on the same machine speaks for a former one at once; one elsewhere never does")
    func machines() {
        let here = MachineID(host: 1, boot: 5)
        #expect(here.isSame(as: here) == true)
        #expect(here.isSame(as: MachineID(host: 1, boot: 6)) == nil)
        #expect(here.isSame(as: MachineID(host: 2, boot: 7)) == false)
        #expect(here.isSame(as: .unknown) == nil)
        #expect(MachineID.unknown.isSame(as: .unknown) == nil)
    }
}
