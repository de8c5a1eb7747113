import Primitives

// A leader: feeds the others, counts what they hold, and resigns when it hears no majority.

extension Raft {
    mutating func becomeLeader() {
        let hasMajority = membership.isQuorum(votes)
        role = .leader
        leader = me
        attempts = 0
        votes = []
        heartbeatDue = now + settings.heartbeatInterval
        peers = []
        announceLeader()
        termBeginning = log.lastIndex + 1
        if !carryOutRecovery(isNeedless: hasMajority) { appendOwn(.empty) }
    }

    /// Where this leader's next entry will stand.
    var nextEpoch: Epoch { Epoch(term: term, index: log.lastIndex + 1) }

    /// Adds an entry of this term and sends it to everyone who can take it.
    mutating func appendOwn(_ payload: Entry<Command>.Payload) { appendOwn([payload]) }

    /// The same with several entries, which one write makes durable.
    mutating func appendOwn(_ payloads: [Entry<Command>.Payload]) {
        var epoch = nextEpoch
        var entries: [Entry<Command>] = []
        for payload in payloads {
            entries.append(Entry(term: epoch.term, index: epoch.index, payload: payload))
            epoch.index += 1
        }
        append(entries)
        meetPeers()
        feedAll()
    }

    /// Feeds whoever is a member by the newest membership or by one that is still to be replaced by it, so
    /// that a removed member learns of its removal.
    private mutating func meetPeers() {
        for point in unreplacedMemberships {
            for member in point.membership.members where member != me {
                guard !peers.contains(where: { $0.id == member }) else { continue }
                peers.append(Peer(id: member, next: log.lastIndex, at: now))
            }
        }
        peers.sort { $0.id < $1.id }
    }

    // MARK: Time

    /// The newest instant since which a majority has been heard; nil when this member is a majority alone.
    private var quorumHeardAt: Instant? {
        let voters = membership.voters
        let needed = membership.majority - (voters.contains(me) ? 1 : 0)
        guard needed > 0 else { return nil }
        var heard: [Instant] = []
        for peer in peers where voters.contains(peer.id) { heard.append(peer.seenAt) }
        heard.sort(by: >)
        return heard[needed - 1]
    }

    /// When this leader resigns unless it hears from others.
    var quorumDeadline: Instant? { quorumHeardAt.map { $0 + settings.electionTimeout.upperBound } }

    mutating func lead() {
        if let quorumDeadline, now >= quorumDeadline { return becomeFollower(in: term, of: nil) }
        if let transfer, now >= transfer.deadline {
            self.transfer = nil
            outputs.append(.transferFailed(transfer.target))
        }
        guard now >= heartbeatDue else { return }
        heartbeatDue = now + settings.heartbeatInterval
        for i in peers.indices where !isIdle(i) { beat(i) }
    }

    mutating func remind() {
        guard role == .leader else { return }
        for i in peers.indices { beat(i) }
    }

    /// A heartbeat repairs whatever was lost: its reply tells how far the logs agree.
    private mutating func beat(_ i: Int) {
        let patience = settings.electionTimeout.upperBound
        switch peers[i].mode {
        case .replicating:
            if now - peers[i].seenAt >= patience { peers[i].probe(from: peers[i].matched + 1, sent: true) }
        case .probing:
            peers[i].mode = .probing(sent: true)
        case .snapshotting(let sentAt):
            // To a silent member the snapshot is not sent again; heartbeats find out when it is back.
            if now - sentAt >= patience, peers[i].heardAt > sentAt { return sendSnapshot(i) }
        }
        sendAppend(i, entries: [])
    }

    // MARK: Feeding

    mutating func feedAll() {
        for i in peers.indices { feed(i) }
    }

    /// Sends what the member may be sent now: entries, a snapshot, or the newest commit index.
    mutating func feed(_ i: Int) {
        switch peers[i].mode {
        case .snapshotting, .probing(sent: true):
            return
        case .probing(sent: false):
            guard peers[i].next >= log.firstIndex else { return sendSnapshot(i) }
            peers[i].mode = .probing(sent: true)
            sendAppend(i, entries: entriesForPeer(i))
        case .replicating:
            guard peers[i].next >= log.firstIndex else { return sendSnapshot(i) }
            while peers[i].next <= log.lastIndex, peers[i].inflight.count < settings.maxInflight {
                let entries = entriesForPeer(i)
                sendAppend(i, entries: entries)
                peers[i].next += Index(entries.count)
                peers[i].inflight.append(peers[i].next - 1)
            }
            if peers[i].commitSent < commitIndex { sendAppend(i, entries: []) }
        }
    }

    private func entriesForPeer(_ i: Int) -> [Entry<Command>] {
        let next = peers[i].next
        return log.entries(from: next, through: next + Index(settings.maxEntriesPerAppend) - 1)
    }

    private mutating func sendAppend(_ i: Int, entries: [Entry<Command>]) {
        let previous = log.epoch(at: peers[i].next - 1) ?? .zero
        peers[i].commitSent = commitIndex
        peers[i].toldAt = now
        send(.append(previous: previous, entries: entries, commit: commitIndex), to: peers[i].id)
    }

    private mutating func sendSnapshot(_ i: Int) {
        guard let snapshot else { preconditionFailure("entries were dropped without a snapshot") }
        peers[i].mode = .snapshotting(sentAt: now)
        peers[i].inflight.removeAll(keepingCapacity: true)
        send(.snapshot(snapshot), to: peers[i].id)
    }

    // MARK: Counting

    mutating func receiveAppendReply(_ reply: AppendReply, from member: MemberID) {
        guard role == .leader, let i = peers.firstIndex(where: { $0.id == member }) else { return }
        switch reply {
        case .accepted(let agreed, let durable):
            guard agreed <= log.lastIndex else { return }
            peers[i].heardAt = now
            accept(i, agreed: agreed, durable: durable)
            commitWhatMajorityHolds()
            guard role == .leader else { return }
            offerLeadership(to: member)
        case .rejected(let previous, let hint):
            peers[i].heardAt = now
            reject(i, previous: previous, hint: hint)
        }
        if let i = peers.firstIndex(where: { $0.id == member }) { feed(i) }
    }

    private mutating func accept(_ i: Int, agreed: Index, durable: Index) {
        peers[i].accepted(agreed: agreed, durable: durable)
        switch peers[i].mode {
        case .probing:
            if agreed + 1 >= peers[i].next {
                peers[i].replicate(from: agreed + 1)
            } else {
                peers[i].mode = .probing(sent: false)
            }
        case .replicating:
            peers[i].next = max(peers[i].next, agreed + 1)
        case .snapshotting:
            if agreed >= log.base.index { peers[i].replicate(from: agreed + 1) }
        }
    }

    private mutating func reject(_ i: Int, previous: Index, hint: Epoch) {
        // Late replies: what is durable there was never missing, and a probe waits for its own reply.
        guard previous > peers[i].matched else { return }
        switch peers[i].mode {
        case .snapshotting: return
        case .probing: guard previous == peers[i].next - 1 else { return }
        case .replicating: guard previous < peers[i].next else { return }
        }
        let agreement = log.possibleAgreement(with: hint)
        peers[i].probe(from: min(previous, agreement.index + 1), sent: false)
    }

    /// Commits the newest entry of this term that a majority holds durably, and all before it.
    mutating func commitWhatMajorityHolds() {
        guard commitIndex < log.lastIndex, let majority = indexMajorityHolds, majority > commitIndex,
            log.epoch(at: majority)?.term == term
        else { return }
        advanceCommit(to: majority)
        feedAll()
        afterCommit()
    }

    private var indexMajorityHolds: Index? {
        var held: [Index] = []
        for voter in membership.voters { held.append(matchIndex(of: voter) ?? 0) }
        guard !held.isEmpty else { return nil }
        held.sort(by: >)
        return held[membership.majority - 1]
    }
}
