import Config
@preconcurrency import Glibc
import Primitives

/// One heartbeat network of this node: where its datagrams leave and arrive, opened again whenever it breaks.
final class HeartbeatPort {
    /// What is wanted; the same for the life of the service.
    struct Plan: Hashable, Sendable {
        /// Of the network in the cluster file, or `unicast`.
        var name: String
        /// The interface is the one with an address in this network; nil takes `own` as it is.
        var network: HeartbeatNetwork?
        /// This node's address, where the file tells it.
        var own: IPAddress?
        var port: UInt16
        /// Nodes reached one by one, sorted.
        var peers: [Endpoint]
        /// Addresses that come and go with seats and are never spoken from.
        var avoided: [IPAddress]
    }

    private struct Open {
        var local: IPAddress
        var interface: UInt32
        /// Bound to the own address: sends everything, receives unicast.
        var own: DatagramSocket
        /// Bound to the group: receives multicast.
        var group: DatagramSocket?
    }

    private static let firstBackOff: Duration = .milliseconds(200)
    private static let longestBackOff: Duration = .seconds(2)

    let plan: Plan
    private let filter: DatagramFilter?
    private var open: Open? {
        didSet {
            descriptors = open.map { [$0.own.descriptor] + ($0.group.map { [$0.descriptor] } ?? []) } ?? []
            isLooping = true
        }
    }
    private var backOff = firstBackOff
    private var nextAttempt = Instant.zero
    /// Why the port is closed, or what the last sending met; nil when all is well.
    private(set) var trouble: String?
    /// The own address, when it could not be bound because another process has it.
    private(set) var taken: Endpoint?

    /// - Parameter filter: what the kernel drops of what arrives.
    init(plan: Plan, filter: DatagramFilter? = nil) {
        self.plan = plan
        self.filter = filter
    }

    /// Whether the kernel drops what is not of this cluster.
    var isFiltered: Bool { open?.own.isFiltered ?? false }

    /// Where this node speaks from now; nil while closed.
    var local: Endpoint? { open.map { Endpoint(ip: $0.local, port: plan.port) } }

    /// Whether what is sent from here arrives there, as far as the cluster file tells.
    func reaches(_ ip: IPAddress) -> Bool {
        guard let network = plan.network else { return local?.ip.family == ip.family }
        return ip.isInNetwork(of: network.subnet, prefixLength: network.prefixLength)
    }

    /// Whether a node that speaks there is to be heard by this port.
    func expects(_ remote: Endpoint) -> Bool {
        if plan.peers.contains(remote) { return true }
        return plan.network?.group != nil && reaches(remote.ip)
    }

    private(set) var descriptors: [Int32] = []
    /// What comes in by it was sent to the group.
    var groupDescriptor: Int32? { open?.group?.descriptor }
    private var isLooping = true

    /// Whether other nodes of this machine are to hear what goes to the group. Without it a node is not woken by each
    /// heartbeat of its own.
    func loop(_ isWanted: Bool) {
        guard isWanted != isLooping, let open, let group = plan.network?.group else { return }
        do throws(DatagramSocket.Failure) {
            try open.own.loop(isWanted, group.family)
            isLooping = isWanted
        } catch {
            trouble = error.description
        }
    }

    /// Opens what is closed, and closes what lost its interface; to be called about every second.
    ///
    /// - Parameter interfaces: nil when the system does not say: then everything stays as it is.
    func tend(_ interfaces: [InterfaceAddress]?, at now: Instant) {
        guard let interfaces else {
            if open == nil { trouble = "the interfaces of this machine cannot be listed now" }
            return
        }
        if let open, open.interface != 0,
            !interfaces.contains(where: { $0.ip == open.local && $0.index == open.interface })
        {
            close("address \(open.local) is gone from its interface", at: now)
            nextAttempt = now
        }
        guard open == nil, now >= nextAttempt else { return }
        do throws(DatagramSocket.Failure) {
            guard let place = place(among: interfaces) else {
                postpone(noPlace, at: now)
                return
            }
            open = try opened(at: place)
            backOff = Self.firstBackOff
            trouble = nil
            taken = nil
        } catch {
            if error.code == EADDRINUSE { taken = place(among: interfaces).map(endpoint) }
            postpone(error.description, at: now)
        }
    }

    private var noPlace: String {
        guard let network = plan.network else { return "this node's own address is not known" }
        return "no interface has an address in \(network.subnet)/\(network.prefixLength)"
    }

    private func place(among interfaces: [InterfaceAddress]) -> (ip: IPAddress, interface: UInt32)? {
        guard let network = plan.network else {
            if let own = plan.own { return (own, 0) }
            let found = interfaces.first { address in plan.peers.contains { $0.ip == address.ip } }
            return found.map { ($0.ip, $0.index) }
        }
        let fitting = interfaces.filter {
            $0.isUp && $0.ip.isInNetwork(of: network.subnet, prefixLength: network.prefixLength)
                && !plan.avoided.contains($0.ip)
        }
        let chosen = fitting.first { $0.ip == plan.own } ?? fitting.first
        return chosen.map { ($0.ip, $0.index) }
    }

    private func endpoint(_ place: (ip: IPAddress, interface: UInt32)) -> Endpoint {
        Endpoint(ip: place.ip, port: plan.port)
    }

    private func opened(
        at place: (ip: IPAddress, interface: UInt32)
    ) throws(DatagramSocket.Failure) -> Open {
        let group = plan.network?.group.map {
            DatagramSocket.Group(address: $0, interface: place.interface, local: place.ip)
        }
        let own = try DatagramSocket(
            boundTo: endpoint(place), group: group, scope: place.interface, filter: filter)
        var receiver: DatagramSocket?
        if let group {
            receiver = try DatagramSocket(
                boundTo: Endpoint(ip: group.address, port: plan.port), group: group,
                scope: place.interface, filter: filter)
        }
        return Open(local: place.ip, interface: place.interface, own: own, group: receiver)
    }

    private func postpone(_ reason: String, at now: Instant) {
        trouble = reason
        nextAttempt = now + backOff
        backOff = min(backOff * 2, Self.longestBackOff)
    }

    private func close(_ reason: String, at now: Instant) {
        open = nil
        postpone(reason, at: now)
    }

    /// To one peer besides; what fails shows as its silence.
    func send(_ datagram: [UInt8], to peer: Endpoint) {
        guard let open, peer.ip != open.local else { return }
        _ = open.own.send(datagram, to: peer, scope: open.interface)
    }

    /// To the group and to every listed peer; what fails on one way is remembered and stops no other.
    func send(_ datagram: [UInt8], at now: Instant) {
        guard let open else { return }
        var failure: Int32 = 0
        if let group = plan.network?.group {
            let code = open.own.send(
                datagram, to: Endpoint(ip: group, port: plan.port), scope: open.interface)
            if code != 0 { failure = code }
        }
        for peer in plan.peers where peer.ip != open.local {
            let code = open.own.send(datagram, to: peer, scope: open.interface)
            // Said by the last datagram's ICMP answer: nobody listens there now, which is no fault here.
            if code != 0, code != ECONNREFUSED { failure = code }
        }
        if failure == 0 {
            trouble = nil
        } else if [ENODEV, EADDRNOTAVAIL, EINVAL, EBADF].contains(failure) {
            close("sending failed: \(errorText(failure))", at: now)
        } else {
            trouble = "sending failed: \(errorText(failure))"
        }
    }
}

extension HeartbeatPort.Plan {
    /// One for each network of the file, and one for peers that are in none of them.
    static func all(of file: ClusterFile, node: String) -> [HeartbeatPort.Plan] {
        let own = file.nodeBindings.first { $0.node == node }?.address
        let avoided = file.settings.addresses.map(\.ip)
        var rest = file.peers
        var plans: [HeartbeatPort.Plan] = []
        for network in file.networks {
            let isInside = { (ip: IPAddress) in
                ip.isInNetwork(of: network.subnet, prefixLength: network.prefixLength)
            }
            plans.append(
                HeartbeatPort.Plan(
                    name: network.name, network: network, own: own.flatMap { isInside($0) ? $0 : nil },
                    port: network.port, peers: rest.filter { isInside($0.ip) }, avoided: avoided))
            rest.removeAll { isInside($0.ip) }
        }
        if let first = rest.first {
            let port = rest.first { $0.ip == own }?.port ?? first.port
            plans.append(
                HeartbeatPort.Plan(
                    name: "unicast", network: nil, own: own, port: port, peers: rest, avoided: avoided))
        }
        return plans
    }
}
