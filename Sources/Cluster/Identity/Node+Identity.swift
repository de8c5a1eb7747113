import Primitives

// Who uses which identity: what this node says of others' lives, and what it makes of what they say of its own.

extension Node {
    /// What is certainly on this node's disk.
    private var mark: DurableMark {
        guard let hard = raft.durableHardState else { return .zero }
        return DurableMark(
            term: hard.term, hasVoted: hard.vote != nil, index: min(raft.commitIndex, raft.durableIndex))
    }

    // MARK: - Told to others

    func identityView(at now: Instant) -> IdentityView {
        var view = IdentityView()
        view.isUnsure = doubt != nil
        view.mark = mark
        let words = words(at: now)
        if words.count <= IdentityView.mostWords {
            view.words = words
        } else {
            let first = Int(sequence % UInt64(words.count))
            view.words = Array((words[first...] + words[..<first]).prefix(IdentityView.mostWords))
                .sorted { $0.holder < $1.holder }
        }
        return view
    }

    /// To everybody whose life is not the one that was agreed on: those who just started, and those who are out.
    private func words(at now: Instant) -> [IdentityWord] {
        neighbours.all.flatMap { neighbour -> [IdentityWord] in
            var lives: [Holder] = []
            if now - neighbour.received < Timers.heardLately, !(state?.isActive(neighbour.holder) ?? false) {
                lives.append(neighbour.holder)
            }
            if let unproven = neighbour.unproven, now - unproven.arrived < Timers.heardLately {
                lives.append(unproven.holder)
            }
            if let rival = neighbour.rival, now - rival.last < Timers.heardLately {
                lives.append(rival.holder)
            }
            lives = Set(lives).sorted()
            return lives.map { word(to: $0, neighbour, at: now) }
        }.sorted { $0.holder < $1.holder }
    }

    private func word(to holder: Holder, _ neighbour: Neighbour, at now: Instant) -> IdentityWord {
        var word = IdentityWord(to: holder)
        word.mark = neighbour.mark
        if isLeader { word.matched = raft.matchIndex(of: holder.member) ?? 0 }
        if let member = state?.member(holder.name) {
            if member.holder.member == holder.member {
                word.agreedIncarnation = member.holder.incarnation
            } else if member.isActive,
                neighbours.isHeard(member.holder, within: timing.deadAfter, at: now)
            {
                word.owner = member.holder
            }
        }
        if isReplaced(neighbour) { word.agreedIncarnation = Self.replaced }
        if state?.givenUp?.contains(holder.member) == true { word.agreedIncarnation = Self.givenUp }
        if let heard = neighbour.living(besides: holder, within: timing.deadAfter, at: now) {
            word.other = IdentityWord.OtherLife(
                incarnation: neighbour.holder.incarnation,
                age: neighbour.hasNamedUs ? max(.zero, now - heard) : IdentityWord.OtherLife.perhaps)
        }
        return word
    }

    /// Whether somebody takes itself for a member whose name was given to another member since: nobody sends it the log
    /// any more, so it would never learn of that. Who joins belongs to no cluster yet.
    private func isReplaced(_ neighbour: Neighbour) -> Bool {
        guard isLeader, effective.isLeadershipCommitted, let state,
            neighbour.heartbeat.clusterID == state.clusterID,
            neighbour.heartbeat.commit <= raft.commitIndex,
            let owner = state.member(neighbour.holder.name)?.holder.member
        else { return false }
        let member = neighbour.holder.member
        return owner != member && !raft.membership.members.contains(member)
    }

    // MARK: - Heard from others

    /// What somebody says of this node's identity counts only in answer to this very life.
    mutating func hearWord(_ heartbeat: Heartbeat, at now: Instant) {
        let answersMe = heartbeat.acknowledgements.contains { $0.holder == me }
        guard membershipPhase != .stopped, answersMe else { return }
        guard let view = heartbeat.identity else {
            // Of an earlier release, which says nothing of it.
            doubt?.answered(heartbeat.sender.member, assents: true, at: now)
            return
        }
        guard let word = view.words.first(where: { $0.holder == me }) else {
            // Either we are the agreed life, or there was no room for the word.
            return
        }
        if let reason = contradiction(in: word, of: heartbeat) {
            startAnew(because: reason, toldBy: heartbeat.sender.name)
            return
        }
        noteOwner(word.owner, at: now)
        var isAlone = true
        if let other = word.other {
            isAlone = false
            doubt?.heardOther(at: now - other.age)
        }
        doubt?.answered(heartbeat.sender.member, assents: isAlone, at: now)
        settleDoubt(at: now)
    }

    /// Why this state directory cannot be the newest of its identity; nil when nothing speaks against it.
    private func contradiction(in word: IdentityWord, of heartbeat: Heartbeat) -> String? {
        if word.agreedIncarnation == Self.givenUp {
            // Who is heard by a majority and sure of itself was given up by mistake: see `yield`.
            return leaseValidSince == nil || doubt != nil ? Self.givenUpText : nil
        }
        if word.agreedIncarnation == Self.replaced {
            // All that was agreed on here is known there, too.
            let isKnown = heartbeat.leader == heartbeat.sender.member && heartbeat.commit >= raft.commitIndex
            return isKnown && state != nil && leaseValidSince == nil ? Self.replacedText : nil
        }
        // Starts are counted on the disk before they are used: no start of a true disk has the number of another.
        let (agreed, own) = (word.agreedIncarnation >> 32, me.incarnation >> 32)
        if word.agreedIncarnation != me.incarnation, agreed >= own, agreed > 0 {
            return "a later start of it (\(agreed)) was taken in, this one is \(own)"
        }
        let hard = raft.hardState
        let disk = DurableMark(term: hard.term, hasVoted: hard.vote != nil, index: 0)
        if let lack = disk.lacks(word.mark, lastIndex: raft.lastIndex) { return lack }
        guard doubt != nil, word.matched > 0, heartbeat.leader == heartbeat.sender.member else { return nil }
        // In the term of its leader a log keeps what it acknowledged; in a later term it may have been replaced.
        let told = DurableMark(term: heartbeat.term, hasVoted: false, index: word.matched)
        return hard.term <= heartbeat.term ? disk.lacks(told, lastIndex: raft.lastIndex) : nil
    }

    /// Another life of this very member is heard by this node itself.
    mutating func hearTwin(_ twin: Namesake, _ heartbeat: Heartbeat, at now: Instant) {
        // While this life is in doubt the others' words decide; and a recording of our own former life proves nothing.
        guard doubt == nil, neighbours.isFresh(heartbeat) else { return }
        guard now - twin.first >= Doubt.proofOfLife, now - twin.last < Doubt.pause else { return }
        // One that is not sure of itself goes by itself.
        guard heartbeat.identity?.isUnsure != true else { return }
        let iAmTakenIn = state?.isActive(me) ?? false
        let theirs = Standing(
            isTakenIn: heartbeat.role != .starting, term: heartbeat.term, commit: heartbeat.commit)
        let mine = Standing(isTakenIn: iAmTakenIn, term: raft.term, commit: raft.commitIndex)
        if mine < theirs || (mine == theirs && twin.holder < me) {
            startAnew(because: "another machine uses it, as \(twin.holder)", toldBy: nil)
        }
    }

    /// Which of two lives that both use one identity keeps it. Neither value ever falls, so that never both go.
    private struct Standing: Hashable, Comparable {
        var isTakenIn: Bool
        var term: Term
        var commit: Index

        static func < (a: Standing, b: Standing) -> Bool {
            if a.isTakenIn != b.isTakenIn { return b.isTakenIn }
            return a.term == b.term ? a.commit < b.commit : a.term < b.term
        }
    }

    /// Somebody else has this name by agreement, and lives; this node's memory is of no use any more.
    private mutating func noteOwner(_ owner: Holder?, at now: Instant) {
        guard let owner, owner.member != me.member, leaseValidSince == nil else { return }
        if let known = ownerTold, known.holder == owner, now - known.last < Timers.ownerMemory {
            ownerTold?.last = now
        } else {
            ownerTold = Namesake(holder: owner, first: now, last: now)
        }
        guard let told = ownerTold, now - told.first >= Timers.duplicateNamePatience else { return }
        stop(.fatal("another node named \(name) is alive (\(owner)); give this one another name"))
    }

    // MARK: - The end of doubt

    /// Looks with every beat and every word whether this life is sure of its identity, or must give it up.
    mutating func settleDoubt(at now: Instant) {
        guard let doubt else { return }
        if let other = doubt.otherHeard, other - startedAt >= Doubt.proofOfLife {
            startAnew(because: "another machine uses it", toldBy: nil)
            return
        }
        let voters = raft.membership.voters.filter { $0 != me.member }
        let isSameStart = machine.boot != 0 && machine.boot == formerMachine.boot
        // Alone, or of no cluster yet: nobody need be asked.
        let hasNobodyToAsk = voters.isEmpty && (state != nil || now - startedAt >= Doubt.patience)
        guard
            hasNobodyToAsk || doubt.isSettled(voters: voters, isSameStart: isSameStart, at: now)
        else { return }
        self.doubt = nil
        nextPlea = min(nextPlea, now)
        raft.beginListening(at: now)
    }

    /// The machines that were given up live, and a majority hears them: the operator was wrong, and what was decided here
    /// since gives way to them. Of two sides that gave each other up the one with the higher term stays.
    mutating func yield(to heartbeat: Heartbeat) {
        guard state?.givenUp?.contains(heartbeat.sender.member) == true, heartbeat.leaseValid,
            heartbeat.identity?.isUnsure != true
        else { return }
        guard heartbeat.term > raft.term || isOriginal(heartbeat) else { return }
        startAnew(because: Self.yieldText, toldBy: heartbeat.sender.name)
    }

    /// Whether somebody who was given up here goes on with the former membership: it knows of no recovery, here or there.
    /// Before it has heard this node it cannot say whether it gave this node up.
    private func isOriginal(_ heartbeat: Heartbeat) -> Bool {
        guard heartbeat.term + ControlRaft.leap / 2 <= raft.term,
            heartbeat.acknowledgements.contains(where: { $0.holder == me })
        else { return false }
        let words = heartbeat.identity?.words ?? []
        guard let word = words.first(where: { $0.holder.member == me.member }) else {
            // It may have had no room for one.
            return words.count < IdentityView.mostWords
        }
        return word.agreedIncarnation != Self.givenUp
    }

    /// Gives everything up; the service sets the state directory aside and starts as a new member.
    private mutating func startAnew(because reason: String, toldBy teller: String?) {
        let source = teller.map { ", \($0) says" } ?? ""
        let kind =
            [Self.givenUpText, Self.yieldText, Self.replacedText].contains(reason)
            ? "is out of date" : "is a copy or was put back from a backup"
        let text = "the state directory of \(name) \(kind): \(reason)\(source)"
        report(.trouble, name, "\(text); \(name) joins anew")
        stop(.startAnew(text))
    }
}

extension Node {
    /// Stands for the agreed incarnation of a member that may never come back: no start has this number.
    private static let givenUp = UInt64.max
    /// Stands for the agreed incarnation of a member whose name another one has.
    private static let replaced = UInt64.max - 1
    private static let replacedText = "another machine was taken in under its name since"
    private static let yieldText =
        "the machines that were given up (recover-quorum) live, and a majority hears them"
    private static let givenUpText =
        "it was given up by an operator (recover-quorum), and others decided without it since"

    // MARK: - Told to operators

    func identityWarnings(at now: Instant) -> [String] {
        var warnings: [String] = []
        if doubt != nil, state != nil {
            warnings.append(
                "\(name) does not take part yet: it waits for the others' word that its state directory is the newest"
            )
        }
        if let namesake, namesake.last - namesake.first >= Doubt.proofOfLife,
            now - namesake.last < Doubt.pause
        {
            warnings.append(
                namesake.holder.member == me.member
                    ? "two machines use the state directory of \(name): \(namesake.holder) is heard beside \(me)"
                    : Self.sameNameText(name))
        }
        for neighbour in neighbours.all where now - neighbour.received < timing.deadAfter {
            if let rival = neighbour.rival, now - rival.last < timing.deadAfter,
                rival.last - rival.first >= Doubt.proofOfLife
            {
                warnings.append(
                    "two machines use the state directory of \(rival.holder.name): "
                        + "\(rival.holder) is heard beside \(neighbour.holder)")
            }
            let holder = neighbour.holder
            if let owner = state?.member(holder.name), owner.isActive, owner.holder.member != holder.member,
                isHeardNow(owner.holder, at: now)
            {
                warnings.append(Self.sameNameText(holder.name))
            }
        }
        return warnings
    }

    private static func sameNameText(_ name: String) -> String {
        "a second machine is named \(name) and is not taken in: give it another name, or stop one of them"
    }

    private func isHeardNow(_ holder: Holder, at now: Instant) -> Bool {
        holder == me || neighbours.isHeard(holder, within: timing.deadAfter, at: now)
    }
}
