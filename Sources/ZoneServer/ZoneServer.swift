import DNSMessages
@preconcurrency import Glibc
import NIOCore
import NIOPosix
import Primitives
import Synchronization

/// Serves one zone by UDP and TCP on the given addresses, and keeps it in a file when told to.
package final class ZoneServer: Sendable {
    package struct Limits: Sendable {
        /// TCP connections at one time on which nothing signed came, and as many on which something did; of the former
        /// the oldest makes room.
        package var connections = 128
        /// Of these, from one address (IPv6: one /64).
        package var perSource = 16
        /// A TCP connection without a whole request for this long is closed (RFC 7766 §6.2.3).
        package var idle: Duration = .seconds(10)
        /// By UDP; beyond them a query is told to come by TCP.
        package var answers = AnswerBudget.Rates()
        package var steering = SocketSteering()

        package init() {}
    }

    private struct Running {
        var group: MultiThreadedEventLoopGroup
        var channels: [any Channel]
        var datagrams: DatagramService
        var endpoints: [Endpoint]
    }

    private let served: ServedZone
    private let listen: [Endpoint]
    private let limits: Limits
    private let running = Mutex<Running?>(nil)

    /// - Parameters:
    ///   - key: signs updates; without one they are taken from this machine only.
    ///   - listen: each is bound for UDP and TCP; port 0 takes a free one. Name addresses rather than a
    ///     wildcard, of which the kernel chooses from where a datagram is answered.
    ///   - file: rewritten after each update, before the update is answered.
    ///   - wallClock: seconds since 1970 UTC.
    package init(
        zone: Zone, key: TSIGKey?, listen: [Endpoint], file: ZoneFile? = nil, limits: Limits = Limits(),
        wallClock: @escaping @Sendable () -> UInt64 = { UInt64(max(0, time(nil))) }
    ) {
        served = ServedZone(
            zone: zone, key: key, file: file, limits: limits, wallClock: wallClock)
        self.listen = listen
        self.limits = limits
    }

    /// The zone as it is now.
    package var zone: Zone { served.zone }

    /// Binds every address, or none and throws; returns what was bound, in the order given.
    @discardableResult
    package func start() async throws -> [Endpoint] {
        precondition(running.withLock { $0 == nil }, "a zone server is started once")
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var channels: [any Channel] = []
        var ports: [DatagramPort] = []
        var endpoints: [Endpoint] = []
        let datagrams: DatagramService
        do {
            for endpoint in listen {
                let (stream, port, bound) = try await bind(endpoint, on: group)
                channels.append(stream)
                ports.append(port)
                endpoints.append(bound)
            }
            datagrams = try DatagramService(served, ports: ports, limits.answers)
            served.serve(ports)
        } catch {
            for channel in channels { try? await channel.close() }
            try? await group.shutdownGracefully()
            throw error
        }
        running.withLock { [channels, endpoints] in
            $0 = Running(
                group: group, channels: channels, datagrams: datagrams, endpoints: endpoints)
        }
        return endpoints
    }

    /// Closes every socket and ends; stopping twice does nothing.
    package func stop() async {
        guard let running = running.withLock({ $0.take() }) else { return }
        for channel in running.channels { try? await channel.close() }
        await running.datagrams.stop()
        served.serve([])
        try? await running.group.shutdownGracefully()
    }

    /// With port 0 the free TCP port may be taken for UDP, so a few are tried.
    private func bind(
        _ endpoint: Endpoint, on group: MultiThreadedEventLoopGroup
    ) async throws -> (stream: any Channel, datagrams: DatagramPort, Endpoint) {
        var attemptsLeft = endpoint.port == 0 ? 20 : 1
        while true {
            attemptsLeft -= 1
            let stream = try await streams(on: group, endpoint.ip.family).bind(
                host: endpoint.ip.description, port: Int(endpoint.port)
            ).get()
            do {
                let bound = Endpoint(
                    ip: endpoint.ip, port: UInt16(stream.localAddress?.port ?? Int(endpoint.port)))
                return (stream, try DatagramPort(at: bound, limits.steering), bound)
            } catch {
                try? await stream.close()
                if attemptsLeft == 0 { throw error }
            }
        }
    }

    /// Without it `::` takes IPv4 too, and `0.0.0.0` beside it cannot be bound.
    private static let v6Only = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)

    private func streams(
        on group: MultiThreadedEventLoopGroup, _ family: IPAddress.Family
    ) -> ServerBootstrap {
        let (served, idle) = (served, TimeAmount(limits.idle))
        let turns = NIOLoopBoundBox.makeEmptyBox(valueType: ConnectionTurns.self, eventLoop: group.next())
        let bootstrap = ServerBootstrap(group: group)
        return (family == .v6 ? bootstrap.serverChannelOption(Self.v6Only, value: 1) : bootstrap)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Of each connection, inherited: what a client that sends no more left there comes at once.
            .serverChannelOption(.socketOption(.so_rcvbuf), value: 131_072)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // Connections have turns: the rest of what one sent waits in the kernel.
            .childChannelOption(
                .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: StreamResponder.turn)
            )
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let queue = turns.value ?? ConnectionTurns()
                    turns.value = queue
                    try channel.pipeline.syncOperations.addHandler(
                        StreamResponder(served, turns: queue, patience: idle))
                }
            }
    }
}
