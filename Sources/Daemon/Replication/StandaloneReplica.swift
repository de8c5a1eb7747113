import Cluster
import NIOCore
import NIOPosix
import PeerProtocol
import Primitives
import Replication

/// A node's replica and its links by themselves: no cluster decides who writes, and no switch is served.
///
/// For measuring what replication alone can do; a node service has all this within `Sharing`.
package final class StandaloneReplica: Sendable {
    /// How often the others are said to have been heard, so that a link that broke is made again.
    private static let hearing: TimeAmount = .milliseconds(500)
    /// How long a writer waits that is as far ahead as it may be.
    private static let breath: TimeAmount = .microseconds(200)

    private final class Core {
        let links: ReplicaLinks
        let replica: ReplicaService
        let own: Endpoint
        var others: [(holder: Holder, endpoint: Endpoint)] = []
        /// Changes other nodes made here.
        var told = 0

        init(_ loop: any EventLoop, _ key: ClusterKey, _ me: Holder, _ endpoint: Endpoint)
            throws(ServiceFailure)
        {
            let log = EventLog()
            own = endpoint
            links = try ReplicaLinks(loop: loop, key: key, me: me, log: log)
            replica = ReplicaService(links: links, log: log)
            replica.changed = { [unowned self] in told += $1.count }
            links.listen(at: [endpoint])
        }

        func hear() {
            for other in others {
                links.heard(
                    PeerSighting(
                        holder: other.holder, ways: [PeerWay(remote: other.endpoint, local: own)],
                        isTold: true))
            }
            links.loop.assumeIsolated().scheduleTask(in: StandaloneReplica.hearing) { [weak self] in
                self?.hear()
            }
        }

        /// One turn of writing; promises the end.
        func feed(
            _ stream: StreamID, followers: Int, window: UInt64, _ next: @escaping () -> [Write]?,
            _ done: EventLoopPromise<Void>
        ) {
            let again = { [self] in feed(stream, followers: followers, window: window, next, done) }
            let status = replica.status(of: stream)
            let reached = status?.followers.map(\.sequence) ?? []
            let written = status?.position.sequence ?? 0
            guard reached.count == followers, written < (reached.min() ?? 0) + window else {
                links.loop.assumeIsolated().scheduleTask(in: StandaloneReplica.breath, again)
                return
            }
            guard let writes = next() else { return done.succeed() }
            replica.write(stream, writes)
            links.loop.assumeIsolated().execute(again)
        }
    }

    private let loop: any EventLoop
    private let core: NIOLoopBound<Core>

    /// Listens at once.
    ///
    /// - Throws: when the TLS library refuses the key.
    package init(me: Holder, key: ClusterKey, listening endpoint: Endpoint) throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        self.loop = loop
        core = try loop.submit {
            NIOLoopBound(try Core(loop, key, me, endpoint), eventLoop: loop)
        }.wait()
    }

    private func on<Answer: Sendable>(_ work: @escaping @Sendable (Core) throws -> Answer) throws -> Answer {
        try loop.submit { [core] in try work(core.value) }.wait()
    }

    /// Keeps a link to each of these from now on; to be called once.
    package func meet(_ others: [(holder: Holder, endpoint: Endpoint)]) throws {
        try on { core in
            core.others = others
            core.hear()
        }
    }

    /// Says who writes the stream.
    package func writer(of stream: StreamID, is holder: Holder, isHere: Bool, epoch: Epoch) throws {
        try on { $0.replica.agreed(stream, writer: holder.name, epoch, isHere: isHere) }
    }

    /// Writes what `next` gives until that is nil, at most `window` records ahead of the slowest of so many
    /// followers; returns when all is written. `next` is called on the loop.
    package func feed(
        _ stream: StreamID, followers: Int, window: UInt64, _ next: @escaping @Sendable () -> [Write]?
    ) throws {
        let done = loop.makePromise(of: Void.self)
        loop.execute { [core] in core.value.feed(stream, followers: followers, window: window, next, done) }
        try done.futureResult.wait()
    }

    package func status(of stream: StreamID) throws -> StreamStatus? {
        try on { $0.replica.status(of: stream) }
    }

    /// How many changes of other nodes were applied here.
    package func told() throws -> Int { try on { $0.told } }
}
