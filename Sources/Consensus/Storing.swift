import Primitives

// Writes: what is said only when they are durable, and what makes the log shorter.

extension Raft {
    /// Sends when everything in this member's log and its hard state are durable.
    mutating func sendWhenDurable(_ body: Message<Command, State>.Body, to receiver: MemberID) {
        heldNow.append(Held(sequence: 0, receiver: receiver, message: Message(term: term, body: body)))
    }

    mutating func send(_ body: Message<Command, State>.Body, to receiver: MemberID) {
        outputs.append(.send(Message(term: term, body: body), to: receiver))
    }

    mutating func rememberHardState() { write.hardState = hardState }

    /// Whether a crash now would leave this member in its present term, with its present vote.
    var isHardStateDurable: Bool { write.hardState == nil && durability.isDone(hardStateWrite) }

    /// Puts entries into the log and makes their memberships effective.
    mutating func append(_ entries: [Entry<Command>]) {
        guard !entries.isEmpty else { return }
        for entry in entries {
            log.append(entry)
            if case .membership(let membership) = entry.payload {
                memberships.append(MembershipPoint(epoch: entry.epoch, membership: membership))
            }
        }
        write.entries += entries
        outputs.append(.appended(entries))
    }

    /// Removes uncommitted entries that turned out not to be the leader's.
    mutating func truncate(from index: Index) {
        precondition(index > commitIndex, "entry \(index) is committed and cannot go")
        precondition(write.entries.isEmpty, "one input does not append before it truncates")
        guard index <= log.lastIndex else { return }
        log.truncate(from: index)
        while memberships.count > 1, memberships[memberships.count - 1].epoch.index >= index {
            memberships.removeLast()
        }
        durability.forget(after: index - 1)
        write.truncateFrom = index
        outputs.append(.truncated(from: index))
    }

    /// Begins the write this input caused, and keeps back what has to wait for it.
    mutating func beginWrite() {
        if !write.isEmpty {
            write.sequence = durability.begin(through: log.lastIndex)
            if write.hardState != nil { hardStateWrite = write.sequence }
            outputs.append(.store(write))
            write = StoreRequest(sequence: 0)
        }
        for var item in heldNow {
            if durability.isSettled, item.receiver != me {
                outputs.append(.send(item.message, to: item.receiver))
            } else {
                item.sequence = durability.lastSequence
                held.append(item)
            }
        }
        heldNow = []
    }

    mutating func finishWrite(_ sequence: UInt64) {
        durability.finish(sequence)
        let ready = held.prefix { $0.sequence <= sequence }
        held.removeFirst(ready.count)
        for item in ready where item.message.term == term {
            if item.receiver == me {
                receive(item.message)
            } else {
                outputs.append(.send(item.message, to: item.receiver))
            }
        }
        if role == .leader { commitWhatMajorityHolds() }
    }

    /// A write failed, so nothing this member knows may be said any more.
    mutating func breakDown() {
        role = .broken
        leader = nil
        transfer = nil
        recovery = nil
        termBeginning = nil
        peers = []
        held = []
        announceLeader()
    }

    mutating func compact(through index: Index, state: State) {
        precondition(index <= commitIndex, "entry \(index) is not committed, nothing can include it")
        guard index > snapshot?.epoch.index ?? 0, let epoch = log.epoch(at: index) else { return }
        while memberships.count > 1, memberships[1].epoch.index <= index { memberships.removeFirst() }
        let snapshot = Snapshot(
            epoch: epoch, membership: memberships[0].membership, membershipEpoch: memberships[0].epoch,
            state: state)
        self.snapshot = snapshot
        write.snapshot = snapshot
        let kept = Index(settings.entriesKept)
        if index > kept, index - kept + 1 > log.firstIndex {
            log.drop(before: index - kept + 1)
            write.firstIndexKept = log.firstIndex
        }
    }

    /// Takes over the leader's snapshot in place of the whole log.
    mutating func install(_ snapshot: Snapshot<State>) {
        precondition(snapshot.epoch.index > commitIndex, "a snapshot does not take back what is committed")
        if log.lastIndex > commitIndex { truncate(from: commitIndex + 1) }
        durability.forget(after: commitIndex)
        log = Log(base: snapshot.epoch)
        memberships = [MembershipPoint(epoch: snapshot.membershipEpoch, membership: snapshot.membership)]
        commitIndex = snapshot.epoch.index
        self.snapshot = snapshot
        write.snapshot = snapshot
        write.firstIndexKept = log.firstIndex
        outputs.append(.restored(snapshot))
    }
}
