import Cluster
import Consensus
import EventSocket
import NIOCore
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
        report.registrations = UInt32(clamping: registrations.count)
        report.capacity = capacity
        report.isRefusing = drains?.isRefusing ?? false
        report.arePhonesTold = drains?.arePhonesTold ?? false
        countRecoverable(calls)
        report.addresses = calls.heldAddresses.map { address in
            SwitchReport.AddressLoad(
                address: address, calls: UInt32(clamping: calls.callCount(on: address, of: counts)),
                recoverable: UInt32(clamping: recoverable.counts[address] ?? 0),
                registrations: UInt32(clamping: registrations.count(at: address)),
                isAnswering: probe?.isAnswering(address) ?? false)
        }
        return report
    }

    /// What keeps calls from being revived here unharmed, for whoever chooses among slaves.
    var mediaBlockers: [String] { mediaProblems.filter(\.isBlocking).map(\.description) }

    /// Looking at every call is not for every report.
    private func countRecoverable(_ calls: CallSharing) {
        let now = BootClock.now()
        guard now - recoverable.at >= .seconds(2) else { return }
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
        probe?.watch(targets)
    }
}
