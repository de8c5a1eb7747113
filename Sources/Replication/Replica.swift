import Primitives

/// One node's part in replicating registrations, calls and limits: copies of all streams, no shared database.
///
/// ```
///   control state ──writer──▶ ┌─────────┐ ──pull──▶           ┌─────────┐
///   owner ──own, write──────▶ │ Replica │ ◀──start, batch…──  │ Replica │ the stream's writer
///   local switch ◀──changed── └─────────┘ ──applied──▶        └─────────┘
/// ```
/// A copy asks the writer for what it lacks. Records are kept in the order they were last written in, so a
/// snapshot, a resumption and the live changes are one walk along that order, with the removals merged in.
/// It decides only: no clock, no socket. Confine it to one actor or loop.
package final class Replica {
    package struct Settings: Hashable, Sendable {
        package var maxStreams: Int
        package var maxPeers: Int
        /// Records in one stream; a writer refuses more.
        package var maxRecords: Int
        /// Bytes of removals a stream remembers for copies that were cut off.
        package var removalBytes: Int
        /// Bytes of bodies under way to one peer: of one stream, and of all (a stream with nothing under way
        /// may always send one frame, so that big streams do not hold up small ones).
        package var streamWindow: Int
        package var peerWindow: Int
        /// A batch has about this many bytes, or one record.
        package var frameBytes: Int
        /// How often a writer tells its digest when it has nothing else to say.
        package var digestInterval: Duration
        /// How long a copy waits for the answer to a pull, and between pulls.
        package var retryInterval: Duration
        package var clockInterval: Duration
        /// Expired or surplus records that are taken out in one step.
        package var sweepCount: Int

        package init(
            maxStreams: Int = 256, maxPeers: Int = 64, maxRecords: Int = 8_000_000,
            removalBytes: Int = 8 << 20, streamWindow: Int = 512 << 10, peerWindow: Int = 4 << 20,
            frameBytes: Int = 64 << 10, digestInterval: Duration = .seconds(1),
            retryInterval: Duration = .seconds(1), clockInterval: Duration = .seconds(1),
            sweepCount: Int = 4096
        ) {
            precondition(
                maxStreams > 0 && maxPeers > 0 && maxRecords > 0 && removalBytes > 0 && sweepCount > 0,
                "limits must be positive")
            precondition((1024...131_072).contains(frameBytes), "a batch and one record must fit a message")
            precondition(streamWindow >= frameBytes && peerWindow >= streamWindow, "windows hold frames")
            precondition(
                digestInterval > .zero && retryInterval > .zero && clockInterval > .zero,
                "intervals must be positive")
            self.maxStreams = maxStreams
            self.maxPeers = maxPeers
            self.maxRecords = maxRecords
            self.removalBytes = removalBytes
            self.streamWindow = streamWindow
            self.peerWindow = peerWindow
            self.frameBytes = frameBytes
            self.digestInterval = digestInterval
            self.retryInterval = retryInterval
            self.clockInterval = clockInterval
            self.sweepCount = sweepCount
        }
    }

    /// What happened; each is given to `handle` with the instant it happened at.
    package enum Event: Hashable, Sendable {
        /// The control state: this node writes the stream at this epoch; nil when nobody does.
        case writer(StreamID, String?, Epoch)
        /// This node writes from now on, beginning with the copy it has.
        case own(StreamID, Epoch)
        /// This node writes no more; its copy is still served until another writer is told.
        case release(StreamID)
        /// Drop the copy, and ignore the stream until it is told of again.
        case forget(StreamID)
        case write(StreamID, [Write])
        case connected(String)
        case disconnected(String)
        case received(ReplicaMessage, from: String)
        /// The instant of `nextDeadline` has come.
        case tick
    }

    /// What is to be done, in this order.
    package enum Effect: Hashable, Sendable {
        /// Messages to one peer must arrive in order, or its link must end.
        case send(ReplicaMessage, to: String)
        /// The copy changed by what its writer did, or by time; own writes are not told, own ends are.
        case changed(StreamID, Changes)
        /// The copy is gone as a whole.
        case reset(StreamID)
        /// The copy is as its source's, for the first time since it asked.
        case synced(StreamID, Position)
        /// For the log.
        case report(String)
    }

    package let me: String
    package let settings: Settings

    var generator: SeededGenerator
    /// In the order of their names.
    var copies: [StreamCopy] = []
    private var copyOfStream: [StreamID: StreamCopy] = [:]
    /// In the order of their names.
    var peers: [ReplicaPeer] = []
    private var peerOfName: [String: ReplicaPeer] = [:]
    var effects: [Effect] = []
    /// Of this event only: the next one may change what it points at.
    var built: BuiltBatch?
    var now: Instant
    var roundDue: Instant
    let scratch: UnsafeMutableRawPointer

    package init(me: String, settings: Settings = Settings(), seed: UInt64, at now: Instant) {
        self.me = me
        self.settings = settings
        self.now = now
        generator = SeededGenerator(seed: seed)
        roundDue = now
        let capacity =
            settings.frameBytes + ReplicationLimits.key + ReplicationLimits.payload + BatchItem.overhead
        scratch = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { scratch.deallocate() }

    package func handle(_ event: Event, at now: Instant) -> [Effect] {
        self.now = max(now, self.now)
        switch event {
        case .writer(let stream, let writer, let epoch): tell(stream, writer, epoch)
        case .own(let stream, let epoch): own(stream, epoch)
        case .release(let stream): copy(stream)?.isReleased = true
        case .forget(let stream): forget(stream)
        case .write(let stream, let writes): write(writes, to: stream)
        case .connected(let name): connect(name)
        case .disconnected(let name): disconnect(name)
        case .received(let message, let sender): receive(message, from: sender)
        case .tick: tick()
        }
        built = nil
        defer { effects = [] }
        return effects
    }

    /// When to give `.tick`; nil when nothing waits for time.
    package var nextDeadline: Instant? {
        var deadline = peers.isEmpty ? nil : roundDue
        for copy in copies {
            if copy.isSweeping || (copy.store.held > 0 && copy.isOwned) { return now }
            if let due = copy.store.wheel.deadline { deadline = deadline.map { min($0, due) } ?? due }
        }
        return deadline
    }

    func copy(_ stream: StreamID) -> StreamCopy? { copyOfStream[stream] }

    func peer(_ name: String) -> ReplicaPeer? { peerOfName[name] }

    func report(_ text: String) { effects.append(.report(text)) }

    /// The copy of a stream, made when it is the first time; nil when there are too many.
    func knownCopy(_ stream: StreamID) -> StreamCopy? {
        if let copy = copy(stream) { return copy }
        guard !stream.name.isEmpty, stream.name.utf8.count <= ReplicationLimits.name else {
            report("a stream's name has \(stream.name.utf8.count) bytes: it is not replicated")
            return nil
        }
        guard copies.count < settings.maxStreams else {
            report("\(stream) is not replicated: there are \(copies.count) streams already")
            return nil
        }
        let copy = StreamCopy(id: stream, settings: settings, seed: generator.next(), at: now)
        copies.insert(copy, at: copies.firstIndex { stream < $0.id } ?? copies.count)
        copyOfStream[stream] = copy
        return copy
    }

    func drop(_ copy: StreamCopy) {
        for subscription in copy.subscriptions { end(subscription) }
        copies.removeAll { $0 === copy }
        copyOfStream[copy.id] = nil
    }

    private func connect(_ name: String) {
        if peer(name) != nil { disconnect(name) }
        guard name != me, peers.count < settings.maxPeers else {
            return report("\(name) is not replicated with: there are \(peers.count) peers already")
        }
        if peers.isEmpty { roundDue = now }
        let peer = ReplicaPeer(name: name, asked: now, askDue: now + settings.clockInterval)
        peers.insert(peer, at: peers.firstIndex { name < $0.name } ?? peers.count)
        peerOfName[name] = peer
        effects.append(.send(.hello(asked: now, copies.filter(\.isTold).map(\.have)), to: name))
    }

    private func disconnect(_ name: String) {
        guard let peer = peer(name) else { return }
        for subscription in peer.subscriptions { end(subscription) }
        peers.removeAll { $0 === peer }
        peerOfName[name] = nil
        for copy in copies where copy.feed?.source == name {
            copy.feed = nil
            follow(copy)
        }
    }

    private func receive(_ message: ReplicaMessage, from sender: String) {
        guard let peer = peer(sender) else {
            return report("\(sender) is not connected: its message is refused")
        }
        switch message {
        case .hello(let asked, let haves):
            effects.append(.send(.clock(asked: asked, clock: now), to: sender))
            note(haves, of: peer)
        case .have(let haves): note(haves, of: peer)
        case .ask(let asked): effects.append(.send(.clock(asked: asked, clock: now), to: sender))
        case .clock(let asked, let clock): learnClock(of: peer, asked: asked, clock: clock)
        case .pull(let pull): serve(pull, to: peer)
        case .start(let start): begin(start, from: peer)
        case .batch(let batch): apply(batch, from: peer)
        case .applied(let stream, let session, let bytes, let sequence):
            acknowledge(stream, session: session, bytes: bytes, sequence: sequence, by: peer)
        }
    }
}
