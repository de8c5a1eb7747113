import Cluster
import EventSocket
import Kernel
import NIOCore
import NIOPosix
import Primitives
import Replication
import Switch

/// Does what `RegistrationSync` asks for, and gives it answers and turns.
///
/// Listings are read on another thread: with a hundred thousand phones they would hold up the loop.
final class RegistrationHandler {
    private struct View: RegistrationSyncView {
        var replica: ReplicaService
        var me: String

        var streams: [StreamID] { replica.streams }
        func status(of stream: StreamID) -> StreamStatus? { replica.status(of: stream) }
        func record(_ kind: RecordKind, key: [UInt8], in stream: StreamID) -> Record? {
            replica.record(kind, key: key, in: stream)
        }
        func page(
            of stream: StreamID, after cursor: PageCursor?, limit: Int
        ) -> (records: [Record], next: PageCursor?) {
            replica.page(of: stream, after: cursor, limit: limit, at: Instant.now())
        }
        func retirement(_ key: [UInt8], in stream: StreamID) -> (word: Retirement, end: Instant?)? {
            guard let record = replica.record(RetiredRegistration.kind, key: key, in: stream),
                let retired = RetiredRegistration(record)
            else { return nil }
            return (retired.word, record.expires)
        }
        var ownRetirements: [Retirement] {
            var words: [Retirement] = []
            replica.forEach(in: .node(me)) { record in
                if let retired = RetiredRegistration(record) { words.append(retired.word) }
            }
            return words
        }
    }

    private static let lateMargin: Duration = .seconds(60)
    /// Between two slices of what takes long; without a pause the loop would not look at its sockets.
    private static let slicePause: TimeAmount = .microseconds(200)
    private let me: String
    private let mode: RegistrationMode
    private let link: SwitchLink
    private let replica: ReplicaService
    private let log: EventLog
    private let view: View
    private(set) var sync: RegistrationSync
    private let timer: DeadlineTimer
    private var isStopped = false
    /// A phone registered here; its domain.
    var registered: ((String) -> Void)?

    init(
        me: String, mode: RegistrationMode, perSecond: Int, origin: RegistrationInjection.Origin,
        link: SwitchLink, replica: ReplicaService, log: EventLog
    ) {
        var queue = InjectionQueue.Settings(origin: origin)
        queue.perSecond = perSecond
        queue.lateMargin = Self.lateMargin
        sync = RegistrationSync(
            settings: RegistrationSync.Settings(
                node: me, mode: mode, queue: queue, seed: .random(in: .min ... .max)))
        self.me = me
        self.mode = mode
        self.link = link
        timer = DeadlineTimer(on: link.loop)
        self.replica = replica
        self.log = log
        view = View(replica: replica, me: me)
    }

    // MARK: - Telling it

    func surveyed(_ survey: Survey) { handle(.cluster(PlacementSnapshot(survey))) }

    /// Another node's writes to the stream of an address.
    func changed(_ address: String, _ changes: Changes) {
        handle(.changed(address: address, changes))
    }

    /// The copy of a stream is as its writer's.
    func synced() { handle(.synced) }

    /// Another node's word of an older registration.
    func superseded(_ retired: RetiredRegistration, end: Instant?, by node: String) {
        handle(.retired(retired.word, end: end, by: node))
    }

    func up(isRestarted: Bool, profiles: Set<String>) {
        handle(.up(isRestarted: isRestarted, profiles: profiles))
    }

    func down() { handle(.down) }

    func profilesChanged(_ profiles: Set<String>) { handle(.profiles(profiles)) }

    func handle(_ event: SwitchEvent) { handle(.event(event)) }

    /// Whether a registration counts no more that stands in the replica.
    func isOut(_ registration: Registration, at address: String) -> Bool {
        sync.isOut(registration, at: address, seeing: view)
    }

    func stop() {
        isStopped = true
        timer.cancel()
    }

    // MARK: - What it asks for

    private func handle(_ input: RegistrationSync.Input) {
        guard !isStopped else { return }
        let effects = sync.handle(input, seeing: view, at: Instant.now())
        timer.wake(at: sync.nextDeadline) { [weak self] in self?.handle(.tick) }
        for effect in effects { perform(effect) }
    }

    private func perform(_ effect: RegistrationSync.Effect) {
        switch effect {
        case .inject(let injection): inject(injection)
        case .list(let number, let profile): list(number, profile)
        case .slice:
            link.loop.assumeIsolated().scheduleTask(in: Self.slicePause) { [weak self] in
                self?.handle(.slice)
            }
        case .write(let address, let writes): replica.write(.address(address), writes)
        case .retire(let word, let end):
            let record = RetiredRegistration(word).record(until: end, mode: mode)
            if record.fault == nil { replica.write(.node(me), [.put(record)]) }
        case .registered(let host): registered?(host)
        case .notice(let subject, let text): log.notice("registration", subject, text)
        case .warning(let subject, let text): log.warning("registration", subject, text)
        }
    }

    private func inject(_ injection: InjectionQueue.Injection) {
        for (place, event) in injection.events.enumerated() {
            let isLast = place == injection.events.count - 1
            link.command(.sendevent(event)) { [weak self] reply in
                guard isLast, let self else { return }
                let refusal: String?
                switch reply {
                case .success(let reply): refusal = reply.isError ? reply.text : nil
                // Told by `down` for all at once, or it could not be sent at all.
                case .failure(.disconnected), .failure(.notReady): return
                case .failure(let failure): refusal = "\(failure)"
                }
                handle(.injected(ticket: injection.ticket, refusal: refusal))
            }
        }
    }

    private func list(_ number: UInt64, _ profile: String) {
        link.api("sofia xmlstatus profile \(profile) reg") { [weak self] result in
            guard let self else { return }
            guard case .success(let answer) = result else { return handle(.listed(number, nil)) }
            read(answer.body, profile) { [weak self] in self?.handle(.listed(number, $0)) }
        }
    }

    private func read(_ body: [UInt8], _ profile: String, _ then: @escaping (ListedRegistrations?) -> Void) {
        let (mode, now) = (mode, Instant.now())
        let reading = NIOThreadPool.singleton.runIfActive(eventLoop: link.loop) {
            let listing = try RegistrationListing(
                reading: body, profile: profile, at: now, lateMargin: Self.lateMargin)
            return ListedRegistrations(listing, mode: mode)
        }
        reading.assumeIsolated().whenComplete { [weak self] result in
            if case .failure(let failure) = result {
                self?.log.warning("registration", profile, "\(failure)")
            }
            then(try? result.get())
        }
    }
}
