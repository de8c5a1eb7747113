import Cluster
import Keeper
import KeeperProtocol
import NIOCore
import Switch

/// What this node sees of addresses that others hold: whether their profiles answer SIP over the network, and behind which
/// hardware address.
final class OutsideView {
    private static let lookupInterval: TimeAmount = .seconds(1)
    private let probe: OptionsProbe
    private let loop: any EventLoop
    private let lookup: NeighbourLookup?
    private let isAsking: Bool
    private(set) var asks: [Ask] = []
    private var stations: [String: UInt64] = [:]
    private var timer: Scheduled<Void>?
    private var isStopped = false
    /// Something is seen that was not.
    var changed: (() -> Void)?

    init(loop: any EventLoop, asking: Sharing.Asking, log: EventLog) {
        self.loop = loop
        probe = OptionsProbe(loop: loop, interval: asking.interval, patience: asking.patience, log: log)
        isAsking = asking.watchesNetwork
        lookup = asking.watchesNetwork ? try? NeighbourLookup() : nil
        probe.changed = { [weak self] _ in self?.changed?() }
    }

    /// Exactly these are asked from now on, at the ports their profiles have here.
    func ask(_ wanted: [Ask], _ profiles: [SofiaProfile]) {
        let asks = isAsking ? wanted : []
        var targets: [String: SocketAddress] = [:]
        for ask in asks {
            guard let profile = profiles.first(where: { $0.name == ask.address.name }) else { continue }
            targets[ask.address.name] = try? SocketAddress(
                ipAddress: "\(ask.address.ip)", port: Int(profile.port))
        }
        let before = self.asks
        self.asks = asks
        probe.watch(targets)
        for ask in asks where before.first(where: { $0.address == ask.address })?.epoch != ask.epoch {
            probe.startOver(ask.address.name)
            stations[ask.address.name] = nil
        }
        if timer == nil, !asks.isEmpty { lookAround() }
    }

    var sights: [Sight] {
        asks.compactMap { ask in
            let name = ask.address.name
            let verdict: Sight.Verdict
            switch probe.condition(name) {
            case .unknown: return nil
            case .answering: verdict = .served
            case .silent: verdict = .silent
            case .refusing(_, _, let isLasting):
                // A profile may refuse for a moment, until it is let on.
                guard isLasting else { return nil }
                verdict = .refused
            }
            return Sight(address: name, epoch: ask.epoch, verdict: verdict, station: stations[name])
        }
    }

    /// Who answers for them, as the kernel found out while they were asked.
    private func lookAround() {
        timer = nil
        guard !isStopped, !asks.isEmpty else { return }
        if let lookup {
            let addresses = asks.compactMap { ask in KeeperAddress(ask.address).map { (ask.address.name, $0) }
            }
            let found = lookup.hardware(of: addresses.map(\.1))
            var fresh: [String: UInt64] = [:]
            for (name, address) in addresses { fresh[name] = found[address] }
            if fresh != stations {
                stations = fresh
                changed?()
            }
        }
        timer = loop.assumeIsolated().scheduleTask(in: Self.lookupInterval) { [weak self] in
            self?.lookAround()
        }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
        probe.stop()
    }
}
