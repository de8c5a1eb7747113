import Consensus
import Primitives

// `fsdns recover-quorum`: an operator says that so many machines, or their state, are lost for good that no majority will
// ever be there again. What is left leads on without them.

/// A recovery an operator asked for, until it is agreed or has failed.
struct Recovering: Hashable, Sendable {
    var asker: PendingRequests.Asker
    var deed: AskedCommand?
    var lost: [Holder]
    var lines: [String]
    /// Elections still to be tried: the first may find somebody in a newer term.
    var attemptsLeft = 3
    /// Nil while one is under way.
    var nextAttempt: Instant?
}

extension Node {
    /// Nobody who could be alive is given up: so long must it be silent, and this node must listen.
    private static let silenceOfTheLost: Duration = .seconds(10)

    mutating func recoverQuorum(
        without names: [String], dryRun: Bool, deed: AskedCommand?, from asker: PendingRequests.Asker,
        at now: Instant
    ) {
        let names = Set(names).sorted()
        guard case .terminal = asker else {
            answer(asker, .refused(["this can only be asked on the machine itself"]))
            return
        }
        if let obstacles = obstacles(toRecoveryWithout: names, at: now) {
            answer(asker, .refused(obstacles))
            return
        }
        let lost = absent(at: now)
        let all = lost.map(\.name)
        let left = raft.membership.voters.filter { hasVote($0, at: now) }.map(\.name)
        var lines = [
            "\(all.joined(separator: ", ")) \(all.count == 1 ? "is" : "are") given up; "
                + "decided from now on by \(left.joined(separator: ", "))"
        ]
        let seats = (state?.seats ?? []).filter { seat in
            state?.grant(of: seat.address).map { lost.contains($0.holder) } ?? false
        }
        lines += seats.map { "\($0.name) goes to a slave, if there is one" }
        lines.append(
            "started again, \(all.joined(separator: ", ")) set their state aside and join as new nodes")
        lines.append(
            "a machine that was stolen rather than lost must not: fsdns forget NODE --revoke makes its certificate "
                + "worthless")
        if dryRun {
            answer(asker, .plan(lines))
            return
        }
        if doubt != nil {
            // Nobody else is left who could know better.
            doubt = nil
            raft.beginListening(at: now)
        }
        recovering = Recovering(asker: asker, deed: deed, lost: lost, lines: lines, nextAttempt: now)
        tryRecovery(at: now)
    }

    /// Everybody the cluster knows who is not here: also one that has no vote may have been one of the lost majority, and
    /// may know of decisions that nobody else does.
    private func absent(at now: Instant) -> [Holder] {
        let members = (state?.members ?? []).map(\.holder)
        let unadmitted = raft.membership.members.filter { id in !members.contains { $0.member == id } }
        let all = members + unadmitted.map { Holder(member: $0, incarnation: 0) }
        return all.filter { !hasVote($0.member, at: now) }.sorted()
    }

    /// Why nobody may be given up; nil when they may.
    private func obstacles(toRecoveryWithout names: [String], at now: Instant) -> [String]? {
        guard state != nil, membershipPhase == .member else {
            return ["\(name) belongs to no cluster yet: there is nothing to recover here"]
        }
        if let agreed = state?.settings.cluster, agreed != settings.cluster {
            return [
                "the cluster file here is of \(settings.cluster), the state of \(agreed): correct the file first"
            ]
        }
        guard recovering == nil else { return ["a recovery is under way already"] }
        let voters = raft.membership.voters
        guard voters.contains(raft.me) else {
            return ["\(name) has no vote: ask on \(voters.map(\.name).joined(separator: ", "))"]
        }
        var obstacles: [String] = []
        for name in names where !voters.contains(where: { $0.name == name }) && state?.member(name) == nil {
            obstacles.append(
                "no node \(name); those that vote are \(voters.map(\.name).joined(separator: ", "))")
        }
        for voter in voters {
            let isHere = hasVote(voter, at: now)
            if names.contains(voter.name), isHere {
                obstacles.append(
                    "\(voter.name) is not lost: \(voter == raft.me ? "this is it" : "it is heard")")
            } else if !names.contains(voter.name), !isHere {
                obstacles.append(
                    "\(voter.name) is not heard either: bring it back, or name it as lost as well")
            } else if !isHere, !running([voter], at: now).isEmpty {
                obstacles.append(
                    "\(voter.name) is not lost: it is not heard here, and runs; mend the way to it, or switch it off"
                )
            } else if !isHere, let heard = neighbours[voter]?.received, now - heard < Self.silenceOfTheLost {
                obstacles.append(
                    "\(voter.name) was heard \((now - heard).milliseconds / 1000) s ago: wait 10 s")
            }
        }
        obstacles += signsOfLife(of: names, at: now)
        let here = voters.filter { hasVote($0, at: now) }
        if raft.membership.isQuorum(here) {
            obstacles.append(
                "a majority is here: \(here.map(\.name).joined(separator: ", ")); nothing need be recovered")
        }
        if now - startedAt < Self.silenceOfTheLost {
            obstacles.append(
                "\(name) listens only since \((now - startedAt).milliseconds / 1000) s: wait 10 s")
        }
        if doubt != nil, here.count > 1 {
            obstacles.append("\(name) does not know yet whether its state is the newest: wait some seconds")
        }
        return obstacles.isEmpty ? nil : obstacles
    }

    /// What others say that speaks against giving somebody up.
    private func signsOfLife(of names: [String], at now: Instant) -> [String] {
        var signs: [String] = []
        if let leader = raft.leader { signs.append("\(leader.name) leads: nothing need be recovered") }
        for neighbour in neighbours.all where now - neighbour.received < timing.deadAfter {
            let heartbeat = neighbour.heartbeat
            if raft.leader == nil, heartbeat.clusterID == state?.clusterID, let leader = heartbeat.leader {
                signs.append("\(neighbour.holder.name) follows \(leader.name), which leads")
            }
            for heard in heartbeat.acknowledgements
            where names.contains(heard.holder.name) && raft.membership.voters.contains(heard.holder.member) {
                signs.append("\(neighbour.holder.name) hears \(heard.holder.name)")
            }
        }
        return signs
    }

    /// What to do when no majority is here, and which machines are back without what they knew.
    func majorityWarnings(at now: Instant) -> [String] {
        let missing = raft.membership.voters.filter { !hasVote($0, at: now) }
        let here = raft.membership.voters.count - missing.count
        guard here < raft.membership.majority else { return [] }
        let names = missing.map(\.name)
        let running = running(missing, at: now)
        let silent = names.filter { !running.contains($0) }
        let those = Set(raft.membership.voters.map(\.name) + [name]).subtracting(names).sorted()
        var text =
            "no majority is heard: \(here) of \(raft.membership.voters.count) votes, nothing can be decided"
        if !running.isEmpty { text += " here" }
        if !silent.isEmpty {
            text += "; start \(silent.joined(separator: ", ")) where down, else look at the rings"
        }
        if !running.isEmpty {
            let isLinked = missing.allSatisfy { !running.contains($0.name) || hasLink(with: $0, at: now) }
            let links =
                isLinked ? ", and \(running.count == 1 ? "its link stands" : "their links stand") (TCP)" : ""
            text +=
                "; \(PathTrouble.list(running)) \(running.count == 1 ? "runs" : "run") all the same\(links): let "
                + "UDP pass between \(PathTrouble.list(those)) on one side, "
                + "\(PathTrouble.list(running)) on the other; look at packet filters, cables and switch ports, and "
                + "fsdns rings on both sides"
        } else if here > 1 {
            text += "; \(PathTrouble.list(those)) hear each other and nothing of \(PathTrouble.list(names))"
        }
        let anew = names.filter { name in
            neighbours.all.contains { $0.holder.name == name && now - $0.received < timing.deadAfter }
        }
        if !anew.isEmpty {
            text +=
                "; \(anew.joined(separator: ", ")) \(anew.count == 1 ? "is" : "are") back without former state"
        }
        return [text]
    }

    /// To be looked at with every beat.
    mutating func tryRecovery(at now: Instant) {
        guard let plan = recovering, let due = plan.nextAttempt, now >= due else { return }
        recovering?.nextAttempt = nil
        recovering?.attemptsLeft -= 1
        var command = ControlCommand.recoverQuorum(lost: plan.lost)
        if var deed = plan.deed {
            deed.command = command
            command = .asked(deed)
        }
        let stamped = StampedCommand(time: clusterTime(at: now), command: command, wall: wallTime(at: now))
        let gone = plan.lost.map(\.member)
        let left = Membership(
            voters: raft.membership.voters.filter { !gone.contains($0) },
            learners: raft.membership.learners.filter { !gone.contains($0) })
        agree(.recover([stamped], as: left), at: now)
    }

    mutating func recovered(_ epoch: Epoch, at now: Instant) {
        guard let plan = recovering else { return }
        recovering = nil
        leadership?.proposed(epoch)
        requests.await(epoch, for: plan.asker, lines: plan.lines, at: now)
    }

    mutating func recoveryRefused() {
        guard let plan = recovering else { return }
        recovering = nil
        answer(plan.asker, .refused(["somebody leads meanwhile: look at `fsdns status`, then repeat it"]))
    }

    /// - Parameter missing: who did not vote for it; nobody when a majority of all voted.
    mutating func recoveryFailed(_ missing: [MemberID], at now: Instant) {
        guard let plan = recovering else { return }
        if !missing.isEmpty, plan.attemptsLeft > 0 {
            let next = now + timing.interval
            recovering?.nextAttempt = next
            return
        }
        recovering = nil
        let names = missing.map(\.name).joined(separator: ", ")
        answer(
            plan.asker,
            .refused([
                missing.isEmpty
                    ? "a majority of all is here: nothing was given up"
                    : "\(names) did not agree: its state may be newer than that of \(name); ask there"
            ]))
    }
}
