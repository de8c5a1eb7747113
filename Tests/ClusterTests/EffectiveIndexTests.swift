import Consensus
import Primitives
import Testing

@testable import Cluster

@Suite("What is in effect") struct EffectiveIndexTests {
    @Test("it never goes back, and a leader tells no more than is committed") func telling() {
        var effective = EffectiveIndex()
        effective.learn(7)
        effective.learn(5)
        #expect(effective.index == 7)
        #expect(!effective.isUntold(committed: 9), "only a leader tells")
        effective.beginLeading(lastFence: 7)
        #expect(effective.isUntold(committed: 6))
        #expect(effective.tell(committed: 6) == 6)
        #expect(!effective.isUntold(committed: 6) && effective.isUntold(committed: 7))
        effective.endLeading()
        #expect(!effective.isUntold(committed: 7))
    }

    @Test("a leader knows of older fences after a lease, or at once where none waits") func older() {
        func index(afterLeadingFor time: Duration, lastFence: Index) -> Index {
            let me = MemberID(name: "fs1", birth: 1)
            let state = ControlState(clusterID: 1, settings: Five.settings)
            let timing = Five.settings.timing
            var raft = Node.ControlRaft(
                me: me, settings: Node.consensusSettings(timing),
                restored: .founding(Membership(voters: [me]), state: state), seed: 1, at: .zero)
            var now = Instant.zero
            var writes: [UInt64] = []
            for _ in 0..<1000 where raft.commitIndex < raft.termBeginning ?? .max {
                now = now + .milliseconds(10)
                var outputs = raft.handle(.tick, at: now)
                for write in writes { outputs += raft.handle(.stored(sequence: write), at: now) }
                writes = outputs.compactMap {
                    if case .store(let request) = $0 { request.sequence } else { nil }
                }
            }
            var effective = EffectiveIndex()
            effective.beginLeading(lastFence: lastFence)
            let fences = FenceLog()
            let neighbours = Neighbours(at: .zero)
            effective.advance(raft, fences, neighbours, state, timing, at: now)
            #expect(effective.isLeadershipCommitted)
            effective.advance(raft, fences, neighbours, state, timing, at: now + time)
            return effective.index
        }
        let lease = Five.settings.timing.leaseWait
        #expect(index(afterLeadingFor: .zero, lastFence: 0) > 0)
        #expect(index(afterLeadingFor: lease - .nanoseconds(1), lastFence: 1) == 0)
        #expect(index(afterLeadingFor: lease, lastFence: 1) > 0)
    }
}
