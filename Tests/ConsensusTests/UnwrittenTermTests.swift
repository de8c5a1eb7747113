import Consensus
import Primitives
import Testing

/// A heartbeat is answered before the disk is, but nothing counts as durable in a term that a crash would forget.
@Suite struct UnwrittenTermTests {
    private static let ids = (0..<5).map { MemberID(name: "n\($0)", birth: 1) }
    private static let settings = Machine.Settings(
        electionTimeout: .milliseconds(120) ... .milliseconds(180), heartbeatInterval: .milliseconds(60))
    private static let founding = Epoch(term: 1, index: 1)

    /// A member that follows n4 in term 2 and has its uncommitted entry 2.2 on the disk.
    private static func member(_ i: Int) -> Member {
        var member = Member(id: ids[i], disk: Disk(founding: Membership(voters: ids)))
        member.start(settings: settings, seed: UInt64(i), at: .zero)
        _ = member.handle(
            append(term: 2, to: Entry(term: 2, index: 2, payload: .command("a")), from: 4), at: .zero)
        settle(&member, at: .zero)
        return member
    }

    private static func append(term: Term, to entry: Entry<String>?, from leader: Int) -> Machine.Input {
        .message(
            Letter(
                term: term,
                body: .append(
                    previous: entry == nil ? Epoch(term: 2, index: 2) : founding,
                    entries: entry.map { [$0] } ?? [], commit: 1)), from: ids[leader])
    }

    /// Finishes all writes of a member; returns what it says then.
    @discardableResult
    private static func settle(_ member: inout Member, at now: Instant) -> [Machine.Output] {
        var outputs: [Machine.Output] = []
        while let sequence = member.finishWrite() {
            outputs += member.handle(.stored(sequence: sequence), at: now)
        }
        return outputs
    }

    private static func replies(_ outputs: [Machine.Output]) -> [AppendReply] {
        outputs.compactMap { output in
            if case .send(let message, _) = output, case .appendReply(let reply) = message.body {
                reply
            } else {
                nil
            }
        }
    }

    @Test("until the term of a heartbeat is written, its reply calls nothing durable")
    func reply() {
        var follower = Self.member(2)
        let heartbeat = Self.append(term: 4, to: nil, from: 0)
        let early = Self.replies(follower.handle(heartbeat, at: .zero))
        #expect(early == [.accepted(agreed: 2, durable: 0)])
        Self.settle(&follower, at: .zero)
        let late = Self.replies(follower.handle(heartbeat, at: .zero))
        #expect(late == [.accepted(agreed: 2, durable: 2)])
    }

    /// Brings n0 into office in term 4, with the votes of n3 and n4.
    private static func leader() -> Member {
        var leader = member(0)
        _ = leader.handle(.message(Letter(term: 3, body: .timeoutNow), from: ids[1]), at: .zero)
        settle(&leader, at: .zero)
        for voter in [3, 4] {
            let vote = Letter(term: 4, body: .voteReply(granted: true))
            _ = leader.handle(.message(vote, from: ids[voter]), at: .zero)
        }
        settle(&leader, at: .zero)
        return leader
    }

    @Test(
        "a follower that forgets a term in a crash, and obeys an older leader, is repaired under the same leader"
    )
    func repair() {
        var leader = Self.leader()
        var follower = Self.member(2)
        #expect(leader.raft?.role == .leader)
        var now = Instant.zero
        func exchange(_ leader: inout Member, _ follower: inout Member, writes: Bool) {
            now = leader.raft?.nextDeadline ?? now
            var toFollower = leader.handle(.tick, at: now)
            for voter in [3, 4] {
                let reply = Letter(term: 4, body: .appendReply(.accepted(agreed: 3, durable: 3)))
                toFollower += leader.handle(.message(reply, from: Self.ids[voter]), at: now)
            }
            while !toFollower.isEmpty {
                var answers: [Machine.Output] = []
                for case .send(let message, Self.ids[2]) in toFollower {
                    answers += follower.handle(.message(message, from: Self.ids[0]), at: now)
                    if writes { answers += Self.settle(&follower, at: now) }
                }
                toFollower = []
                for case .send(let message, Self.ids[0]) in answers {
                    toFollower += leader.handle(.message(message, from: Self.ids[2]), at: now)
                }
            }
        }
        // Only a heartbeat reaches the follower, and its reply the leader; then it crashes before the write.
        now = leader.raft?.nextDeadline ?? now
        for case .send(let heartbeat, Self.ids[2]) in leader.handle(.tick, at: now) {
            for case .send(let reply, _) in follower.handle(.message(heartbeat, from: Self.ids[0]), at: now) {
                _ = leader.handle(.message(reply, from: Self.ids[2]), at: now)
            }
        }
        follower.crash()
        follower.start(settings: Self.settings, seed: 9, at: now)
        // What the leader of term 3 sent long ago replaces 2.2.
        let late = Entry<String>(term: 3, index: 2, payload: .empty)
        _ = follower.handle(Self.append(term: 3, to: late, from: 1), at: now)
        Self.settle(&follower, at: now)
        #expect(follower.raft?.lastEpoch == late.epoch)

        for _ in 0..<20 { exchange(&leader, &follower, writes: true) }
        #expect(leader.raft?.role == .leader)
        #expect(leader.raft?.term == 4)
        #expect(follower.raft?.lastEpoch == leader.raft?.lastEpoch)
    }

    @Test("a membership repeats nobody, however it is made")
    func membership() {
        let ids = Self.ids
        let made = Membership(voters: [ids[1], ids[0], ids[1]], learners: [ids[3], ids[3]])
        #expect(made.voters == [ids[0], ids[1]])
        #expect(made.learners == [ids[3]])
        #expect(made.with(voter: ids[3]) == Membership(voters: [ids[0], ids[1], ids[3]]))
        #expect(made.with(voter: ids[0]) == made)
        #expect(made.with(learner: ids[1]) == Membership(voters: [ids[0]], learners: [ids[1], ids[3]]))
        #expect(made.without(ids[0]).voters == [ids[1]])
    }
}
