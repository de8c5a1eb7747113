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

    /// What the kernel announced is read.
    func read() { _ = watch.read() }

    /// What is new; nil when nothing is.
    ///
    /// - Parameter locals: from where this node sends heartbeats now.
    func news(_ locals: [IPAddress], at now: Instant) -> [NetworkSight]? {
        let sights = zip(networks, watch.states).map { network, state in
            let condition: NetworkSight.Condition =
                switch state.condition {
                case .well: .well
                case .noInterface: .noInterface
                case .noCarrier(let interface): .noCarrier(interface: interface)
                case .noRoute(let interface): .noRoute(interface: interface)
                }
            return NetworkSight(
                address: network.address.name, condition: condition, hardware: state.hardware,
                company: company(network, locals, at: now))
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
