import Consensus
import Primitives

/// What the kernel says about one service address's network on this machine.
package struct NetworkSight: Hashable, Sendable {
    package enum Condition: Hashable, Sendable {
        case well
        /// No interface has an address of its own in a network with it.
        case noInterface
        /// The interface is down, or has no carrier.
        case noCarrier(interface: String)
        /// The route into the network is gone, although the interface is up.
        case noRoute(interface: String)
        /// The route to everybody outside that network is gone.
        case noGateway(interface: String)
    }
    /// Whether other nodes are heard there.
    package enum Company: Hashable, Sendable {
        /// No heartbeats are expected in that network.
        case unknown
        case heard
        /// Nobody is heard at this moment, or nobody was a moment ago: silence there may be this node's own, or the network's.
        case quiet
        case missing
    }
    package var address: String
    package var condition: Condition
    /// Hardware address of the interface.
    package var hardware: UInt64?
    package var company: Company

    package init(
        address: String, condition: Condition = .well, hardware: UInt64? = nil, company: Company = .unknown
    ) {
        self.address = address
        self.condition = condition
        self.hardware = hardware
        self.company = company
    }
}

/// The networks of all service addresses on this machine, with what time makes of them.
struct NetworkView: Hashable, Sendable {
    /// A route is missed for a moment whenever somebody configures an interface anew.
    static let routePatience: Duration = .milliseconds(50)
    static let gatewayPatience: Duration = .seconds(2)
    static let shortestCalm: Duration = .seconds(2)
    static let longestCalm: Duration = .seconds(60)

    fileprivate struct Entry: Hashable {
        var sight: NetworkSight
        /// Of the condition.
        var since: Instant
        /// Until then it counts as unsettled.
        var settledAt: Instant?
        /// How long it must be well before it counts as settled.
        var calm = NetworkView.shortestCalm
    }

    private var entries: [Entry] = []

    subscript(_ address: String) -> NetworkSight? {
        entries.first { $0.sight.address == address }?.sight
    }

    /// - Returns: whether anything is different.
    mutating func seen(_ sights: [NetworkSight], at now: Instant) -> Bool {
        var changed = false
        var fresh: [Entry] = []
        for sight in sights.prefix(ClusterLimits.addresses) {
            guard var entry = entries.first(where: { $0.sight.address == sight.address }) else {
                fresh.append(Entry(sight: sight, since: now))
                changed = true
                continue
            }
            if entry.sight.condition != sight.condition {
                entry.turn(to: sight.condition, at: now)
                changed = true
            }
            if entry.sight != sight { changed = true }
            entry.sight = sight
            fresh.append(entry)
        }
        entries = fresh.sorted { $0.sight.address < $1.sight.address }
        return changed
    }

    func blockers(at now: Instant) -> [Blocker] {
        entries.compactMap { entry in
            let address = entry.sight.address
            switch entry.sight.condition {
            case .noInterface:
                return Blocker(
                    .interface, address, "no interface has an address in the network of \(address)")
            case .noCarrier(let interface):
                return Blocker(.link, address, "\(interface) has no carrier")
            case .noRoute(let interface):
                guard now - entry.since >= Self.routePatience else { return nil }
                return Blocker(
                    .link, address, "the route to the network of \(address) on \(interface) is gone")
            case .noGateway(let interface):
                // At once for who is to be chosen, later for who holds it: a DHCP client may put it back, and all may lose it.
                let lasts = now - entry.since >= Self.gatewayPatience
                return Blocker(
                    lasts ? .gateway : .unsettled, address, "the default route by \(interface) is gone")
            case .well: break
            }
            if entry.sight.company == .missing {
                return Blocker(.alone, address, "no other node is heard in the network of \(address)")
            }
            guard let settledAt = entry.settledAt, now < settledAt else { return nil }
            return Blocker(.unsettled, address, "the network of \(address) came back a moment ago")
        }
    }
}

extension NetworkView.Entry {
    /// A link that comes and goes is trusted later each time.
    fileprivate mutating func turn(to condition: NetworkSight.Condition, at now: Instant) {
        let lasted = now - since
        if condition == .well {
            settledAt = now + calm
        } else if sight.condition == .well {
            calm =
                lasted < NetworkView.longestCalm
                ? min(calm * 2, NetworkView.longestCalm) : NetworkView.shortestCalm
        }
        since = now
    }
}

/// What the keeper could not hold: the node does not ask for it again at once.
struct KeeperTroubles: Hashable, Sendable {
    static let patience: Duration = .seconds(1)
    static let shortestPause: Duration = .seconds(30)
    static let longestPause: Duration = .seconds(600)

    private struct Entry: Hashable {
        var address: String
        var reason: String
        var until: Instant
        var pause: Duration
    }
    private var entries: [Entry] = []

    /// The keeper has failed for `patience`.
    mutating func failed(_ address: String, _ reason: String, at now: Instant) {
        guard let at = entries.firstIndex(where: { $0.address == address }) else {
            if entries.count >= ClusterLimits.addresses { entries.removeFirst() }
            entries.append(
                Entry(
                    address: address, reason: reason, until: now + Self.shortestPause,
                    pause: Self.shortestPause))
            return
        }
        entries[at].reason = reason
        if entries[at].until <= now {
            entries[at].pause = min(entries[at].pause * 2, Self.longestPause)
        }
        entries[at].until = now + entries[at].pause
    }

    mutating func forget(_ address: String) { entries.removeAll { $0.address == address } }

    func blockers(at now: Instant) -> [Blocker] {
        entries.filter { now < $0.until }.sorted { $0.address < $1.address }.map { entry in
            Blocker(.keeper, entry.address, "the keeper cannot hold \(entry.address): \(entry.reason)")
        }
    }
}
