import Testing

@testable import Cluster

/// Leaders that are obeyed (TCP) and hear nobody (UDP), or are heard by nobody.
@Suite struct DeafLeaderTests {
    /// Five machines, the third holds the one seat.
    private func stage(where holds: (Stage) -> Bool) -> Stage {
        var seed: UInt64 = 11
        while true {
            var stage = Stage(5, prefer: 2, seed: seed)
            let isFormed = stage.run(.seconds(4), until: { $0.holders == [2] && $0.leader != nil })
            if isFormed, holds(stage) {
                stage.run(.seconds(1))
                return stage
            }
            seed += 1
        }
    }

    private func deafen(_ i: Int, to others: [Int], in stage: inout Stage) {
        for other in others where other != i { stage.cutHeartbeats.insert(.init(from: other, to: i)) }
    }

    @Test("a leader that becomes deaf loses its seat to another within a second, and leads no more")
    func deafHolder() {
        var stage = stage { $0.leader == 2 }
        deafen(2, to: [0, 1, 3, 4], in: &stage)
        check(stage.run(.seconds(1), until: { !$0.holders.isEmpty && !$0.holders.contains(2) }))
        #expect(stage.leader != 2)
        #expect(stage.violations.isEmpty)
    }

    /// Who leads next never learns that the holder has no lease, and has only the others' word for its silence. They must not
    /// take for a sign of being heard that the holder goes on naming them.
    @Test(
        "a leader that holds a seat and becomes deaf, and is not heard by one that leads next, loses the seat soon",
        arguments: [3, 4], [true, false])
    func deafHolderUnheardByHeir(_ count: Int, areLinksCut: Bool) throws {
        var tried = 0
        for seed in UInt64(1)...12 {
            var formed = Stage(count, prefer: 2, seed: seed)
            guard formed.run(.seconds(4), until: { $0.holders == [2] && $0.leader == 2 }) else { continue }
            formed.run(.seconds(3))
            guard formed.leader == 2 else { continue }
            tried += 1
            for follower in 0..<count where follower != 2 {
                var stage = formed
                deafen(2, to: Array(0..<count), in: &stage)
                stage.cutHeartbeats.insert(.init(from: 2, to: follower))
                if areLinksCut { stage.cut([(2, follower)]) }
                let isMoved = stage.run(.milliseconds(1400)) {
                    !$0.holders.isEmpty && !$0.holders.contains(2)
                }
                #expect(isMoved, "seed \(seed), cut from fs\(follower)")
                #expect(stage.violations.isEmpty)
            }
        }
        #expect(tried > 0)
    }

    @Test("a leader that becomes deaf fences nobody: whoever holds a seat goes on, and somebody else leads")
    func deafLeader() throws {
        var stage = stage { $0.leader != 2 }
        let deaf = try #require(stage.leader)
        deafen(deaf, to: Array(0..<5), in: &stage)
        stage.run(.seconds(5))
        #expect(stage.holders == [2])
        let leader = try #require(stage.leader)
        #expect(leader != deaf)
        let fenced = stage.reports.filter { $0.event.kind == .nodeFenced }.map(\.event.subject)
        #expect(Set(fenced).subtracting(["fs\(deaf)"]).isEmpty, "\(fenced)")
    }

    @Test(
        "a leader that holds a seat and hears too little to keep its lease lets another lead, and the seat is served"
    )
    func unsteadyHolder() {
        var stage = stage { $0.leader == 2 }
        // Heartbeats to it come through for a moment now and then, as in a flood.
        for _ in 0..<14 {
            deafen(2, to: [0, 1, 3, 4], in: &stage)
            stage.run(.milliseconds(170))
            stage.cutHeartbeats = []
            stage.run(.milliseconds(40))
        }
        #expect(stage.leader != 2)
        #expect(!stage.holders.isEmpty && !stage.holders.contains(2))
        stage.run(.seconds(5))
        #expect(stage.holders.count == 1)
        #expect(stage.violations.isEmpty)
    }

    @Test(
        "a leader that reads heartbeats so late that it has no lease lets another lead, and its seat is served"
    )
    func lateReader() {
        var stage = stage { $0.leader == 2 }
        // Soon enough to be no silence (200 ms), too late for a lease (150 ms).
        stage.heartbeatLag[2] = .milliseconds(165)
        check(stage.run(.seconds(4), until: { !$0.holders.isEmpty && !$0.holders.contains(2) }))
        #expect(stage.leader != 2)
        stage.run(.seconds(5))
        #expect(stage.holders.count == 1 && !stage.holders.contains(2))
        #expect(stage.violations.isEmpty)
    }

    @Test(
        "a leader without a seat that reads heartbeats too late lets another lead so soon that a lost holder is replaced within twice dead-after, whenever it is lost",
        arguments: [260, 330], [0, 150, 300, 600])
    func lateLeader(_ lag: Int, _ onset: Int) throws {
        let formed = stage { $0.leader != 2 }
        let late = try #require(formed.leader)
        for number in 0..<2 {
            var stage = formed
            // As long as the others' leases must have lasted.
            stage.run(LeaseLosses.memory + .milliseconds(11 * number))
            stage.heartbeatLag[late] = .milliseconds(lag)
            stage.run(.milliseconds(onset))
            stage.crash(2)
            check(stage.run(.milliseconds(400), until: { !$0.holders.isEmpty }))
            #expect(stage.violations.isEmpty)
        }
    }

    @Test(
        "a leader without a link to a holder lets one lead that has all, also when another node dies: the seat is served"
    )
    func unlinked() throws {
        var seed: UInt64 = 30
        var stage = Stage(4, prefer: 2, seed: seed)
        while !stage.run(.seconds(4), until: { $0.holders == [2] && ($0.leader ?? 2) != 2 }) {
            seed += 1
            stage = Stage(4, prefer: 2, seed: seed)
        }
        stage.run(.seconds(1))
        let leader = try #require(stage.leader)
        let others = [0, 1, 3].filter { $0 != leader }
        for (a, b) in [(leader, 2), (2, leader)] { stage.cutMessages.insert(.init(from: a, to: b)) }
        stage.run(.milliseconds(500))
        stage.crash(others[0])
        for (a, b) in [(leader, 2), (2, leader)] {
            stage.notice(a, [PathTrouble(.link, peers: [stage.machines[b].name])])
        }
        stage.run(.seconds(4))
        #expect(stage.leader == others[1])
        #expect(stage.holders.count == 1, "\(stage.holders)")
        #expect(stage.violations.isEmpty)
    }

    @Test("where heartbeats pass within two parts only, the greater part decides, whoever led before")
    func parts() throws {
        var stage = stage { $0.leader != 2 }
        let leader = try #require(stage.leader)
        let companion = try #require([0, 1, 3, 4].first { $0 != leader })
        for a in [leader, companion] {
            for b in 0..<5 where b != leader && b != companion {
                stage.cutHeartbeats.insert(.init(from: a, to: b))
                stage.cutHeartbeats.insert(.init(from: b, to: a))
            }
        }
        stage.run(.seconds(5))
        #expect(stage.holders == [2])
        #expect(stage.leader.map { $0 != leader && $0 != companion } == true)
        #expect(stage.violations.isEmpty)
    }
}
