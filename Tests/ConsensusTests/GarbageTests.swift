import Consensus
import Primitives
import Testing

/// Draws messages that no member would send, and some that one might.
private struct Garbage {
    var generator: SeededGenerator
    let ids: [MemberID]

    mutating func number() -> UInt64 {
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: UInt64.max - UInt64.random(in: 0...2, using: &generator)
        case 1: UInt64.random(in: 0...UInt64.max, using: &generator)
        case 2: (1 << 62) - 1
        default: UInt64.random(in: 0...12, using: &generator)
        }
    }

    mutating func epoch() -> Epoch { Epoch(term: number(), index: number()) }

    mutating func membership() -> Membership {
        let voters = (ids + ids).shuffled(using: &generator).filter { _ in Bool.random(using: &generator) }
        return Membership(
            voters: voters, learners: ids.filter { _ in Bool.random(using: &generator) })
    }

    mutating func entries() -> [Entry<String>] {
        var entries: [Entry<String>] = []
        let inOrder = Bool.random(using: &generator)
        var place = epoch()
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            place = inOrder ? Epoch(term: place.term, index: place.index &+ 1) : epoch()
            let payload: Entry<String>.Payload =
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: .empty
                case 1: .membership(membership())
                default: .command("garbage")
                }
            entries.append(Entry(term: place.term, index: place.index, payload: payload))
        }
        return entries
    }

    mutating func body() -> Letter.Body {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: return .preVoteRequest(lastLog: epoch())
        case 1: return .preVoteReply(granted: Bool.random(using: &generator))
        case 2: return .voteRequest(lastLog: epoch(), transfer: Bool.random(using: &generator))
        case 3: return .voteReply(granted: Bool.random(using: &generator))
        case 4, 5:
            let entries = entries()
            var previous = epoch()
            if let first = entries.first, Bool.random(using: &generator) {
                previous = Epoch(term: first.term, index: first.index &- 1)
            }
            return .append(previous: previous, entries: entries, commit: number())
        case 6: return .appendReply(.accepted(agreed: number(), durable: number()))
        case 7: return .appendReply(.rejected(previous: number(), hint: epoch()))
        case 8:
            let state = Tally(index: number())
            return .snapshot(
                Snapshot(epoch: epoch(), membership: membership(), membershipEpoch: epoch(), state: state))
        default:
            return Bool.random(using: &generator) ? .timeoutNow : .snapshotReply(index: number())
        }
    }
}

@Suite("Raft and garbage") struct GarbageTests {
    static let ids = ["a", "b", "c", "d"].map { MemberID(name: $0, birth: 1) }

    @Test("no message traps, and none takes back what is committed", arguments: 0..<4)
    func garbage(part: UInt64) {
        var commits = 0
        for seed in part * 100..<(part + 1) * 100 {
            var garbage = Garbage(generator: SeededGenerator(seed: seed), ids: Self.ids)
            let voters = Array(Self.ids.prefix(Int(seed % 4)))
            let restored =
                voters.isEmpty
                ? Machine.Restored() : .founding(Membership(voters: voters), state: Tally(index: 1))
            var now = Instant.zero
            var raft = Machine(me: Self.ids[0], settings: .init(), restored: restored, seed: seed, at: now)
            for _ in 0..<300 {
                let input: Machine.Input
                switch Int.random(in: 0..<10, using: &garbage.generator) {
                case 0: input = .propose("mine")
                case 1: input = .changeMembership(garbage.membership())
                case 2: input = .transferLeadership(to: Self.ids[1])
                case 3:
                    now = max(now, raft.nextDeadline ?? now)
                    input = .tick
                default:
                    let near = raft.term + UInt64.random(in: 0...1, using: &garbage.generator)
                    let term =
                        Int.random(in: 0..<50, using: &garbage.generator) == 0 ? garbage.number() : near
                    input = .message(
                        Letter(term: term, body: garbage.body()),
                        from: Self.ids.randomElement(using: &garbage.generator) ?? Self.ids[1])
                }
                let committed = raft.commitIndex
                let outputs = raft.handle(input, at: now)
                if raft.commitIndex < committed { Issue.record("seed \(seed): commit fell") }
                for case .store(let request) in outputs where Bool.random(using: &garbage.generator) {
                    _ = raft.handle(.stored(sequence: request.sequence), at: now)
                }
                if raft.commitIndex > committed { commits += 1 }
            }
        }
        #expect(commits > 100, "the garbage was too senseless to reach anything")
    }
}
