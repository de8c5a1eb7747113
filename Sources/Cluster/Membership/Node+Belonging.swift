import Consensus
import Primitives

// How a node comes to belong: forming a cluster with others, joining one, coming back after a fence, leaving.

extension Node {
    // MARK: - Forming

    /// Everybody this node would found a cluster with, itself included; nil while somebody is missing.
    private func founders(at now: Instant) -> [MemberID]? {
        // Whoever has spoken in a term already (to a founder that was faster) is brought in by its leader: a
        // second beginning would forget a vote.
        guard membershipPhase == .discovering, doubt == nil, raft.term == 0, holdings.isEmpty else {
            return nil
        }
        let others = neighbours.all.filter { neighbour in
            now - neighbour.received < timing.deadAfter
                && neighbour.heartbeat.settingsVersion == settings.version
        }
        let members = (others.map(\.holder.member) + [me.member]).sorted()
        guard members.count == settings.expect, Set(members.map(\.name)).count == members.count else {
            return nil
        }
        if !settings.nodes.isEmpty {
            guard members.map(\.name) == settings.nodes.map(\.name).sorted() else { return nil }
        }
        return members
    }

    private func digest(of members: [MemberID]) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mixByte(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        func mix(_ number: UInt64) {
            for shift in stride(from: 0, to: 64, by: 8) {
                mixByte(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        for member in members {
            for byte in member.name.utf8 { mixByte(byte) }
            mixByte(0)
            mix(member.birth)
        }
        mix(settings.version)
        return hash == 0 ? 1 : hash
    }

    /// What founders must agree on beside who they are. The number of the cluster follows from them alone.
    private func foundingDigest(of founders: [MemberID], format: Int) -> UInt64 {
        let digest = digest(of: founders)
        // Founders that know of no second format announce the bare digest.
        if format == FormatVersion.oldest { return digest }
        return max(1, digest &* 0x100_0000_01B3 ^ UInt64(format))
    }

    func foundingDigest(at now: Instant) -> UInt64 {
        founders(at: now).map { foundingDigest(of: $0, format: foundingFormat(of: $0)) } ?? 0
    }

    /// The newest that every founder reads: a cluster of one release begins with what its release writes.
    private func foundingFormat(of founders: [MemberID]) -> Int {
        let others = founders.filter { $0 != me.member }.map { founder in
            (neighbours[founder]?.heartbeat.release ?? .unannounced).formats.upperBound
        }
        return others.reduce(release.formats.upperBound, min)
    }

    /// Forms the cluster once all founders see the same founders.
    mutating func form(at now: Instant) {
        guard let founders = founders(at: now) else { return }
        let clusterID = digest(of: founders)
        let format = foundingFormat(of: founders)
        let announced = foundingDigest(of: founders, format: format)
        let agreed = founders.allSatisfy { founder in
            guard founder != me.member else { return true }
            guard let heartbeat = neighbours[founder]?.heartbeat else { return false }
            if heartbeat.founding == announced { return true }
            // One that formed it already. A format may have been raised by a leader since, whose terms begin with the
            // second: who comes so late is brought in by that leader.
            return heartbeat.clusterID == clusterID && heartbeat.agreedFormat == format
                && (format == FormatVersion.oldest || heartbeat.term <= 1)
        }
        guard agreed else { return }
        let snapshot = ControlSnapshot.founding(
            Membership(voters: founders),
            state: ControlState(clusterID: clusterID, settings: settings, format: format))
        membershipPhase = .founding(snapshot)
        // Zero is no sequence of consensus: this one write happens before it begins.
        effects.append(
            .store(StoreRequest(sequence: 0, hardState: HardState(term: 1, vote: nil), snapshot: snapshot)))
    }

    mutating func foundingStored(at now: Instant) {
        guard case .founding(let snapshot) = membershipPhase else { return }
        let restored = ControlRaft.Restored.founding(snapshot.membership, state: snapshot.state)
        raft = ControlRaft(
            me: me.member, settings: raft.settings, restored: restored, seed: generator.next(), at: now)
        membershipPhase = .member
        install(snapshot, at: now)
        report(
            .clusterFormed, settings.cluster,
            "formed by \(snapshot.membership.voters.map(\.name).joined(separator: ", "))",
            epoch: snapshot.epoch)
    }

    // MARK: - Standing

    /// A node that finds itself fenced lets go of everything and comes back as a new incarnation.
    mutating func checkStanding(at now: Instant) {
        guard let member = state?.member(name), member.holder == me, !member.isActive else { return }
        guard membershipPhase == .member else { return }
        if leaving != nil { return }
        let next = ((me.incarnation >> 32) + 1) << 32 | (generator.next() >> 32)
        membershipPhase = .renewing(next)
        report(.nodeFenced, name, "this node was fenced; it comes back as a slave")
        hold(at: now)
        effects.append(.recordIncarnation(next))
    }

    mutating func incarnationRecorded(_ incarnation: UInt64, at now: Instant) {
        guard membershipPhase == .renewing(incarnation) else { return }
        membershipPhase = .member
        me.incarnation = incarnation
        sequence = 0
        lease.forget()
        leaseValidSince = nil
        nextBeat = now
    }

    // MARK: - Pleas: what a node must keep saying until it is heard

    mutating func plead(at now: Instant, even insist: Bool) {
        guard insist || now >= nextPlea else { return }
        let due = now >= nextPlea
        if due { nextPlea = now + timing.reminder }
        sendReleaseNotices(again: due, at: now)
        guard due || effectsTouchLeader else { return }
        if needsAdmission {
            tellLeader(
                .admission(
                    Admission(
                        holder: me, kind: kind, settingsVersion: settings.version,
                        machine: machine == .unknown ? nil : machine, anew: anew)), at: now)
        }
        if let reason = reasonToRelinquish(at: now) {
            tellLeader(
                .relinquish(
                    Relinquishment(
                        holder: me, reason: reason.text, leaving: leaving != nil,
                        isOrdered: reason.isOrdered ? true : nil)), at: now)
        }
    }

    private var effectsTouchLeader: Bool { leaving != nil || !load.isFit }

    private var needsAdmission: Bool {
        guard leaving == nil, doubt == nil, holdings.isEmpty else { return false }
        switch membershipPhase {
        case .member: return !(state?.isActive(me) ?? false)
        case .discovering: return neighbours.all.contains { $0.heartbeat.clusterID != 0 }
        case .founding, .renewing, .stopped: return false
        }
    }

    /// Why this node wants to be rid of its addresses; nil when it does not.
    private func reasonToRelinquish(at now: Instant) -> (text: String, isOrdered: Bool)? {
        if let trouble = troubleWithAddresses(at: now) { return (trouble, false) }
        guard let vacating, now < vacating.until,
            state?.grants.contains(where: { $0.holder == me && !$0.revoked }) ?? false
        else { return nil }
        return (vacating.text(name), true)
    }

    /// The same, without anybody's order but the one to stop.
    private func troubleWithAddresses(at now: Instant) -> String? {
        guard let state, state.grants.contains(where: { $0.holder == me && !$0.revoked }) else {
            return leaving == nil ? nil : "\(name) stops"
        }
        if leaving != nil { return "\(name) stops" }
        if load.health == .unhealthy {
            return load.illness.map { "\(name): \($0)" } ?? "FreeSWITCH on \(name) does not answer"
        }
        if let bad = holdings.all.first(where: { holding in
            holding.troubleSince.map { now - $0 > Timers.keeperPatience } ?? false
        }) {
            return "the keeper on \(name) cannot hold \(bad.address.name): \(bad.trouble ?? "")"
        }
        if let lost = holdings.lostAt, now - lost > Timers.keeperPatience {
            return "no keeper runs on \(name)"
        }
        return nil
    }

    /// To the leader, wherever it is heard to be; to ourselves when that is us.
    mutating func tellLeader(_ message: PeerMessage, at now: Instant) {
        if isLeader {
            receive(message, from: me.member, at: now)
        } else if let leader = knownLeader {
            effects.append(.send(message, to: leader))
        }
    }

    /// The leader by our own consensus, or, for an outsider, by what members of a formed cluster say.
    var knownLeader: MemberID? {
        if let leader = raft.leader { return leader }
        return neighbours.all.filter { $0.heartbeat.clusterID != 0 }.compactMap(\.heartbeat.leader).first
    }

    /// Addresses others wait for us to release, as soon as our keeper does not hold them, or is gone for so long.
    private func owedReleases(at now: Instant) -> [(ReleaseNotice, next: MemberID?)] {
        guard let state else { return [] }
        var owed: [(ReleaseNotice, next: MemberID?)] = []
        for grant in state.grants where holdings.isGone(grant.address, at: now) {
            if grant.revoked, grant.holder == me {
                owed.append(
                    (ReleaseNotice(address: grant.address, holder: me, epoch: grant.epoch), next: nil))
            }
            for case .released(let by, let epoch) in grant.conditions where by == me {
                owed.append(
                    (
                        ReleaseNotice(address: grant.address, holder: me, epoch: epoch),
                        next: grant.holder.member
                    ))
            }
        }
        return owed
    }

    private mutating func sendReleaseNotices(again: Bool, at now: Instant) {
        for (notice, next) in owedReleases(at: now) where again || !requests.hasToldRelease(notice) {
            requests.toldRelease(notice)
            if let next, next != me.member { effects.append(.send(.released(notice), to: next)) }
            if next == me.member || isLeader { noteRelease(notice) }
            if let leader = knownLeader, leader != me.member, leader != next {
                effects.append(.send(.released(notice), to: leader))
            }
        }
    }

    mutating func noteRelease(_ notice: ReleaseNotice) { requests.noteRelease(notice) }

    // MARK: - Leaving

    mutating func beginLeaving(at now: Instant) {
        guard leaving == nil else { return }
        leaving = Leaving(deadline: now + Timers.leavingDeadline)
        plead(at: now, even: true)
    }

    /// Gone once the seats are with others and the cluster knows; or when nobody helps in time.
    mutating func leave(at now: Instant) {
        guard let leaving else { return }
        let holdsNothing = holdings.all.isEmpty
        let owed = !owedReleases(at: now).isEmpty
        let known = state?.member(name).map { $0.holder == me && $0.isActive } ?? false
        if isLeader, holdsNothing, !owed {
            let heir = agreedHeirs(at: now).first ?? heirs(at: now).first
            handLeadershipOver(to: heir, pause: Timers.handoverPauseOnLeaving, at: now)
        }
        if (holdsNothing && !owed && !known) || now >= leaving.deadline { stop(.shutdown) }
    }
}
