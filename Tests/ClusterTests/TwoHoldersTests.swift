import Primitives
import Testing

@testable import Cluster

/// Schedules that once gave one address to two machines, with real nodes; each ends with the address somewhere.
@Suite struct TwoHoldersTests {
    /// A lease long enough that an overlap cannot hide between two heartbeats.
    private static let slow = Timing(
        lease: .milliseconds(300), deadAfter: .milliseconds(400), discovery: .milliseconds(500))

    /// A formed cluster whose address is on the machine that should have it, with somebody else leading.
    private func formed(
        _ count: Int, holder: Int, leader: Int? = nil, timing: Timing = Self.slow
    ) throws -> Stage {
        for seed in 0..<UInt64(60) {
            var stage = Stage(count, prefer: holder, timing: timing, seed: seed)
            guard stage.run(.seconds(4), until: { $0.holders == [holder] }), let leads = stage.leader else {
                continue
            }
            guard leads != holder, leader == nil || leads == leader else { continue }
            stage.run(.milliseconds(500))
            if stage.leader == leads, stage.voters(by: leads) == count { return stage }
        }
        throw NotFormed()
    }
    private struct NotFormed: Error {}

    @Test("five nodes, two of which come back to a leader that is cut from the holder")
    func growApart() throws {
        var stage = try formed(5, holder: 3, leader: 4)
        stage.cut([(1, 0), (1, 2), (1, 3), (1, 4), (2, 0), (2, 3), (2, 4)])
        check(stage.run(.seconds(5)) { $0.voters(by: 4) == 3 })
        stage.run(.seconds(2))
        #expect(stage.leader == 4 && stage.holders == [3])
        stage.join([(1, 0), (1, 2), (1, 4), (2, 0), (2, 4)])
        stage.cut([(3, 4), (3, 1), (3, 2)])
        check(stage.run(.seconds(10)) { !$0.holders.isEmpty && !$0.holders.contains(3) })
        #expect(stage.violations == [])
    }

    @Test("seven nodes, of which the leader fences two that only the holder hears")
    func shrink() throws {
        var stage = try formed(7, holder: 2, leader: 0)
        // The holder 2 meets 1, 5 and 6; 5 and 6 meet nobody else; 0, 1, 3 and 4 meet each other.
        for lonely in [5, 6] { stage.cut([0, 1, 3, 4].map { (lonely, $0) }) }
        stage.cut([(5, 6)])
        stage.cut([0, 3, 4].map { (2, $0) })
        check(stage.run(.seconds(10)) { !$0.holders.isEmpty && !$0.holders.contains(2) })
        #expect(stage.violations == [])
    }

    @Test(
        "a replier tells how long it was silent, forgets the fence in a crash, and hears the holder again",
        arguments: 0..<6)
    func staleAge(pause: Int64) throws {
        var stage = try formed(3, holder: 2, leader: 1)
        stage.cut([(2, 0), (2, 1)])
        stage.machines[0].diskDelay = .milliseconds(400)
        #expect(
            stage.run(.seconds(2)) { stage in
                stage.machines[0].node?.fences.entries.contains { $0.fence?.holder.name == "fs2" } ?? false
            })
        stage.run(.milliseconds(60 + pause * 10))
        stage.crash(0)
        stage.run(.milliseconds(2))
        stage.machines[0].diskDelay = .microseconds(500)
        stage.start(0)
        stage.join([(2, 0)])
        // Either the fence takes effect or its leader is deposed; in no case do both hold.
        stage.run(.seconds(3))
        #expect(!stage.holders.isEmpty)
        #expect(stage.violations == [])
    }

    @Test("a copy of the holder's state directory on another machine")
    func copied() throws {
        var stage = try formed(4, holder: 2, leader: 1)
        let copy = stage.copy(2)
        // The living holder does not learn what is agreed for a while; its heartbeats pass.
        for other in [0, 1, 3, copy] { stage.cutMessages.insert(.init(from: other, to: 2)) }
        stage.start(copy)
        stage.run(.seconds(10))
        #expect(stage.violations == [])
        #expect(stage.holders == [2], "the copy gives up, the original goes on")
    }

    @Test("a restart of the holder on the same machine needs no silence")
    func reborn() throws {
        var stage = try formed(4, holder: 2, leader: 1)
        stage.crash(2)
        stage.run(.milliseconds(10))
        stage.start(2)
        let began = stage.now
        check(stage.run(.seconds(2)) { !$0.holders.isEmpty })
        #expect(stage.now - began < .milliseconds(100))
        let standing = stage.reports.last { $0.event.kind == .nodeFenced && $0.by == 1 }?.event.text
        #expect(standing?.contains("its service started anew") == true)
        #expect(stage.violations == [])
    }

    @Test("a dead holder is replaced as soon as its silence shows: the wait behind the fence costs nothing")
    func takeover() throws {
        var stage = try formed(5, holder: 2, leader: 1, timing: Timing(discovery: .milliseconds(500)))
        stage.crash(2)
        let began = stage.now
        check(stage.run(.seconds(2)) { !$0.holders.isEmpty })
        #expect(stage.now - began < .milliseconds(215))
        #expect(stage.violations == [])
    }

    @Test("failures one after the other still shrink the voters to three")
    func shrinking() throws {
        var stage = try formed(7, holder: 2, leader: 0)
        for victim in [3, 4, 5, 6] {
            stage.crash(victim)
            stage.run(.seconds(2))
        }
        #expect(stage.leader == 0)
        #expect(stage.voters(by: 0) == 3)
        #expect(stage.holders == [2])
        #expect(stage.violations == [])
    }

    // MARK: - Who is heard

    @Test("a recording of a dead holder keeps it alive for no longer than a second")
    func ghost() throws {
        var stage = try formed(3, holder: 2, leader: 1)
        var recorded: [Heartbeat] = []
        while recorded.count < 100 {
            stage.run(.milliseconds(25))
            if let heartbeat = stage.spoken[2] { recorded.append(heartbeat) }
        }
        stage.crash(2)
        stage.crash(0)
        stage.run(.milliseconds(50))
        stage.start(0)
        for heartbeat in recorded {
            stage.play(heartbeat, to: 0)
            stage.run(.milliseconds(40))
            if !stage.holders.isEmpty { break }
        }
        #expect(!stage.holders.isEmpty, "covered while the recording goes on")
        #expect(stage.violations == [])
    }

    @Test("two nodes that lost each other for long hear each other again")
    func reunion() throws {
        var stage = try formed(3, holder: 2, leader: 1)
        stage.cut([(0, 1), (0, 2)])
        stage.run(.seconds(5))
        stage.join([(0, 1), (0, 2)])
        stage.run(.seconds(2))
        #expect(stage.state(1)?.member("fs0")?.isActive == true)
        stage.crash(2)
        check(stage.run(.seconds(1)) { !$0.holders.isEmpty })
        #expect(stage.violations == [])
    }

    @Test(
        "a node whose heartbeats do not arrive is not taken in again and again, and the operator is told once"
    )
    func unheard() throws {
        var stage = try formed(3, holder: 2, leader: 1)
        for other in 1...2 { stage.cutHeartbeats.insert(.init(from: 0, to: other)) }
        stage.run(.seconds(20))
        #expect(stage.leader == 1)
        #expect(stage.reports(.nodeAdmitted, by: 1, about: "fs0") == 1, "when the cluster was formed")
        #expect(stage.reports(.trouble, by: 1, about: "fs0") == 1)
        for other in 1...2 { stage.cutHeartbeats.remove(.init(from: 0, to: other)) }
        stage.run(.seconds(2))
        #expect(stage.state(1)?.member("fs0")?.isActive == true)
    }

    @Test("a node that falls silent over and over waits longer each time until it is taken in")
    func flapping() throws {
        var stage = try formed(3, holder: 2, leader: 1)
        let before = stage.reports(.nodeAdmitted, by: 1, about: "fs0")
        for _ in 0..<40 {
            for other in 1...2 { stage.cutHeartbeats.insert(.init(from: 0, to: other)) }
            stage.run(.milliseconds(600))
            for other in 1...2 { stage.cutHeartbeats.remove(.init(from: 0, to: other)) }
            stage.run(.milliseconds(400))
        }
        #expect(stage.reports(.nodeAdmitted, by: 1, about: "fs0") - before <= 6)
    }
}
