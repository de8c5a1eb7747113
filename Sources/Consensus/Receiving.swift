import Primitives

// Messages: which term they belong to, and what a follower makes of a leader's.

extension Raft {
    mutating func receive(_ message: Message<Command, State>, from sender: MemberID) {
        guard message.isPlausible, sender != me else { return }
        switch message.body {
        case .preVoteRequest(let lastLog):
            receivePreVoteRequest(message.term, lastLog: lastLog, from: sender)
        case .preVoteReply(let granted):
            receivePreVoteReply(message.term, granted: granted, from: sender)
        case .voteRequest(let lastLog, let transfer):
            receiveVoteRequest(message.term, lastLog: lastLog, transfer: transfer, from: sender)
        case .append(let previous, let entries, let commit):
            guard follow(sender, in: message.term, previous: previous.index) else { return }
            receiveAppend(previous: previous, entries: entries, commit: commit, from: sender)
        case .snapshot(let snapshot):
            guard follow(sender, in: message.term, previous: snapshot.epoch.index) else { return }
            receiveSnapshot(snapshot, from: sender)
        case .timeoutNow:
            guard follow(sender, in: message.term, previous: nil) else { return }
            receiveTimeoutNow()
        case .voteReply(let granted):
            guard isCurrent(message.term) else { return }
            receiveVoteReply(granted: granted, from: sender)
        case .appendReply(let reply):
            guard isCurrent(message.term) else { return }
            receiveAppendReply(reply, from: sender)
        case .snapshotReply(let index):
            guard isCurrent(message.term) else { return }
            receiveAppendReply(.accepted(agreed: index, durable: index), from: sender)
        }
    }

    /// Whether a reply is of this term; one of a newer term ends this one.
    private mutating func isCurrent(_ messageTerm: Term) -> Bool {
        if messageTerm > term { becomeFollower(in: messageTerm, of: nil) }
        return messageTerm == term
    }

    /// Accepts the sender as the leader of its term, unless the term is over.
    private mutating func follow(_ sender: MemberID, in messageTerm: Term, previous: Index?) -> Bool {
        if messageTerm < term {
            // A deposed leader learns of the newer term; one that does not know it would be stuck.
            if let previous {
                send(.appendReply(.rejected(previous: previous, hint: .zero)), to: sender)
            }
            return false
        }
        if messageTerm > term || role == .preCandidate || role == .candidate {
            becomeFollower(in: messageTerm, of: sender)
        }
        // There cannot be two leaders in a term: whoever says otherwise is not believed.
        guard role == .follower, leader == nil || leader == sender else { return false }
        leader = sender
        leaderHeardAt = now
        leaderWroteAt = now
        attempts = 0
        drawElectionDeadline()
        announceLeader()
        return true
    }

    private mutating func receiveAppend(
        previous: Epoch, entries: [Entry<Command>], commit: Index, from sender: MemberID
    ) {
        var previous = previous
        var fresh = entries[...]
        if previous.index < commitIndex, let committed = log.epoch(at: commitIndex) {
            // What is committed is the leader's too.
            fresh = fresh.dropFirst(Int(commitIndex - previous.index))
            previous = committed
        }
        guard log.contains(previous) else {
            let hint = log.possibleAgreement(with: previous)
            return send(.appendReply(.rejected(previous: previous.index, hint: hint)), to: sender)
        }
        // Entries older than what is committed before them come from nobody who ever led.
        guard fresh.first?.term ?? previous.term >= previous.term else { return }
        let agreed = previous.index + Index(fresh.count)
        while let entry = fresh.first, let present = log.epoch(at: entry.index) {
            guard present == entry.epoch else {
                if entry.index <= commitIndex { return }
                truncate(from: entry.index)
                break
            }
            fresh.removeFirst()
        }
        append(Array(fresh))
        advanceCommit(to: min(commit, agreed))
        if entries.isEmpty {
            // A heartbeat is answered at once: a slow disk is no reason to be taken for dead. But while this term is not
            // on the disk, a crash would lead back into an older term, whose leader may still replace entries that are
            // on the disk. This leader would count on them for ever (`Peer.matched` never falls), so nothing is
            // called durable yet.
            let durable = isHardStateDurable ? min(agreed, durability.durableIndex) : 0
            send(.appendReply(.accepted(agreed: agreed, durable: durable)), to: sender)
        } else {
            sendWhenDurable(.appendReply(.accepted(agreed: agreed, durable: agreed)), to: sender)
        }
    }

    private mutating func receiveSnapshot(_ snapshot: Snapshot<State>, from sender: MemberID) {
        if snapshot.epoch.index > commitIndex {
            if log.contains(snapshot.epoch) {
                advanceCommit(to: snapshot.epoch.index)
            } else {
                install(snapshot)
            }
        }
        sendWhenDurable(.snapshotReply(index: commitIndex), to: sender)
    }

    /// Commits through `index`; nothing where that is known already.
    mutating func advanceCommit(to index: Index) {
        guard index > commitIndex else { return }
        precondition(index <= log.lastIndex, "cannot commit \(index) past \(log.lastIndex)")
        let first = commitIndex + 1
        commitIndex = index
        outputs.append(.committed(log.entries(from: first, through: index)))
    }
}
