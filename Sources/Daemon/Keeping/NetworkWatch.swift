import Cluster
import Consensus
import Keeper

/// The networks of all service addresses as this machine sees them: the kernel's word, and whether others are heard there.
///
/// Used on the heart's thread only.
final class NetworkWatch {
    /// So long a network may be without a heartbeat of others.
    private static let silence: Duration = .seconds(2)
    /// After the start everybody has this long to be heard.
    private static let grace: Duration = .seconds(5)

    private struct Network {
        var address: ServiceAddress
        var heardAt: Instant?
        var settling = SettlingCondition()
    }

    private let watch: LinkWatch
    private let startedAt: Instant
    private var networks: [Network]
    private var told: [NetworkSight] = []

    /// Nil when the kernel does not tell; the log says so.
    init?(_ addresses: [ServiceAddress], at now: Instant, log: EventLog) {
        let known = addresses.compactMap(KeeperAddress.init)
        guard known.count == addresses.count else { return nil }
        do throws(SystemFailure) {
            watch = try LinkWatch(addresses: known)
        } catch {
            log.warning("network", "watch", "interfaces cannot be watched: \(error.text)")
            return nil
        }
        networks = addresses.map { Network(address: $0) }
        startedAt = now
    }

    var descriptor: Int32 { watch.descriptor }

    /// A heartbeat of another node came from there.
    func heard(from ip: IPAddress, at now: Instant) {
        for at in networks.indices {
            let address = networks[at].address
            if ip.isInNetwork(of: address.ip, prefixLength: address.prefixLength) {
                networks[at].heardAt = now
            }
        }
    }

    /// Whether something is missing that may be back in a moment: `news` is to be asked soon.
    var isSettling: Bool { networks.contains(where: \.settling.isDoubtful) }

    /// What the kernel announced is read.
    func read() { _ = watch.read() }

    /// What is new; nil when nothing is.
    ///
    /// - Parameter locals: from where this node sends heartbeats now.
    func news(_ locals: [IPAddress], at now: Instant) -> [NetworkSight]? {
        let sights = zip(networks.indices, watch.states).map { at, state in
            let condition: NetworkSight.Condition =
                switch state.condition {
                case .well: .well
                case .noInterface: .noInterface
                case .noCarrier(let interface): .noCarrier(interface: interface)
                case .noRoute(let interface): .noRoute(interface: interface)
                }
            return NetworkSight(
                address: networks[at].address.name,
                condition: networks[at].settling.settle(condition, at: now), hardware: state.hardware,
                company: company(networks[at], locals, at: now))
        }
        guard sights != told else { return nil }
        told = sights
        return sights
    }

    private func company(_ network: Network, _ locals: [IPAddress], at now: Instant) -> NetworkSight.Company {
        let address = network.address
        let isSpokenIn = locals.contains {
            $0.isInNetwork(of: address.ip, prefixLength: address.prefixLength)
        }
        guard isSpokenIn, now - startedAt >= Self.grace else { return .unknown }
        return network.heardAt.map { now - $0 < Self.silence } ?? false ? .heard : .missing
    }
}

/// What counts of a network's condition: a renewed lease or `netplan apply` takes the machine's own address off and puts
/// it back some milliseconds later, so that its loss, and that of its route, must last. A cable that is out is out.
struct SettlingCondition {
    static let span: Duration = .milliseconds(60)

    private var counts: NetworkSight.Condition?
    private var doubtedSince: Instant?

    var isDoubtful: Bool { doubtedSince != nil }

    mutating func settle(_ seen: NetworkSight.Condition, at now: Instant) -> NetworkSight.Condition {
        var lasts = true
        switch seen {
        case .well, .noCarrier: doubtedSince = nil
        case .noInterface, .noRoute:
            let since = doubtedSince ?? now
            doubtedSince = since
            lasts = now - since >= Self.span
        }
        // At the start nothing better is known.
        let settled = lasts ? seen : counts ?? seen
        counts = settled
        return settled
    }
}
