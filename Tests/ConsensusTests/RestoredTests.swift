import Consensus
import Primitives
import Testing

@Suite("Raft from storage") struct RestoredTests {
    static let me = MemberID(name: "a", birth: 1)
    static let founding = Machine.Restored.founding(
        Membership(voters: [me]), state: Tally(index: 1))

    static func entry(_ term: Term, _ index: Index) -> Entry<String> {
        Entry(term: term, index: index, payload: .empty)
    }

    @Test("a founder alone leads and commits when its writes are durable, not before")
    func alone() {
        var raft = Machine(me: Self.me, settings: .init(), restored: Self.founding, seed: 1, at: .zero)
        let now = raft.nextDeadline ?? .zero
        _ = raft.handle(.tick, at: now)
        #expect(raft.role == .candidate)
        _ = raft.handle(.stored(sequence: 1), at: now)
        #expect(raft.role == .leader)
        #expect(raft.termBeginning == 2)
        #expect(raft.commitIndex == 1)
        let outputs = raft.handle(.stored(sequence: 2), at: now)
        #expect(outputs == [.committed([Self.entry(2, 2)])])
        #expect(raft.commitIndex == 2)
    }

    @Test("entries the snapshot includes are passed over")
    func behindTheSnapshot() {
        var restored = Self.founding
        restored.hardState.term = 4
        restored.entries = [Self.entry(1, 1), Self.entry(2, 2), Self.entry(4, 3)]
        #expect(restored.fault == nil)
        let raft = Machine(me: Self.me, settings: .init(), restored: restored, seed: 1, at: .zero)
        #expect(raft.firstIndex == 2)
        #expect(raft.lastEpoch == Epoch(term: 4, index: 3))
        #expect(raft.durableIndex == 3)
        #expect(raft.commitIndex == 1)
        #expect(raft.membershipEpoch == Epoch(term: 1, index: 1))
    }

    @Test(
        "a log that cannot have been stored is named as such",
        arguments: [
            (0, [], "the term 0 is older than the log"),
            (2, [(2, 3)], "entry 2 is missing"),
            (3, [(3, 2), (2, 3)], "the term of entry 3 is too old"),
            (2, [(3, 2)], "the term of entry 2 is too new"),
        ] as [(Term, [(Term, Index)], String)])
    func faults(term: Term, entries: [(Term, Index)], fault: String) {
        var restored = Self.founding
        restored.hardState.term = term
        restored.entries = entries.map { Self.entry($0.0, $0.1) }
        #expect(restored.fault == fault)
    }

    @Test("compacting keeps a tail for members slightly behind, and the membership of the snapshot")
    func compaction() {
        let settings = Machine.Settings(entriesKept: 1)
        var raft = Machine(me: Self.me, settings: settings, restored: Self.founding, seed: 1, at: .zero)
        let now = raft.nextDeadline ?? .zero
        _ = raft.handle(.tick, at: now)
        _ = raft.handle(.stored(sequence: 1), at: now)
        _ = raft.handle(.propose("x"), at: now)
        _ = raft.handle(.stored(sequence: 3), at: now)
        let outputs = raft.handle(.compact(through: 3, state: Tally(index: 3)), at: now)
        let snapshot = Snapshot(
            epoch: Epoch(term: 2, index: 3), membership: Membership(voters: [Self.me]),
            membershipEpoch: Epoch(term: 1, index: 1), state: Tally(index: 3))
        #expect(outputs == [.store(StoreRequest(sequence: 4, snapshot: snapshot, firstIndexKept: 3))])
        #expect(raft.firstIndex == 3)
        #expect(raft.snapshot == snapshot)
        #expect(raft.handle(.compact(through: 3, state: Tally(index: 3)), at: now) == [])
    }
}
