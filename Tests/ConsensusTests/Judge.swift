import Consensus

/// Watches all members of a storm and names the first promise of Raft that is broken.
struct Judge {
    private struct Line: Hashable {
        var entry: Entry<String>
        var previous: Epoch
    }

    private(set) var violation: String?
    /// The newest entry known to be committed anywhere.
    private(set) var newestCommitted = Epoch.zero
    private var leaders: [Term: MemberID] = [:]
    private var committed: [Index: Entry<String>] = [:]
    private var states: [Index: Tally] = [:]
    private var lines: [Epoch: Line] = [:]
    private(set) var elections = 0

    mutating func watch(_ member: Member, did outputs: [Machine.Output]) {
        for output in outputs {
            switch output {
            case .leaderChanged(let leader?, let term): lead(leader, in: term, by: member)
            case .appended(let entries): append(entries, by: member)
            case .committed(let entries): commit(entries, by: member)
            case .restored(let snapshot): restore(snapshot, by: member)
            case .send(let message, let receiver): check(message, to: receiver, from: member)
            case .leaderChanged(nil, _), .store, .truncated, .proposed, .refused, .transferFailed: break
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
            if entry.index > newestCommitted.index { newestCommitted = entry.epoch }
        }
        compare(member.applied, of: member)
    }

    private mutating func restore(_ snapshot: Snapshot<Tally>, by member: Member) {
        if let known = committed[snapshot.epoch.index], known.epoch != snapshot.epoch {
            fail("\(member.id.name) restored \(snapshot.epoch) where \(known.epoch) was committed")
        }
        compare(snapshot.state, of: member)
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
            if disk.hardState != HardState(term: message.term, vote: receiver) {
                fail("\(name) gave \(receiver.name) a vote in term \(message.term) that is not on its disk")
            }
        case .voteRequest:
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
