import Calendar
import Primitives

/// What one agreed command did to the control state.
package struct Applied: Hashable, Sendable {
    package var events: [ClusterEvent] = []
    /// Why nothing was changed.
    package var refusal: String?

    static func refused(_ reason: String) -> Applied { Applied(refusal: reason) }
    static func done(_ events: ClusterEvent...) -> Applied { Applied(events: events) }
}

extension ControlState {
    /// Applies an agreed command; a command the state does not allow changes nothing and says why.
    package mutating func apply(_ stamped: StampedCommand, at epoch: Epoch) -> Applied {
        time = max(time, stamped.time)
        takeovers.removeAll { time - $0 > Timers.takeoverWindow }
        var applied: Applied
        switch stamped.command {
        case .admit(let admission): applied = admit(admission, at: epoch)
        case .fence(let fence): applied = apply(fence, at: epoch)
        case .grant(let address, let to, let reason, let isAutomatic):
            applied = give(address, to: to, reason: reason, isAutomatic: isAutomatic, at: epoch)
        case .move(let move): applied = apply(move, at: epoch)
        case .revoke(let address, let from, let reason):
            applied = revoke(address, from: from, reason: reason, at: epoch)
        case .released(let notice): applied = apply(notice)
        case .drain(let command): applied = apply(command, at: epoch)
        case .maintenance(let node, let maintenance):
            applied = setMaintenance(node, maintenance, at: epoch)
        case .configure(let settings): applied = configure(settings, at: epoch)
        case .playbook(let command): applied = apply(command, wall: stamped.wall, at: epoch)
        case .ttl(let ttl): applied = setTTL(ttl, at: epoch)
        case .ttlServed: applied = noteTTLServed(at: epoch)
        case .forget(let holder): applied = forget(holder, wall: stamped.wall, at: epoch)
        case .revokeCertificates(let node):
            applied = revokeCertificates(of: node, wall: stamped.wall, at: epoch)
        case .recoverQuorum(let lost): applied = giveUp(lost, at: epoch)
        case .raiseFormat(let next): applied = raiseFormat(to: next, at: epoch)
        case .unknown(let kind): applied = .unknown(kind)
        case .asked(let asked):
            applied =
                asked.command.map { command in
                    apply(StampedCommand(time: stamped.time, command: command, wall: stamped.wall), at: epoch)
                } ?? .done()
            note(asked, applied, wall: stamped.wall, at: epoch)
            return applied
        }
        applied.events += settleRun(after: stamped.command, at: epoch)
        note(applied.events, wall: stamped.wall, at: epoch)
        orderSlaves()
        checkInvariants()
        return applied
    }

    /// Why a node cannot be given an address; nil when it can.
    package func unfitness(of holder: Holder) -> String? {
        guard let member = member(holder.name), member.holder == holder else {
            return "\(holder) is not part of the cluster"
        }
        if !member.isActive { return "\(holder.name) is fenced" }
        if member.kind == .witness { return "\(holder.name) is a witness" }
        if member.maintenance != nil { return "\(holder.name) is in maintenance" }
        return nil
    }

    /// Spares keep their order; a node that becomes free goes to the end, several of them by name.
    private mutating func orderSlaves() {
        let free = members.filter { member in
            unfitness(of: member.holder) == nil
                && !grants.contains { $0.holder == member.holder && !$0.revoked }
        }.map(\.name)
        slaves.removeAll { !free.contains($0) }
        slaves += free.filter { !slaves.contains($0) }
    }

    private func checkInvariants() {
        precondition(
            Set(seats.map(\.address)).count == seats.count, "two seats share an address: \(seats)")
        precondition(
            Set(grants.map(\.address)).count == grants.count, "an address was granted twice: \(grants)")
        precondition(
            zip(grants, grants.dropFirst()).allSatisfy { $0.address < $1.address }, "grants out of order")
    }

    // MARK: - Members

    private mutating func admit(_ admission: Admission, at epoch: Epoch) -> Applied {
        let name = admission.holder.name
        if givenUp?.contains(admission.holder.member) == true {
            return .refused("\(admission.holder) was given up (recover-quorum); it can only join anew")
        }
        if let at = members.firstIndex(where: { $0.name == name }) {
            if members[at].holder == admission.holder, members[at].isActive {
                return .refused("\(admission.holder) is already admitted")
            }
            guard !members[at].isActive else {
                return .refused("\(members[at].holder) has not been fenced")
            }
            // Its wish may still be on record when a newer life of it is already heard.
            if members[at].holder.member == admission.holder.member,
                admission.holder.incarnation <= members[at].holder.incarnation
            {
                return .refused("\(admission.holder) has been fenced; only a newer life can join")
            }
            members[at].holder = admission.holder
            members[at].kind = admission.kind
            members[at].machine = admission.machine
            members[at].standing = .active
            members[at].outSince = nil
            members[at].outBecause = nil
            members[at].anew = admission.anew
        } else {
            guard members.count < ClusterLimits.nodes else {
                return .refused("\(ClusterLimits.nodes) nodes are the limit")
            }
            var member = Member(
                holder: admission.holder, kind: admission.kind, standing: .active, machine: admission.machine)
            member.anew = admission.anew
            members.append(member)
            members.sort { $0.name < $1.name }
        }
        forgotten?.removeAll { $0 == admission.holder.member }
        if forgotten?.isEmpty == true { forgotten = nil }
        let anew = admission.anew.map { ", anew: \($0)" } ?? ""
        return .done(
            ClusterEvent(.nodeAdmitted, name, "\(admission.holder) joins the cluster\(anew)", epoch: epoch))
    }

    /// Why a node cannot be forgotten; nil when it can.
    package func obstacle(toForgetting holder: Holder) -> String? {
        guard member(holder.name)?.holder == holder else { return "\(holder) is not part of the cluster" }
        if let grant = grants.first(where: { $0.holder == holder }) {
            return "\(holder.name) holds \(grant.address): move it first, or wait until it is taken over"
        }
        if let grant = grants.first(where: { $0.waits(for: holder) }) {
            return "\(grant.address) is still waited for: \(holder.name) has not let go of it"
        }
        if let drain, drain.from == holder || drain.to == holder {
            return "\(holder.name) takes part in the drain of \(drain.seat); `fsdns abort` undoes the drain"
        }
        return nil
    }

    private mutating func forget(_ holder: Holder, wall: WallTime?, at epoch: Epoch) -> Applied {
        if let obstacle = obstacle(toForgetting: holder) { return .refused(obstacle) }
        members.removeAll { $0.holder == holder }
        revoked = Revocation.adding(Revocation(name: holder.name, at: wall), to: revoked)
        forgotten = Array(
            ((forgotten ?? []).filter { $0 != holder.member } + [holder.member]).suffix(ClusterLimits.nodes))
        return .done(
            ClusterEvent(
                .nodeForgotten, holder.name, "\(holder) is forgotten: it is gone for good", epoch: epoch))
    }

    /// Replaces an earlier revocation of the name, also where that was stamped by a clock that was ahead.
    private mutating func revokeCertificates(of node: String, wall: WallTime?, at epoch: Epoch) -> Applied {
        guard let wall else {
            return .refused("no clock of the leader's was read yet; try again in a moment")
        }
        let known = revoked ?? []
        guard known.count < Revocation.limit || known.contains(where: { $0.name == node }) else {
            return .refused(
                "\(Revocation.limit) names are revoked, and the oldest would be forgotten: replace the authority"
            )
        }
        revoked = Revocation.adding(Revocation(name: node, at: wall), to: revoked)
        return .done(
            ClusterEvent(
                .certificatesRevoked, node, "certificates of \(node) from before \(wall.text) count no more",
                epoch: epoch))
    }

    /// Each that was taken in is fenced; none may come back as what it was.
    private mutating func giveUp(_ lost: [Holder], at epoch: Epoch) -> Applied {
        guard lost.count <= ClusterLimits.nodes else {
            return .refused("\(ClusterLimits.nodes) nodes are the limit")
        }
        var events: [ClusterEvent] = []
        for holder in lost { events += apply(Fence(givingUp: holder), at: epoch).events }
        let members = lost.map(\.member)
        givenUp = Array(
            ((givenUp ?? []).filter { !members.contains($0) } + members).suffix(ClusterLimits.nodes))
        let names = lost.map(\.name).joined(separator: ", ")
        events.append(
            ClusterEvent(
                .quorumRecovered, settings.cluster, "\(names) given up for good; the others decide without",
                epoch: epoch))
        return Applied(events: events)
    }

    private mutating func raiseFormat(to next: Int, at epoch: Epoch) -> Applied {
        guard next == format + 1 else {
            return .refused("format \(format) is agreed on, and \(next) is not the next one")
        }
        format = next
        return .done(
            ClusterEvent(
                .configuration, settings.cluster,
                "format \(next) is agreed on: every member's release reads it; an older release is not taken in any more",
                epoch: epoch))
    }

    mutating func setMaintenance(
        _ node: String, _ maintenance: Maintenance?, at epoch: Epoch
    ) -> Applied {
        guard let at = members.firstIndex(where: { $0.name == node }) else {
            return .refused("no node \(node)")
        }
        if maintenance != nil, grants.contains(where: { $0.holder.name == node && !$0.revoked }) {
            return .refused("\(node) holds an address; drain it")
        }
        guard members[at].maintenance != maintenance else { return .refused("\(node) is already so") }
        members[at].maintenance = maintenance
        let text = maintenance.map { "\(node) is in maintenance: \($0.reason)" } ?? "\(node) is back"
        return .done(ClusterEvent(.maintenance, node, text, epoch: epoch))
    }

    // MARK: - Configuration

    /// Why the settings cannot be activated now; nil when they can.
    package func obstacle(to new: ClusterSettings) -> String? {
        if new.cluster != settings.cluster { return "the cluster's name cannot change" }
        if new.timing != settings.timing, !grants.isEmpty {
            return "timing cannot change while addresses are held; stop all nodes, then start them again"
        }
        for seat in seats {
            guard new.seats.contains(where: { $0.name == seat.name }) else {
                if mayVanish(seat) { continue }
                return "seat \(seat.name) cannot be removed online while a node has it"
            }
            guard let address = address(seat.address), new.addresses.contains(address) else {
                return "address \(seat.address) of seat \(seat.name) cannot change while the seat uses it"
            }
        }
        for grant in grants where !new.addresses.contains(where: { $0.name == grant.address }) {
            return "address \(grant.address) is held by \(grant.holder.name)"
        }
        if let drain, !new.addresses.contains(where: { $0.name == drain.newAddress }) {
            return "address \(drain.newAddress) is part of a drain"
        }
        for rule in new.seats where seat(rule.name) == nil {
            if seats.contains(where: { $0.address == rule.address })
                || grants.contains(where: { $0.address == rule.address })
            {
                return "address \(rule.address) of the new seat \(rule.name) is in use"
            }
        }
        return nil
    }

    /// Whether a seat may be taken out of the cluster file: nobody has it, as one whose profile runs nowhere. Earlier releases
    /// refuse that, and would go on with another state.
    private func mayVanish(_ seat: Seat) -> Bool {
        format >= 2 && grant(of: seat.address) == nil && drain?.seat != seat.name
    }

    private mutating func configure(_ new: ClusterSettings, at epoch: Epoch) -> Applied {
        fenceEpoch = epoch
        if let obstacle = obstacle(to: new) { return .refused(obstacle) }
        let formerTTL = settings.dns?.ttl
        settings = new
        fileTTLChanged(from: formerTTL)
        seats = new.seats.map { rule in
            Seat(name: rule.name, address: seat(rule.name)?.address ?? rule.address)
        }
        return .done(
            ClusterEvent(.configuration, new.cluster, "the cluster file is active on all nodes", epoch: epoch)
        )
    }
}
