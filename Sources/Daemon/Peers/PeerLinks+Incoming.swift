import Cluster
import NIOCore
import NIOPosix
import Primitives

extension PeerLinks {
    func reconcile(_ endpoints: [Endpoint]) {
        for listener in state.value.listeners where !endpoints.contains(listener.endpoint) {
            listener.channel?.close(promise: nil)
        }
        state.value.listeners.removeAll { !endpoints.contains($0.endpoint) }
        for endpoint in endpoints where !state.value.listeners.contains(where: { $0.endpoint == endpoint }) {
            state.value.listeners.append((endpoint, nil))
            bind(endpoint)
        }
    }

    private func bind(_ endpoint: Endpoint) {
        let bootstrap = LinkOptions.keepingAlive(ServerBootstrap(group: loop), Self.userTimeout)
            .serverChannelOption(.backlog, value: LinkOptions.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        trust.handlers(of: .called) + [IncomingLink(links: self)])
                }
            }
        bootstrap.bind(host: "\(endpoint.ip)", port: Int(endpoint.port)).hop(to: loop).whenComplete {
            [self] (result: Result<any Channel, any Error>) in
            let place = state.value.listeners.firstIndex { $0.endpoint == endpoint }
            switch result {
            case .success(let channel):
                guard let place, !state.value.isStopped else {
                    channel.close(promise: nil)
                    return
                }
                state.value.listeners[place].channel = channel
            case .failure(let error):
                guard place != nil, !state.value.isStopped else { return }
                log.warning("peer-link", "\(endpoint)", "cannot listen: \(error)")
                loop.scheduleTask(in: Self.longestBackOff) { [self] in
                    let isWanted = state.value.listeners.contains {
                        $0.endpoint == endpoint && $0.channel == nil
                    }
                    if isWanted { bind(endpoint) }
                }
            }
        }
    }

    /// Takes in a connection that has proved nothing; the oldest such makes room. Nil when none is wanted.
    func admit(_ channel: any Channel) -> UInt64? {
        guard !state.value.isStopped else { return nil }
        let source = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        let isExpected = source.map { ip in state.value.peers.contains { $0.ways.leads(to: ip) } } ?? false
        let (id, evicted) = state.value.slots.admit(source: source, isExpected: isExpected)
        state.value.connected[id] = channel
        for id in evicted { state.value.connected.removeValue(forKey: id)?.close(promise: nil) }
        return id
    }

    func dismiss(_ id: UInt64, _ channel: any Channel) {
        state.value.slots.leave(id)
        state.value.connected[id] = nil
        state.value.incoming.removeAll { $0.channel === channel }
    }

    /// Whoever they are of has to prove anew that it is believed.
    func end(_ stale: LinkTrust.Stale) {
        // Those under way have not said who they are; what they say is held against what is believed then.
        if stale == .all { for channel in state.value.connected.values { channel.close(promise: nil) } }
        state.value.incoming.removeAll { link in
            guard stale.includes(link.member.name) else { return false }
            link.channel.close(promise: nil)
            return true
        }
        for place in state.value.peers.indices where stale.includes(state.value.peers[place].member.name) {
            cut(place)
            state.value.peers[place].dialAt = .uptimeNanoseconds(0)
            state.value.peers[place].backOff = Self.firstBackOff
        }
    }

    /// The other end knows the key and is that node; its newest link replaces an older one.
    ///
    /// - Returns: false when there is no place for it.
    func accept(_ holder: Holder, _ id: UInt64, _ channel: any Channel) -> Bool {
        guard state.value.slots.prove(id) else { return false }
        for link in state.value.incoming where link.member == holder.member {
            link.channel.close(promise: nil)
        }
        state.value.incoming.removeAll { $0.member == holder.member }
        state.value.incoming.append((holder.member, channel))
        return true
    }
}
