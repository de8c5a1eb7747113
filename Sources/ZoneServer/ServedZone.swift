import DNSMessages
import NIOCore
import Primitives
import Synchronization

/// The zone while it is served: what all sockets share, one request at a time.
final class ServedZone: Sendable {
    private let responder: Mutex<ZoneResponder>
    private let file: ZoneFile?
    private let wallClock: @Sendable () -> UInt64
    private struct Connections {
        var slots: ConnectionSlots
        /// By their numbers in `slots`.
        var open: [UInt64: any Channel] = [:]
    }

    private let connections: Mutex<Connections>
    /// From where something with a valid signature came, the newest last.
    private let proven = Mutex<[IPAddress]>([])
    private let ports = Mutex<[DatagramPort]>([])
    private let known = Mutex(KnownSources())

    init(
        zone: Zone, key: TSIGKey?, file: ZoneFile?, limits: ZoneServer.Limits,
        wallClock: @escaping @Sendable () -> UInt64
    ) {
        responder = Mutex(ZoneResponder(zone: zone, key: key, since: wallClock()))
        self.file = file
        connections = Mutex(
            Connections(
                slots: ConnectionSlots(
                    .init(
                        strangers: limits.connections, perSource: limits.perSource,
                        proven: limits.connections))))
        self.wallClock = wallClock
    }

    var zone: Zone { responder.withLock { $0.zone } }

    /// The answer's messages, none for silence; an update is in the file before it is answered.
    func respond(
        to wire: [UInt8], from peer: IPAddress?, over transport: ZoneResponder.Transport
    ) -> (messages: [[UInt8]], isSigned: Bool) {
        let now = wallClock()
        let reply = responder.withLock { responder in
            let messages = responder.respond(
                to: wire, over: transport, fromLoopback: peer?.isLoopback ?? false, at: now,
                commit: store)
            return (messages: messages, isSigned: responder.wasSigned)
        }
        if reply.isSigned, let peer { prove(peer) }
        if let peer, reply.isSigned || transport == .tcp && !reply.messages.isEmpty {
            known.withLock { $0.note(DatagramSource(peer), at: Instant.now()) }
        }
        return reply
    }

    /// Whether that is no forged address, as a moment ago it was not.
    func isKnown(_ source: DatagramSource, at now: Instant) -> Bool {
        known.withLock { $0.contains(source, at: now) }
    }

    /// What comes to these is told apart by who signed.
    func serve(_ ports: [DatagramPort]) { self.ports.withLock { $0 = ports } }

    private func prove(_ peer: IPAddress) {
        let addresses: [IPAddress]? = proven.withLock { proven in
            guard !proven.contains(peer) else { return nil }
            if proven.count == SocketSteering.provenLimit { proven.removeFirst() }
            proven.append(peer)
            return proven
        }
        guard let addresses else { return }
        for port in ports.withLock(\.self) { port.set(proven: addresses) }
    }

    private func store(_ zone: Zone) -> Bool {
        guard let file else { return true }
        do throws(ZoneFile.Failure) {
            try file.store(zone)
            return true
        } catch { return false }
    }

    /// Takes one more connection in, given back by `leave`; the oldest of those that signed nothing makes room.
    func enter(_ channel: any Channel) -> UInt64 {
        let source = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        let (id, crowded) = connections.withLock { connections in
            let (id, evicted) = connections.slots.admit(source: source)
            connections.open[id] = channel
            return (id, evicted.compactMap { connections.open.removeValue(forKey: $0) })
        }
        for channel in crowded { channel.close(promise: nil) }
        return id
    }

    /// The connection carried a request with a valid signature: no stranger takes its place.
    func prove(_ id: UInt64) { connections.withLock { _ = $0.slots.prove(id) } }

    func leave(_ id: UInt64) {
        connections.withLock { connections in
            connections.slots.leave(id)
            connections.open[id] = nil
        }
    }
}
