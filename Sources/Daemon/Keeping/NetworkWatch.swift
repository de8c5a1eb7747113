import Cluster
import Keeper
import KeeperProtocol
import Primitives

/// The networks of all service addresses as this machine sees them: the kernel's word, and whether others are heard there.
///
/// Used on the heart's thread only.
final class NetworkWatch {
    /// After the start everybody has this long to be heard.
    private static let grace: Duration = .seconds(5)

    private struct Network {
        var address: ServiceAddress
        var voices = NetworkVoices()
        var settling = SettlingCondition()
    }

    private let watch: LinkWatch
    private let startedAt: Instant
    private let interval: Duration
    private var networks: [Network]
    private var told: [NetworkSight] = []

    /// Nil when the kernel does not tell; the log says so.
    ///
    /// - Parameter interval: of heartbeats.
    init?(_ addresses: [ServiceAddress], interval: Duration, at now: Instant, log: EventLog) {
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
        self.interval = interval
    }

    var descriptor: Int32 { watch.descriptor }

    /// A heartbeat of another node came from there.
    func heard(from ip: IPAddress, at now: Instant) {
        let interface = interface(towards: ip)
        for at in networks.indices where shares(networks[at].address, watch.states[at], ip, interface) {
            networks[at].voices.heard(at: now, interval: interval)
        }
    }

    private func interface(towards ip: IPAddress) -> Int32? {
        let family: KeeperAddress.Family = ip.family == .v4 ? .v4 : .v6
        return KeeperAddress(family: family, bytes: ip.bytes, prefixLength: UInt8(8 * family.length))
            .flatMap { watch.interface(towards: $0) }
    }

    /// Whether an address and a host are reached by the same wire: in one network, or in two on one interface (an IPv6 service
    /// address where heartbeats go by IPv4).
    private func shares(
        _ address: ServiceAddress, _ state: LinkWatch.State, _ ip: IPAddress, _ interface: Int32?
    ) -> Bool {
        if let interface, let own = state.interface { return interface == own }
        return ip.isInNetwork(of: address.ip, prefixLength: address.prefixLength)
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
                case .noGateway(let interface): .noGateway(interface: interface)
                }
            return NetworkSight(
                address: networks[at].address.name,
                condition: networks[at].settling.settle(condition, at: now), hardware: state.hardware,
                company: company(networks[at], state, locals, at: now))
        }
        guard sights != told else { return nil }
        told = sights
        return sights
    }

    private func company(
        _ network: Network, _ state: LinkWatch.State, _ locals: [IPAddress], at now: Instant
    ) -> NetworkSight.Company {
        let isSpokenIn = locals.contains { shares(network.address, state, $0, interface(towards: $0)) }
        guard isSpokenIn else { return .unknown }
        let company = network.voices.company(at: now, interval: interval)
        // Who was heard and is heard no more is missed from the first second on.
        return !network.voices.hasBegun && now - startedAt < Self.grace ? .unknown : company
    }
}

/// Whether others are heard in a network: heartbeats come all the time, so that their absence is known long before callers
/// could be said to be served by nobody.
struct NetworkVoices {
    /// So long a network may be without a heartbeat of others.
    static let silence: Duration = .seconds(2)
    /// After a pause, what was asked meanwhile and not answered is asked again within this time.
    static let calm: Duration = .seconds(3)

    private var heardAt: Instant?
    private var pausedAt: Instant?

    /// A pause that no loss of some packets explains.
    private func pause(_ interval: Duration) -> Duration { max(.milliseconds(200), interval * 8) }

    /// Whether anybody was ever heard there.
    var hasBegun: Bool { heardAt != nil }

    mutating func heard(at now: Instant, interval: Duration) {
        if let heardAt, now - heardAt > pause(interval) { pausedAt = now }
        heardAt = now
    }

    func company(at now: Instant, interval: Duration) -> NetworkSight.Company {
        guard let heardAt, now - heardAt < max(Self.silence, interval * 16) else { return .missing }
        if now - heardAt > pause(interval) { return .quiet }
        return pausedAt.map { now - $0 < Self.calm } ?? false ? .quiet : .heard
    }
}

/// What counts of a network's condition: a renewed lease or `netplan apply` takes the machine's own address off and puts
/// it back some milliseconds later, so that its loss, and that of its routes, must last. A cable that is out is out.
struct SettlingCondition {
    static let span: Duration = .milliseconds(60)

    private var counts: NetworkSight.Condition?
    private var doubtedSince: Instant?

    var isDoubtful: Bool { doubtedSince != nil }

    mutating func settle(_ seen: NetworkSight.Condition, at now: Instant) -> NetworkSight.Condition {
        var lasts = true
        switch seen {
        case .well, .noCarrier: doubtedSince = nil
        case .noInterface, .noRoute, .noGateway:
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
