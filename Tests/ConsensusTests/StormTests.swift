import Consensus
import Primitives
import Testing

@Suite("Raft in storms") struct StormTests {
    @Test("no storm breaks the agreement, and after it a leader commits", arguments: 0..<8)
    func storms(part: UInt64) {
        var elections = 0
        for seed in part * 50..<(part + 1) * 50 {
            var storm = Storm(seed: seed)
            storm.run(for: .seconds(8))
            storm.calm()
            let settled = storm.run(for: .seconds(5)) { $0.settledLeader != nil }
            #expect(storm.judge.violation == nil, "seed \(seed)")
            #expect(settled, "seed \(seed): no leader after the storm")
            guard let leader = storm.settledLeader else { return }
            let before = storm.judge.newestCommitted.index
            storm.propose(leader)
            let committed = storm.run(for: .seconds(5)) { storm in
                guard let leader = storm.settledLeader, let raft = storm.members[leader].raft else {
                    return false
                }
                return raft.commitIndex > before
                    && raft.membership.members.allSatisfy { id in
                        storm.members.first { $0.id == id }?.applied == storm.members[leader].applied
                    }
            }
            #expect(storm.judge.violation == nil, "seed \(seed)")
            #expect(committed, "seed \(seed): the proposal after the storm is not everywhere")
            elections += storm.judge.elections
        }
        #expect(elections > 50, "the storms were too weak to mean anything")
    }

    @Test("a seed replays the same storm")
    func replay() {
        var first = Storm(seed: 4711)
        var second = Storm(seed: 4711)
        first.run(for: .seconds(5))
        second.run(for: .seconds(5))
        #expect(first.members.map(\.raft) == second.members.map(\.raft))
        #expect(first.judge.newestCommitted == second.judge.newestCommitted)
        #expect(first.judge.newestCommitted.index > 1)
    }
}
