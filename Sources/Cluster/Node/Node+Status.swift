import Consensus
import Primitives

// The cluster as this node sees it; the leader's view is the one worth asking for.

extension Node {
    package func statusReport(at now: Instant) -> StatusReport {
        let voters = raft.membership.voters
        let have = votesHere(at: now)
        let leader = raft.leader?.name
        var report = StatusReport(
            cluster: settings.cluster, node: name, leader: leader, term: raft.term,
            epoch: "\(applied)",
            quorum: .init(
                votes: voters.count, needed: voters.isEmpty ? 0 : raft.membership.majority, have: have),
            nodes: nodeLines(at: now), seats: seatLines(at: now), maintenance: maintenanceLine(at: now),
            dns: dnsLine(at: now), warnings: warnings(at: now, have: have), forming: formingLine(at: now))
        report.playbook = playbookLine
        report.paths = pathsTold(at: now).map {
            StatusReport.PathLine(
                node: $0.node, kind: $0.trouble.kind.word, ring: $0.trouble.ring, peers: $0.trouble.peers)
        }
        report.format = state?.format
        return report
    }

    private func nodeLines(at now: Instant) -> [StatusReport.NodeLine] {
        guard let state else {
            let known = neighbours.all.map { ($0.holder.name, $0 as Neighbour?) } + [(name, nil)]
            return known.sorted { $0.0 < $1.0 }.map { line(of: $0.0, $0.1, member: nil, at: now) }
        }
        var lines = state.members.map { member in
            line(of: member.name, neighbours[member.holder.member], member: member, at: now)
        }
        let strangers = neighbours.all.filter { neighbour in
            state.member(neighbour.holder.name) == nil && now - neighbour.received < Timers.heardLately
        }
        lines += strangers.map { line(of: $0.holder.name, $0, member: nil, at: now) }
        return lines.sorted { $0.name < $1.name }
    }

    private func line(
        of node: String, _ neighbour: Neighbour?, member: Member?, at now: Instant
    ) -> StatusReport.NodeLine {
        let isMe = node == name
        let role = member.flatMap { state?.role(of: $0) } ?? .starting
        let seat = member.flatMap { member in
            state?.seats.first { state?.grant(of: $0.address)?.holder == member.holder }
        }
        let held = isMe ? holdings.held : neighbour?.heartbeat.holding ?? []
        let leaseValid = isMe ? leaseEnd(at: now) != nil : neighbour?.heartbeat.leaseValid ?? false
        let isHeard = isMe || neighbour.map { now - $0.received < timing.deadAfter } ?? false
        let hearers = hearers(ofNode: node, at: now)
        let belief =
            isHeard
            ? nil
            : (member?.isActive == true ? member?.holder : nil).map {
                leaseBelief(of: $0, at: now)
            }
        let isFed = isHeard || belief == .fed
        // What a silent node said last of its switch is no news, only as much as is known of one that others hear.
        let report = isMe ? load : isFed ? neighbour?.heartbeat.load : nil
        var note: String?
        switch member?.standing {
        case .fenced(let basis, let epoch):
            note = "out since \(epoch): \(member?.outBecause ?? basis.sentence)"
        case .active, nil: note = member?.maintenance.map { maintenanceText($0, at: now) } ?? member?.anew
        }
        let version = isMe ? settings.version : neighbour?.heartbeat.settingsVersion
        let program = isMe ? release : neighbour.map { $0.heartbeat.release ?? .unannounced }
        var line = StatusReport.NodeLine(
            name: node, role: role,
            position: state?.slaves.firstIndex(of: node).map { $0 + 1 }, seat: seat?.name,
            addresses: isFed ? held.compactMap { state?.address($0.address)?.ip.description } : [],
            lease: member == nil
                ? "none"
                : isHeard
                    ? leaseValid ? "valid" : "expired" : belief ?? .over == .over ? "expired" : "unknown",
            freeswitch: isHeard ? report?.health ?? .unknown : .unknown, calls: Int(report?.calls ?? 0),
            registrations: Int(report?.registrations ?? 0),
            lastHeardMs: isMe ? nil : neighbour.map { Int((now - $0.received).milliseconds) },
            voter: raft.membership.voters.contains { $0.name == node },
            incarnation: "\((isMe ? me : neighbour?.holder ?? member?.holder ?? me).incarnation >> 32)",
            configurationDiffers: version != nil && version != (state?.settings.version ?? settings.version),
            note: note, heardBy: hearers)
        if let member, let view = view(at: now) {
            line.ready = view.isReady(member)
            line.blockers = member.kind == .full ? troubles(of: member, view) : nil
        }
        line.release = program.flatMap { $0.name.isEmpty ? nil : $0.name }
        line.newestFormat = program?.formats.upperBound
        return line
    }

    private func maintenanceText(_ maintenance: Maintenance, at now: Instant) -> String {
        let text = "\(maintenance.reason) (\(maintenance.who))"
        guard let until = maintenance.until else { return text }
        let left = max(0, Int((until - clusterTime(at: now)).wholeSeconds))
        return text + "; comes back by itself in \(left) s"
    }

    private func seatLines(at now: Instant) -> [StatusReport.SeatLine] {
        guard let view = view(at: now) else { return [] }
        let state = view.state
        return state.seats.map { seat in
            let grant = state.grant(of: seat.address)
            let isHeld = grant.map { !$0.revoked && view.holds($0.holder, seat.address) } ?? false
            var hearsay: (state: StatusReport.SeatLine.State, isKnown: Bool)?
            if let grant, !grant.revoked, state.isActive(grant.holder), !isHeard(grant.holder, at: now) {
                hearsay = stateByHearsay(of: grant, view)
            }
            let condition: StatusReport.SeatLine.State
            if state.drain?.seat == seat.name {
                condition = .draining
            } else if isHeld, let grant, isHeard(grant.holder, at: now) {
                condition = .active
            } else if let grant, !grant.revoked, state.isActive(grant.holder), isHeard(grant.holder, at: now)
            {
                condition = .moving
            } else {
                condition = hearsay?.state ?? .uncovered
            }
            let isOutOfDate = hearsay == nil && condition != .active && isCutOff(at: now)
            return StatusReport.SeatLine(
                name: seat.name, address: state.address(seat.address)?.ip.description ?? seat.address,
                addressName: seat.address, holder: grant?.holder.name, state: condition,
                published: isPublished(seat.address, in: state),
                isPublicationKnown: isLeader && zone.readings.contains { $0.records != nil },
                epoch: grant.map { "\($0.epoch)" },
                trouble: trouble(at: seat, view),
                seen: grant.map { sightLines(of: $0, view) },
                heardBy: hearsay.flatMap { _ in grant.map { hearers(of: $0.holder, at: now).map(\.node) } },
                unheardBy: hearsay != nil || isOutOfDate ? name : nil,
                isStateKnown: hearsay?.isKnown ?? !isOutOfDate)
        }
    }

    /// Whether that very life of a node is this one, or its node was heard lately.
    func isHeard(_ holder: Holder, at now: Instant) -> Bool {
        holder == me || neighbours.isHeard(holder.member, within: timing.deadAfter, at: now)
    }

    /// How many votes are here.
    func votesHere(at now: Instant) -> Int { raft.membership.voters.count { hasVote($0, at: now) } }

    /// Whether a vote is here: our own, or that of a node heard lately.
    func hasVote(_ voter: MemberID, at now: Instant) -> Bool {
        voter == raft.me || neighbours.isHeard(voter, within: timing.deadAfter, at: now)
    }

    /// Whether others may have decided since what this node does not know.
    func isCutOff(at now: Instant) -> Bool { votesHere(at: now) < raft.membership.majority }

    private func isPublished(_ address: String, in state: ControlState) -> Bool {
        guard let ip = state.address(address)?.ip else { return false }
        return zone.readings.contains { reading in
            guard case .read(_, let records) = reading.outcome else { return false }
            return records.contains { $0.content == .address(ip) }
        }
    }

    private func maintenanceLine(at now: Instant) -> StatusReport.MaintenanceLine {
        guard let view = view(at: now) else { return .init(addresses: [], drain: nil) }
        let state = view.state
        func text(_ name: String) -> String { state.address(name)?.ip.description ?? name }
        let drain = state.drain.map { drain in
            let left = drain.phase.isUndoing ? drain.newAddress : drain.oldAddress
            let holder = state.grant(of: left)?.holder ?? drain.from
            let report = view.load(of: holder)?.load(of: left)
            let calls = Int(report?.calls ?? 0)
            let pace = leadership?.pace
            // Calls that were handed over go on with whoever has their address.
            let isOver = drain.phase == .handingOver || drain.phase == .lingering
            let to = isOver ? state.grant(of: left)?.holder ?? drain.to : drain.to
            return StatusReport.DrainLine(
                seat: drain.seat, from: drain.from.name, to: to.name, phase: drain.phase,
                oldAddress: text(drain.oldAddress), newAddress: text(drain.newAddress),
                callsLeft: calls, registrationsLeft: Int(report?.registrations ?? 0),
                deadlineSeconds: drain.deadline.map {
                    Int(($0 - clusterTime(at: now)).wholeSeconds)
                }, onDeadline: drain.onDeadline, owner: drain.owner, reason: drain.reason,
                waitingFor: view.drainObstacle(drain, in: state),
                recoverable: Int(report?.recoverable ?? 0), callsPerMinute: pace?.perMinute,
                estimateSeconds: pace?.estimate(calls: calls).map { Int($0.wholeSeconds) },
                standstillSeconds: pace?.standstill(at: now).map { Int($0.wholeSeconds) },
                phaseSeconds: Int((clusterTime(at: now) - drain.phaseBegan).wholeSeconds),
                returnAfterSeconds: drain.returnAfter.map { Int($0.wholeSeconds) },
                drain: "\(drain.id)")
        }
        let addresses = state.maintenanceAddresses
        return .init(
            addresses: addresses.map(\.ip.description), drain: drain, names: addresses.map(\.name))
    }

    private func dnsLine(at now: Instant) -> StatusReport.DNSLine? {
        guard isLeader, let state, let desired = view(at: now)?.desiredZone else { return nil }
        let servers = desired.settings.servers.map { server in
            let reading = zone.readings.first { $0.endpoint == server.endpoint }
            var serial: UInt32?
            if case .read(let value, _) = reading?.outcome { serial = value }
            let problem = reading.map { serverProblem($0, desired, at: now) } ?? "not read yet"
            return StatusReport.DNSLine.Server(
                address: "\(server.endpoint)", serial: serial, converged: problem == nil, problem: problem)
        }
        let epochs = zone.readings.lazy.compactMap { reading -> String? in
            desired.marks(in: reading.records ?? []).own.first?.mark.epoch.description
        }
        return StatusReport.DNSLine(
            zone: desired.settings.zone,
            converged: servers.allSatisfy(\.converged) && zone.converged != nil,
            epoch: epochs.first, servers: servers,
            problem: zone.worst?.text,
            ttl: state.settings.dns.map { Int($0.ttl.wholeSeconds) })
    }

    private func warnings(at now: Instant, have: Int) -> [String] {
        var warnings = PathTrouble.sentences(pathsTold(at: now)) + identityWarnings(at: now)
        guard let view = view(at: now) else { return warnings }
        let state = view.state
        if raft.leader == nil {
            let votes = raft.membership.voters.count
            warnings.append(
                have < raft.membership.majority
                    ? "there is no leader: \(have) of \(votes) votes"
                    : "there is no leader, although \(have) of \(votes) votes are heard: unless one is elected in a "
                        + "moment, look at the links between the nodes with: fsdns rings")
        }
        warnings += majorityWarnings(at: now) + deafnessWarnings(at: now)
        warnings += serviceWarnings(view) + debtWarnings(at: now)
        warnings += hearsayWarnings(view)
        if state.slaves.isEmpty, !isCutOff(at: now) {
            warnings.append("no slave is left: the next failure cannot be covered")
        }
        // Whom others hear goes on voting.
        let elsewhere = raft.membership.voters.filter { !hasVote($0, at: now) }
        if have == raft.membership.majority, running(elsewhere, at: now).isEmpty {
            warnings.append(
                "one more failure loses the quorum (\(have) votes, \(raft.membership.majority) needed)")
        }
        if state.mustWithhold {
            warnings.append(
                view.withheldText(state)
                    + (state.takeovers.isEmpty ? "" : ": there were \(state.takeovers.count) within an hour"))
        }
        if state.settings.policy.noQuorum == .hold {
            warnings.append("automatic takeover is off: no-quorum=\"hold\"")
        }
        for holder in leadership?.unheardTold ?? [] { warnings.append(LeaderPass.unheardText(holder.name)) }
        if isLeader {
            // The worst of them stands beside the zone already.
            let worst = zone.worst
            warnings += zone.told.filter { $0 != worst }.map(\.text)
        }
        warnings += zoneTurnWarnings(at: now)
        warnings += configurationWarnings(at: now)
        warnings += formatWarnings(at: now)
        return warnings
    }

    private func formingLine(at now: Instant) -> String? {
        guard state == nil else { return nil }
        let heard = neighbours.all.filter { now - $0.received < timing.deadAfter }
        if heard.contains(where: { $0.heartbeat.clusterID != 0 }) { return "joining a formed cluster" }
        let names = (heard.map(\.holder.name) + [name]).sorted()
        let missing = settings.nodes.map(\.name).filter { !names.contains($0) }
        // Where nodes are listed, all of them found the cluster.
        let wanted = settings.nodes.isEmpty ? settings.expect : settings.nodes.count
        var text = "\(names.count) of \(wanted) nodes are here"
        if !missing.isEmpty { text += "; waiting for \(missing.joined(separator: ", "))" }
        let odd = heard.filter { $0.heartbeat.settingsVersion != settings.version }.map(\.holder.name)
        if !odd.isEmpty { text += "; another cluster file on \(odd.joined(separator: ", "))" }
        if !holdings.isEmpty { text += "; the keeper is not ready" }
        return text
    }
}
