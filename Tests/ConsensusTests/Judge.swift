import Consensus
import Primitives

/// Watches all members of a storm and names the first promise of Raft that is broken.
struct Judge {
    private struct Line: Hashable {
        var entry: Entry<String>
        var previous: Epoch
    }

    private struct Ballot: Hashable {
        var term: Term
        var voter: MemberID
    }

    private(set) var violation: String?
    /// The newest entry known to be committed anywhere.
    private(set) var newestCommitted = Epoch.zero
    private var leaders: [Term: MemberID] = [:]
    private var committed: [Index: Entry<String>] = [:]
    private var states: [Index: Tally] = [:]
    private var lines: [Epoch: Line] = [:]
    /// The one vote of each member in each term, over all its lives.
    private var votes: [Ballot: MemberID] = [:]
    /// The memberships that were committed, by index, beginning with the founding one.
    private var memberships: [Membership.Point]
    private(set) var elections = 0

    init(founding: Membership) {
        memberships = [Membership.Point(epoch: Epoch(term: 1, index: 1), membership: founding)]
    }

    mutating func watch(_ member: Member, did outputs: [Machine.Output]) {
        for output in outputs {
            switch output {
            case .leaderChanged(let leader?, let term): lead(leader, in: term, by: member)
            case .appended(let entries):
                append(entries, by: member)
                checkChanges(in: entries, by: member)
            case .committed(let entries): commit(entries, by: member)
            case .restored(let snapshot): restore(snapshot, by: member)
            case .send(let message, let receiver): check(message, to: receiver, from: member)
            case .store(let request): request.snapshot.map { checkMembership(of: $0, on: member) }
            case .leaderChanged(nil, _), .truncated, .proposed, .refused, .transferFailed, .recovered,
                .recoveryFailed:
                break
            }
        }
    }

    private mutating func fail(_ text: String) {
        if violation == nil { violation = text }
    }

    /// Election safety, and leader completeness: a new leader has all that was ever committed.
    private mutating func lead(_ leader: MemberID, in term: Term, by member: Member) {
        if let other = leaders[term], other != leader {
            fail("\(leader.name) and \(other.name) both lead term \(term)")
        }
        guard leader == member.id, let raft = member.raft else { return }
        if leaders[term] == nil { elections += 1 }
        leaders[term] = leader
        guard term > newestCommitted.term, raft.role == .leader else { return }
        if let found = raft.epoch(at: newestCommitted.index) {
            if found != newestCommitted {
                fail("leader \(leader.name) has \(found) where \(newestCommitted) is committed")
            }
        } else if raft.firstIndex <= newestCommitted.index {
            fail("leader \(leader.name) of term \(term) lacks the committed \(newestCommitted)")
        }
    }

    /// Log matching, by induction: an epoch always names the same entry after the same predecessor.
    private mutating func append(_ entries: [Entry<String>], by member: Member) {
        for entry in entries {
            guard let raft = member.raft, let previous = raft.epoch(at: entry.index - 1) else { continue }
            let line = Line(entry: entry, previous: previous)
            if let known = lines[entry.epoch], known != line {
                fail("\(member.id.name) has another entry or past at \(entry.epoch)")
            }
            lines[entry.epoch] = line
        }
    }

    /// State-machine safety: one entry for each index, one state after it.
    private mutating func commit(_ entries: [Entry<String>], by member: Member) {
        for entry in entries {
            if let known = committed[entry.index], known != entry {
                fail("\(member.id.name) committed \(entry.epoch) where \(known.epoch) was committed")
            }
            committed[entry.index] = entry
            guard entry.index > newestCommitted.index else { continue }
            newestCommitted = entry.epoch
            if case .membership(let membership) = entry.payload {
                memberships.append(Membership.Point(epoch: entry.epoch, membership: membership))
            }
        }
        if let raft = member.raft, raft.role == .leader, let last = entries.last, last.term != raft.term {
            fail("\(member.id.name) leads term \(raft.term) and commits \(last.epoch) by counting")
        }
        compare(member.applied, of: member)
    }

    /// A leader changes the membership only when the change before is committed.
    private mutating func checkChanges(in entries: [Entry<String>], by member: Member) {
        guard let raft = member.raft, raft.role == .leader, let entry = entries.last, entry.term == raft.term,
            case .membership = entry.payload
        else { return }
        let before = raft.entries(from: raft.commitIndex + 1, through: entry.index - 1)
        if before.contains(where: { if case .membership = $0.payload { true } else { false } }) {
            fail("\(member.id.name) changes the membership at \(entry.epoch) amid another change")
        }
    }

    /// A snapshot says who belonged to the cluster at its own place in the log, no earlier and no later.
    private mutating func checkMembership(of snapshot: Snapshot<Tally>, on member: Member) {
        guard let point = memberships.last(where: { $0.epoch.index <= snapshot.epoch.index }) else { return }
        if snapshot.membership != point.membership || snapshot.membershipEpoch != point.epoch {
            fail(
                "the snapshot at \(snapshot.epoch) on \(member.id.name) has the membership of "
                    + "\(snapshot.membershipEpoch) instead of that of \(point.epoch)")
        }
    }

    /// One vote a term, whatever crashes lie between; a candidacy is a vote for oneself.
    private mutating func vote(of voter: MemberID, in term: Term, for candidate: MemberID) {
        let ballot = Ballot(term: term, voter: voter)
        if let other = votes[ballot], other != candidate {
            fail("\(voter.name) votes for \(other.name) and for \(candidate.name) in term \(term)")
        }
        votes[ballot] = candidate
    }

    private mutating func restore(_ snapshot: Snapshot<Tally>, by member: Member) {
        if let known = committed[snapshot.epoch.index], known.epoch != snapshot.epoch {
            fail("\(member.id.name) restored \(snapshot.epoch) where \(known.epoch) was committed")
        }
        compare(snapshot.state, of: member)
        checkMembership(of: snapshot, on: member)
    }

    private mutating func compare(_ state: Tally, of member: Member) {
        if let known = states[state.index], known != state {
            fail("\(member.id.name) has another state after \(state.index)")
        }
        states[state.index] = state
    }

    /// Nothing is promised before the disk has it.
    private mutating func check(_ message: Letter, to receiver: MemberID, from member: Member) {
        guard let raft = member.raft else { return }
        let name = member.id.name
        if raft.role == .broken { fail("\(name) speaks though its disk failed") }
        let disk = member.disk
        switch message.body {
        case .voteReply(granted: true):
            vote(of: member.id, in: message.term, for: receiver)
            if disk.hardState != HardState(term: message.term, vote: receiver) {
                fail("\(name) gave \(receiver.name) a vote in term \(message.term) that is not on its disk")
            }
        case .voteRequest:
            vote(of: member.id, in: message.term, for: member.id)
            if disk.hardState != HardState(term: message.term, vote: member.id) {
                fail("\(name) campaigns in term \(message.term) without its own vote on its disk")
            }
        case .appendReply(.accepted(let agreed, let durable)):
            if agreed > raft.lastIndex { fail("\(name) agrees to \(agreed), which it has not") }
            if let epoch = raft.epoch(at: durable), !disk.holds(epoch) {
                fail("\(name) acknowledges \(epoch), which is not on its disk")
            }
        case .snapshotReply(let index):
            if let epoch = raft.epoch(at: index), !disk.holds(epoch) {
                fail("\(name) acknowledges the snapshot at \(epoch), which is not on its disk")
            }
        case .preVoteRequest, .preVoteReply, .voteReply(granted: false), .append,
            .appendReply(.rejected), .snapshot, .timeoutNow:
            break
        }
    }
}

extension Membership {
    /// A membership and the epoch of the entry that brought it.
    struct Point: Hashable {
        var epoch: Epoch
        var membership: Membership
    }
}
