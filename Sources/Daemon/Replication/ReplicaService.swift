import Cluster
import NIOCore
import Primitives
import Replication

/// This node's copy of all calls, registrations and limits, kept in step with the other nodes over the replica links.
///
/// Lives on one event loop, and is used only there.
final class ReplicaService {
    /// Nodes linked now, by name.
    private var linked: [String: Holder] = [:]
    private let replica: Replica
    private let links: ReplicaLinks
    private let me: String
    private let log: EventLog
    private let loop: any EventLoop
    private var placed: [String: Placement] = [:]
    private let timer: DeadlineTimer
    private var flushIsDue = false
    /// What another node's writes changed here, or what expired.
    var changed: ((StreamID, Changes) -> Void)?
    /// The copy of a stream is as its writer's.
    var synced: ((StreamID) -> Void)?

    init(links: ReplicaLinks, log: EventLog) {
        self.links = links
        self.log = log
        loop = links.loop
        timer = DeadlineTimer(on: links.loop, shortest: .zero)
        me = links.me.name
        replica = Replica(me: me, seed: .random(in: .min ... .max), at: Instant.now())
        links.owner = ReplicaLinks.Owner(
            connected: { [weak self] in self?.connected($0) },
            disconnected: { [weak self] in self?.disconnected($0) },
            received: { [weak self] in self?.received($0, $1) })
    }

    // MARK: - What this node keeps

    func write(_ stream: StreamID, _ writes: [Write]) {
        if !writes.isEmpty { handle(.write(stream, writes)) }
    }

    /// This node alone writes the stream, at an epoch that grows with each of its lives.
    func own(_ stream: StreamID, _ epoch: Epoch) { handle(.own(stream, epoch)) }

    func forget(_ stream: StreamID) { handle(.forget(stream)) }

    func record(_ kind: RecordKind, key: [UInt8], in stream: StreamID) -> Record? {
        replica.record(kind, key: key, in: stream, at: Instant.now())
    }

    func count(_ stream: StreamID) -> Int { replica.count(stream) }
    var streams: [StreamID] { replica.streams }
    /// Which life of its node writes a stream of a node.
    func life(of stream: StreamID) -> UInt64? { replica.status(of: stream)?.epoch.term }

    func status(of stream: StreamID) -> StreamStatus? { replica.status(of: stream) }

    /// Some records of a stream, as `Replica.page`.
    func page(of stream: StreamID, after cursor: PageCursor?, limit: Int, at now: Instant)
        -> (records: [Record], next: PageCursor?)
    {
        replica.page(of: stream, after: cursor, limit: limit, at: now)
    }

    /// Every record of a stream, in its order.
    func forEach(in stream: StreamID, _ body: (Record) -> Void) {
        let now = Instant.now()
        var cursor: PageCursor?
        repeat {
            let (records, next) = replica.page(of: stream, after: cursor, limit: 512, at: now)
            records.forEach(body)
            cursor = next
        } while cursor != nil
    }

    /// Who writes which address, by what was agreed.
    func surveyed(_ survey: Survey) {
        for placement in survey.placements {
            let stream = StreamID.address(placement.address.name)
            let former = placed[placement.address.name]
            var placement = placement
            // Who else could take it is no matter of the copies.
            placement.uncovered = nil
            guard former != placement else { continue }
            placed[placement.address.name] = placement
            let epoch = max(placement.epoch, former?.epoch ?? .zero)
            if former?.holder != placement.holder || former?.epoch != placement.epoch {
                handle(.writer(stream, placement.holder?.name, epoch))
            }
            if placement.isHere {
                handle(.own(stream, placement.epoch))
            } else if former?.isHere == true {
                handle(.release(stream))
            }
        }
    }

    /// As `surveyed` for one stream, without a cluster.
    func agreed(_ stream: StreamID, writer: String, _ epoch: Epoch, isHere: Bool) {
        handle(.writer(stream, writer, epoch))
        if isHere { handle(.own(stream, epoch)) }
    }

    func stop() {
        timer.cancel()
        links.stop()
    }

    // MARK: - The links

    private func connected(_ holder: Holder) {
        if let former = linked.updateValue(holder, forKey: holder.name) {
            handle(.disconnected(holder.name))
            // Another machine of that name: its link counts for nothing here any more, so it is made anew should this one go.
            if former.member != holder.member { links.hangUp(former) }
        }
        handle(.connected(holder.name))
    }

    private func disconnected(_ holder: Holder) {
        guard linked[holder.name] == holder else { return }
        linked[holder.name] = nil
        handle(.disconnected(holder.name))
    }

    private func received(_ frame: ByteBuffer, _ holder: Holder) {
        guard linked[holder.name] == holder else { return }
        do throws(ReplicaFailure) {
            handle(.received(try ReplicaMessage(decoding: Array(frame.readableBytesView)), from: holder.name))
        } catch .unknownKind {
            // A newer node's word for something this version does without.
        } catch {
            log.warning("replica", holder.name, "sent a frame without meaning: \(error)")
            links.hangUp(holder)
        }
    }

    private func handle(_ event: Replica.Event) {
        perform(replica.handle(event, at: Instant.now()))
        timer.wake(at: replica.nextDeadline) { [self] in handle(.tick) }
    }

    private func perform(_ effects: [Replica.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let message, let name):
                guard let holder = linked[name] else { continue }
                let bytes = message.encoded()
                var frame = ByteBuffer()
                frame.reserveCapacity(4 + bytes.count)
                frame.writeInteger(UInt32(bytes.count))
                frame.writeBytes(bytes)
                links.send(frame, to: holder)
                flushSoon()
            case .changed(let stream, let changes): changed?(stream, changes)
            case .reset: break
            case .synced(let stream, let position):
                log.notice("replica", stream.name, "in step with its writer at \(position.epoch)")
                synced?(stream)
            case .report(let text): log.warning("replica", me, text)
            }
        }
    }

    /// Once for everything written in this turn of the loop.
    private func flushSoon() {
        guard !flushIsDue else { return }
        flushIsDue = true
        loop.assumeIsolated().execute { [self] in
            flushIsDue = false
            links.flush()
        }
    }
}
