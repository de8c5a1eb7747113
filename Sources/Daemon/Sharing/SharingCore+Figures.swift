import Cluster
import EventSocket
import NIOCore
import NIOPosix
import Primitives
import Switch

// What the node is told of its switch, and others by its heartbeats.

extension SharingCore {
    /// All of it but the health.
    func figures() -> SwitchReport {
        var report = SwitchReport(health: .unknown)
        guard let calls, let registrations else { return report }
        let counts = calls.counts
        report.calls = UInt32(clamping: counts.calls)
        report.channels = UInt32(clamping: counts.legs)
        report.registrations = UInt32(clamping: registrations.sync.count)
        report.capacity = sessionLoad?.limit ?? 0
        report.isRefusing = drains?.isRefusing ?? false
        report.arePhonesTold = drains?.arePhonesTold ?? false
        countRecoverable(calls, of: counts)
        report.blockers = blockers(calls)
        report.sights = outside.sights
        report.parted = calls.parted
        report.isPausedByOrder = isPausedByOrder
        report.reviving = calls.calls.heldAddresses.filter { calls.isReviving($0) }
        report.addresses = reported(calls, of: counts).map { address in
            SwitchReport.AddressLoad(
                address: address, calls: UInt32(clamping: calls.calls.callCount(on: address, of: counts)),
                recoverable: UInt32(clamping: recoverable.counts[address] ?? 0),
                registrations: UInt32(clamping: registrations.sync.count(at: address)),
                isAnswering: service?.probe.isAnswering(address) ?? false)
        }
        return report
    }

    /// Addresses held here, and those that nobody holds and of which the switch still has calls: the leader gives them back.
    private func reported(_ calls: CallHandler, of counts: CallCounts) -> [String] {
        let held = calls.calls.heldAddresses
        let orphaned = survey.placements.filter { placement in
            placement.holder == nil && !held.contains(placement.address.name)
                && calls.calls.callCount(on: placement.address.name, of: counts) > 0
        }
        return (held + orphaned.map(\.address.name)).sorted()
    }

    /// What keeps this switch from serving callers at an address that is here or may come here, or from bringing their
    /// calls back.
    private func blockers(_ calls: CallHandler) -> [Blocker] {
        guard runtime != nil else { return [] }
        // Whatever else is missing now is so because of that.
        if isStopping, let pauseTrouble { return [Blocker(.unanswered, nil, pauseTrouble)] }
        var blockers: [Blocker] = []
        if let pauseTrouble { blockers.append(Blocker(.unanswered, nil, pauseTrouble)) }
        if let limitTrouble { blockers.append(Blocker(.limits, nil, limitTrouble)) }
        if let shortage = limits.shortage { blockers.append(shortage) }
        if let databaseProblem { blockers.append(Blocker(.database, nil, databaseProblem)) }
        if let databaseRoom { blockers.append(Blocker(.room, nil, databaseRoom)) }
        blockers += sessionTroubles.map { Blocker(.room, nil, $0) }
        blockers += settings?.blockers ?? []
        let now = Instant.now()
        for placement in survey.placements {
            let name = placement.address.name
            if !areProfilesKnown {
                // The switch is not reached: that is said alone, not what its profiles were before.
            } else if !profiles.contains(where: { $0.name == name && $0.isRunning }) {
                blockers.append(Blocker(.profile, name, "FreeSWITCH does not run profile \(name)"))
            } else if placement.isHere, let trouble = service?.trouble(name) {
                blockers.append(Blocker(.unanswered, name, trouble))
            }
            if let problem = calls.calls.databaseProblem(name) {
                blockers.append(Blocker(.waiting, name, "calls of \(name) wait to be revived: \(problem)"))
            }
            if let since = outOfStep(placement, at: now), now - since >= Self.stepPatience {
                blockers.append(
                    Blocker(
                        .replica, name,
                        "its copy of the calls of \(name) is not in step with \(holder(placement)); do large packets "
                            + "pass (MTU)?"))
            }
        }
        return blockers
    }

    private func holder(_ placement: Placement) -> String { placement.holder?.name ?? "its writer" }

    /// Since when the copy of an address that is elsewhere is not complete, comes from nobody, or may lack what its writer wrote
    /// since: small messages may pass where large ones do not.
    private func outOfStep(_ placement: Placement, at now: Instant) -> Instant? {
        let name = placement.address.name
        let status = replica.status(of: .address(name))
        let isOwned = status?.isOwned ?? false
        let isInStep = status.map { $0.isComplete && $0.source != nil } ?? false
        let isConfirmed = status?.confirmedAt.map { now - $0 < Self.stepPatience } ?? false
        guard !isOwned, !isInStep || !isConfirmed, !placement.isHere, let holder = placement.holder,
            holder.name != me.name, survey.heard.contains(holder.name)
        else {
            outOfStep[name] = nil
            return nil
        }
        let since = isInStep ? status?.confirmedAt ?? now : now
        if outOfStep[name] == nil { outOfStep[name] = since }
        return outOfStep[name]
    }

    private static let fewCalls = 200
    private static let stepPatience: Duration = .seconds(4)

    /// Looking at every one of many calls is not for every report; of few the figure is as new as that of the calls.
    private func countRecoverable(_ calls: CallHandler, of counts: CallCounts) {
        let now = Instant.now()
        guard counts.calls <= Self.fewCalls || now - recoverable.at >= .seconds(2) else { return }
        recoverable = ([:], now)
        for placement in survey.placements where placement.isHere {
            recoverable.counts[placement.address.name] = calls.recoverableCount(on: placement)
        }
    }

    /// Addresses held here are asked by SIP whether they answer, at the port their profile has.
    func watchAddresses() {
        let held = survey.placements.filter(\.isHere)
        watched = held.map(\.address.name)
        var targets: [String: SocketAddress] = [:]
        for address in held.map(\.address) where runtime != nil {
            guard let profile = profiles.first(where: { $0.name == address.name && $0.isRunning }) else {
                continue
            }
            targets[address.name] = try? SocketAddress(ipAddress: "\(address.ip)", port: Int(profile.port))
        }
        service?.watch(targets)
    }

    var serviceAccess: ProfileService.Access {
        ProfileService.Access(
            release: { [weak self] in self?.calls?.release($0) ?? false },
            isReviving: { [weak self] in self?.calls?.isReviving($0) ?? false },
            isDrained: { [weak self] address in
                self?.survey.duty.map { $0.refusesCalls && $0.address == address } ?? false
            },
            changed: { [weak self] in self?.watch?.serviceChanged() },
            trouble: { [weak self] in self?.trouble($0) })
    }
}
