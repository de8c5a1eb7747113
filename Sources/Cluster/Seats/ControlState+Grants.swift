import Primitives

// Who may hold which address: every change of `grants` but those a drain makes.

extension ControlState {
    mutating func apply(_ fence: Fence, at epoch: Epoch) -> Applied {
        fenceEpoch = epoch
        guard let at = members.firstIndex(where: { $0.holder == fence.holder && $0.isActive }) else {
            return .refused("\(fence.holder) is not active")
        }
        members[at].standing = .fenced(fence.basis, epoch)
        members[at].outSince = time
        members[at].outBecause = fence.reason
        var events = [
            ClusterEvent(
                .nodeFenced, fence.holder.name, "\(fence.holder) is out: \(fence.sentence)",
                epoch: epoch)
        ]
        // Whoever waited for its release now waits for the fence instead.
        for index in grants.indices where grants[index].waits(for: fence.holder) {
            grants[index].conditions.removeAll { $0.isRelease(by: fence.holder) }
            grants[index].conditions.append(.inEffect(epoch.index))
        }
        let lost = grants.filter { $0.holder == fence.holder }
        grants.removeAll { $0.holder == fence.holder }
        for grant in lost {
            let successor = fence.grants.first { $0.address == grant.address && !grant.revoked }?.to
            if let successor, unfitness(of: successor) == nil {
                let pending = grant.conditions.filter(\.isRelease)
                insert(
                    Grant(
                        address: grant.address, holder: successor, epoch: epoch,
                        conditions: pending + [.inEffect(epoch.index)],
                        reason: "takeover from \(fence.holder.name): \(fence.sentence)"))
                events.append(
                    ClusterEvent(
                        .takeover, seat(at: grant.address)?.name ?? grant.address,
                        "\(grant.address) goes from \(fence.holder.name) to \(successor.name)", epoch: epoch))
            } else {
                keepWaiting(for: grant)
                if let at = seats.firstIndex(where: { $0.address == grant.address }) {
                    let seat = seats[at]
                    seats[at].isLost = fence.basis.isAutomatic
                    events.append(
                        ClusterEvent(
                            .seatUncovered, seat.name, "\(fence.holder.name) is out and no spare took over",
                            epoch: epoch))
                }
            }
        }
        if fence.basis.isAutomatic, !fence.grants.isEmpty { takeovers.append(time) }
        events += settleDrain(without: fence.holder, at: epoch)
        return Applied(events: events)
    }

    /// A dropped grant that waited for others' releases leaves all of them on record until each let go: the first as one
    /// who must, the others as those who are waited for after it. Who is fenced is waited for by the fence.
    private mutating func keepWaiting(for grant: Grant) {
        let awaited = grant.conditions.filter { condition in
            if case .released(let by, _) = condition { isActive(by) } else { false }
        }
        guard case .released(let by, let epoch)? = awaited.first else { return }
        insert(
            Grant(
                address: grant.address, holder: by, epoch: epoch, conditions: Array(awaited.dropFirst()),
                revoked: true, reason: "must let go"))
    }

    mutating func give(
        _ address: String, to: Holder, reason: String, isAutomatic: Bool, at epoch: Epoch
    ) -> Applied {
        guard self.address(address) != nil else { return .refused("no address \(address)") }
        if let grant = grant(of: address) {
            return .refused("\(address) is granted to \(grant.holder) since \(grant.epoch)")
        }
        if let unfitness = unfitness(of: to) { return .refused(unfitness) }
        if let at = seats.firstIndex(where: { $0.address == address && $0.isLost }) {
            seats[at].isLost = false
            if isAutomatic { takeovers.append(time) }
        }
        insert(
            Grant(
                address: address, holder: to, epoch: epoch, conditions: [.inEffect(epoch.index)],
                reason: reason))
        return .done(
            ClusterEvent(
                .seatGranted, seat(at: address)?.name ?? address, "\(address) goes to \(to.name): \(reason)",
                epoch: epoch))
    }

    mutating func apply(_ move: Move, at epoch: Epoch) -> Applied {
        guard let at = grants.firstIndex(where: { $0.address == move.address }),
            grants[at].holder == move.from, !grants[at].revoked
        else { return .refused("\(move.from) does not hold \(move.address)") }
        if let unfitness = unfitness(of: move.to) { return .refused(unfitness) }
        guard move.to != move.from else { return .refused("\(move.to.name) has it already") }
        let old = grants[at]
        grants[at] = Grant(
            address: move.address, holder: move.to, epoch: epoch,
            conditions: old.conditions + [.released(by: move.from, epoch: old.epoch)], reason: move.reason)
        grants[at].isAutomatic = move.isAutomatic
        if move.isAutomatic == true { takeovers.append(time) }
        let moving = ClusterEvent(
            .seatMoving, seat(at: move.address)?.name ?? move.address,
            "\(move.address) moves from \(move.from.name) to \(move.to.name): \(move.reason)", epoch: epoch)
        return Applied(events: [moving] + followDrain(move, at: epoch))
    }

    mutating func revoke(_ address: String, from: Holder, reason: String, at epoch: Epoch) -> Applied {
        guard let at = grants.firstIndex(where: { $0.address == address }), grants[at].holder == from,
            !grants[at].revoked
        else { return .refused("\(from) does not hold \(address)") }
        grants[at].revoked = true
        grants[at].reason = reason
        guard let seat = seat(at: address) else { return .done() }
        return .done(
            ClusterEvent(.seatUncovered, seat.name, "\(from.name) lets go of it: \(reason)", epoch: epoch))
    }

    mutating func apply(_ notice: ReleaseNotice) -> Applied {
        var changed = false
        if let at = grants.firstIndex(where: { $0.address == notice.address }) {
            if grants[at].revoked, grants[at].holder == notice.holder, grants[at].epoch == notice.epoch {
                let pending = grants[at]
                grants.remove(at: at)
                keepWaiting(for: pending)
                changed = true
            } else if grants[at].conditions.contains(.released(by: notice.holder, epoch: notice.epoch)) {
                grants[at].conditions.removeAll { $0 == .released(by: notice.holder, epoch: notice.epoch) }
                changed = true
            }
        }
        return changed ? .done() : .refused("nobody waits for \(notice.holder) to release \(notice.address)")
    }

    mutating func insert(_ grant: Grant) {
        grants.append(grant)
        grants.sort { $0.address < $1.address }
    }
}

extension Grant {
    func waits(for holder: Holder) -> Bool { conditions.contains { $0.isRelease(by: holder) } }
}

extension Grant.Condition {
    var isRelease: Bool {
        if case .released = self { true } else { false }
    }
    func isRelease(by holder: Holder) -> Bool {
        if case .released(let by, _) = self { by == holder } else { false }
    }
}

extension Fence.Basis {
    /// Found out, not told: what anti-flap counts.
    package var isAutomatic: Bool { self == .silence || self == .lapse }

    /// Why, for people.
    package var sentence: String {
        switch self {
        case .silence: "nothing was heard from it"
        case .lapse: "it is alive but without a lease"
        case .reborn: "its service started anew"
        case .left: "it stopped on purpose"
        }
    }
}
