import Consensus
import Primitives

// From consensus outputs to control state: what is appended, truncated, committed, and who leads.

extension Node {
    mutating func agree(_ input: Raft<StampedCommand, ControlState>.Input, at now: Instant) {
        guard state != nil || raft.membership.voters.isEmpty == false || input.mayBeginMembership else {
            return
        }
        // Until the founding snapshot is durable there is no consensus to take part in.
        if case .founding = membershipPhase { return }
        // A copy of a state directory that voted would give one member two votes.
        if doubt != nil, !input.isOfStorage { return }
        // Whom no majority hears, or who hears none, would lead to nothing.
        let isTick = if case .tick = input { true } else { false }
        let input = isTick && !isLeader && !hasCompany(at: now) ? .abstain : input
        carryOut(raft.handle(input, at: now), at: now)
        if applied.index >= raft.firstIndex + ClusterLimits.entriesBetweenSnapshots, let state {
            carryOut(raft.handle(.compact(through: applied.index, state: state), at: now), at: now)
        }
    }

    private mutating func carryOut(_ outputs: [Raft<StampedCommand, ControlState>.Output], at now: Instant) {
        // The message that tells of a commit should tell of its effect too.
        advanceEffectiveIndex(at: now)
        for output in outputs {
            switch output {
            case .store(let request): effects.append(.store(request))
            case .send(let message, let receiver):
                // It would end the link, and be no answer.
                guard mayTell(receiver) else { continue }
                effects.append(.send(.consensus(message, rider(at: now)), to: receiver))
            case .appended(let entries): noteAppended(entries, at: now)
            case .truncated(let index):
                fences.truncate(from: index)
                formatInLog = FormatVersion.oldest
                noteFormats(raft.entries(from: applied.index + 1, through: raft.lastIndex))
                requests.truncated(from: index).forEach {
                    answer(
                        $0, .unavailable("another leader took over before it was agreed; look, then repeat"))
                }
                leadership?.truncated(from: index)
            case .committed(let entries): for entry in entries { apply(entry, at: now) }
            case .restored(let snapshot): install(snapshot, at: now)
            case .leaderChanged(let leader, let term): leaderChanged(leader, term, at: now)
            case .proposed(let epoch): leadership?.proposed(epoch)
            case .refused(.cannotRecover): recoveryRefused()
            // A pass asks how much room there is; a change that is refused is planned again in the next one.
            case .refused: break
            case .recovered(let epoch): recovered(epoch, at: now)
            case .recoveryFailed(let missing): recoveryFailed(missing, at: now)
            case .transferFailed(let target):
                report(.trouble, target.name, "leadership could not be handed to \(target.name)")
            }
        }
    }

    /// What rides on a consensus message: the leader's word on effects, a replier's ages.
    private mutating func rider(at now: Instant) -> Rider {
        guard isLeader else {
            let ages = fences.silenceAges(
                after: effective.index, durableThrough: raft.durableIndex, at: now)
            return Rider(effectiveThrough: 0, ages: ages)
        }
        return Rider(effectiveThrough: effective.tell(committed: raft.commitIndex), ages: [])
    }

    /// What came into effect by time alone rides on no message of its own accord.
    mutating func tellEffects(at now: Instant) {
        if isLeader, effective.isUntold(committed: raft.commitIndex) { agree(.remind, at: now) }
    }

    /// An entry decides what acknowledgements are worth from the moment it is in the log.
    mutating func noteAppended(_ entries: [ControlEntry], at now: Instant) {
        noteFormats(entries)
        for entry in entries {
            switch entry.payload {
            case .membership: note(nil, entry.epoch)
            case .command(let stamped):
                if case .configure = stamped.command { note(nil, entry.epoch) }
                for fence in stamped.command.fences { note(fence, entry.epoch) }
            case .empty: continue
            }
        }
    }

    private mutating func noteFormats(_ entries: [ControlEntry]) {
        for entry in entries {
            guard case .command(let stamped) = entry.payload, case .raiseFormat(let next) = stamped.command
            else { continue }
            formatInLog = max(formatInLog, next)
        }
    }

    private mutating func note(_ fence: Fence?, _ epoch: Epoch) {
        fences.append(
            FenceLog.Pending(
                epoch: epoch, fence: fence, voters: raft.membership.voters,
                lastReceived: fence.map { neighbours.lastHeard($0.holder) } ?? startedAt))
    }

    /// Of the newest fence, membership or configuration change that this node knows.
    var fenceEpoch: Epoch {
        max(fences.newestEpoch ?? .zero, max(state?.fenceEpoch ?? .zero, raft.membershipEpoch))
    }

    /// What our acknowledgements are worth, and the newest of others' that we may count.
    var logView: LogView { LogView(term: raft.lastEpoch.term, fence: fenceEpoch) }

    mutating func install(_ snapshot: ControlSnapshot, at now: Instant) {
        state = snapshot.state
        applied = snapshot.epoch
        clockBase = (snapshot.state.time, now)
        followTiming()
        if case .renewing = membershipPhase {} else { membershipPhase = .member }
        checkStanding(at: now)
    }

    private mutating func apply(_ entry: ControlEntry, at now: Instant) {
        applied = entry.epoch
        if case .command(let stamped) = entry.payload, var state {
            let wasTakenIn = state.isActive(me)
            let outcome = state.apply(stamped, at: entry.epoch)
            self.state = state
            tellUnknown(stamped.command)
            clockBase = (state.time, now)
            followTiming()
            if wasTakenIn || state.isActive(me) || isOwnDecision(entry.epoch) {
                for event in outcome.events { effects.append(.report(event)) }
            }
            for pending in requests.applied(entry.epoch) {
                if let refusal = outcome.refusal {
                    answer(pending, .refused([refusal]))
                } else {
                    answer(pending, .accepted(entry.epoch, pending.lines))
                }
            }
        }
        leadership?.applied(entry.epoch)
        fences.forget(through: min(applied.index, effective.index))
        checkStanding(at: now)
    }

    /// What was agreed before this life was taken in is history: who was there told of it when it happened, and a node that
    /// reads its log again must not tell it as news. A leader's own decisions are new, whoever it is.
    private func isOwnDecision(_ epoch: Epoch) -> Bool { isLeader && epoch.term == raft.term }

    /// The agreed durations decide when an election is called, too.
    private mutating func followTiming() {
        guard let state else { return }
        let wanted = Self.consensusSettings(state.settings.timing)
        if raft.settings != wanted { raft.retime(wanted) }
    }

    private mutating func leaderChanged(_ leader: MemberID?, _ term: Term, at now: Instant) {
        for pending in requests.stranded(under: leader) {
            if pending.isLook {
                answerItself(pending, at: now)
                continue
            }
            answer(pending, .unavailable("the leader was lost before it answered; look, then repeat"))
        }
        if leader != nil { zone.rate.elected(at: now) }
        if leader == raft.me {
            leadership = Leadership(since: now)
            effective.beginLeading(lastFence: lastFenceIndex)
            zone.startOver(at: now)
            report(.leaderChanged, name, "leads in term \(term)")
        } else if leadership != nil {
            leadership = nil
            effective.endLeading()
            zone.startOver(at: now)
            for pending in requests.abandoned() {
                answer(pending, .unavailable("leadership moved before it was agreed; look, then repeat"))
            }
        }
    }

    /// Index of the newest fence in log or state, committed or not.
    var lastFenceIndex: Index {
        max(state?.fenceEpoch.index ?? 0, fences.entries.last { $0.fence != nil }?.epoch.index ?? 0)
    }

    // MARK: - What is in effect

    mutating func advanceEffectiveIndex(at now: Instant) {
        effective.advance(raft, fences, neighbours, state, timing, at: now)
    }

    // MARK: - Messages

    mutating func receive(_ message: PeerMessage, from sender: MemberID, at now: Instant) {
        switch message {
        case .consensus(let message, let rider):
            takeAges(rider.ages, with: message, from: sender, at: now)
            advanceEffectiveIndex(at: now)
            agree(.message(message, from: sender), at: now)
            if raft.leader == sender, message.term == raft.term {
                // Only of entries that are here: after a recovery others may take the places of those that are not.
                effective.learn(min(rider.effectiveThrough, raft.commitIndex))
                fences.forget(through: min(applied.index, effective.index))
            }
        case .admission(let admission):
            guard admission.holder.member == sender else { return }
            leadership?.asked(admission, at: now)
        case .released(let notice):
            guard notice.holder.member == sender else { return }
            noteRelease(notice)
        case .relinquish(let relinquishment):
            guard relinquishment.holder.member == sender else { return }
            leadership?.asked(relinquishment, at: now)
        case .request(let id, let request): take(request, from: .peer(sender, id), at: now)
        case .response(let id, let reply):
            if let pending = requests.forwarded(id) { answer(pending, reply) }
        case .stepNoticed(let notice):
            guard notice.from.member == sender, isLeader else { return }
            duty.hear(notice, at: now)
        case .refused(let reason):
            if state.map({ !$0.isActive(me) }) ?? true { stop(.fatal(reason)) }
        }
    }

    /// An age counts only for a fence that was on the teller's disk when it was told: by this very message, or by what
    /// it said before. A teller of an older version also tells of others.
    private mutating func takeAges(
        _ ages: [SilenceAge], with message: ControlMessage, from sender: MemberID, at now: Instant
    ) {
        guard isLeader, !ages.isEmpty, message.term == raft.term else { return }
        var durable = raft.matchIndex(of: sender) ?? 0
        if case .appendReply(.accepted(_, let said)) = message.body { durable = max(durable, said) }
        for age in ages where age.fence.index <= durable { fences.replied(age, by: sender, at: now) }
    }

    mutating func stored(_ sequence: UInt64, at now: Instant) {
        if sequence == 0 {
            foundingStored(at: now)
        } else {
            agree(.stored(sequence: sequence), at: now)
        }
    }
}

extension Raft.Input {
    var isOfStorage: Bool {
        switch self {
        case .stored, .storeFailed: true
        case .tick, .message, .propose, .changeMembership, .transferLeadership, .remind, .abstain, .resign,
            .recover,
            .compact:
            false
        }
    }

    /// Whether a node without a cluster may hand this to consensus.
    var mayBeginMembership: Bool {
        switch self {
        case .message, .stored, .storeFailed: true
        case .tick, .propose, .changeMembership, .transferLeadership, .remind, .abstain, .resign,
            .recover, .compact:
            false
        }
    }
}
