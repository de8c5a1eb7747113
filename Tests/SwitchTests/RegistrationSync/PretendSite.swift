import EventSocket
import Primitives
import Replication
import Switch

/// Nodes with real replicas that are always linked, each with a switch that knows phones.
final class PretendSites {
    static let addresses = ["alpha", "beta"]
    private(set) var sites: [PretendSite] = []
    var now = Instant.zero + .seconds(1000)
    /// What words of older registrations say: a record holds their number.
    var words: [Retirement] = []
    private var messages: [(from: Int, to: Int, ReplicaMessage)] = []
    private var epoch: UInt64 = 1
    private(set) var holders: [String: Int] = [:]

    init(mode: RegistrationMode = .single, count: Int = 2) {
        for number in 1...count { sites.append(PretendSite(number, mode, self)) }
        for site in sites {
            perform(site.replica.handle(.own(.node(site.name), Epoch(term: 1, index: 0)), at: now), site)
            for other in sites where other !== site {
                perform(
                    site.replica.handle(
                        .writer(.node(other.name), other.name, Epoch(term: 1, index: 0)), at: now), site)
                perform(site.replica.handle(.connected(other.name), at: now), site)
            }
        }
        tellAll()
        for site in sites { site.connect(isRestarted: false) }
    }

    /// An address goes to the node of that index, or to nobody.
    func give(_ address: String, to holder: Int?) {
        epoch += 1
        let former = holders[address]
        holders[address] = holder
        let stream = StreamID.address(address)
        let decision = Epoch(term: 1, index: epoch)
        if let former { perform(sites[former].replica.handle(.release(stream), at: now), sites[former]) }
        for site in sites {
            perform(
                site.replica.handle(.writer(stream, holder.map { sites[$0].name }, decision), at: now), site)
        }
        if let holder {
            perform(sites[holder].replica.handle(.own(stream, decision), at: now), sites[holder])
        }
        epochs[address] = decision
        tellAll()
    }

    private var epochs: [String: Epoch] = [:]

    private func tellAll() {
        for (index, site) in sites.enumerated() {
            site.give(
                .cluster(
                    PlacementSnapshot(
                        placements: Self.addresses.map { address in
                            AddressPlacement(
                                name: address, ip: IPAddress("192.0.2.1")!,
                                holder: holders[address].map { sites[$0].name },
                                epoch: epochs[address] ?? .zero, isHere: holders[address] == index)
                        }, heard: sites.map(\.name))))
        }
    }

    // MARK: - Time and the way between replicas

    func pass(_ time: Duration) {
        let end = now + time
        deliver()
        // Whoever asks for a turn again and again without need does not get further.
        for _ in 0..<200_000 {
            let due = sites.flatMap { [$0.replica.nextDeadline, $0.deadline] }.compactMap { $0 }.min()
            guard let due, due <= end else { break }
            now = max(now, due)
            for site in sites {
                if let due = site.replica.nextDeadline, due <= now {
                    perform(site.replica.handle(.tick, at: now), site)
                }
                site.tick()
            }
            deliver()
        }
        now = end
    }

    func perform(_ effects: [Replica.Effect], _ site: PretendSite) {
        let from = sites.firstIndex { $0 === site } ?? 0
        for effect in effects {
            switch effect {
            case .send(let message, let name):
                if let to = sites.firstIndex(where: { $0.name == name }) {
                    messages.append((from, to, message))
                }
            case .changed(.address(let address), let changes):
                site.give(.changed(address: address, changes))
            case .changed(.node(let name), let changes): site.heard(changes, from: name)
            case .synced: site.give(.synced)
            case .reset, .report: break
            }
        }
    }

    private func deliver() {
        while !messages.isEmpty {
            let (from, to, message) = messages.removeFirst()
            let site = sites[to]
            perform(site.replica.handle(.received(message, from: sites[from].name), at: now), site)
        }
    }
}

/// One of them.
final class PretendSite {
    let name: String
    let mode: RegistrationMode
    let replica: Replica
    private(set) var sync: RegistrationSync
    private unowned let all: PretendSites
    /// What the switch has: registrations of its profiles by their keys.
    private(set) var rows: [String: [RegistrationKey: Registration]] = [:]
    private(set) var isUp = false
    /// How often the switch was told of anything.
    private(set) var injections = 0
    private(set) var notices: [String] = []
    private var sliceDue: Instant?

    init(_ number: Int, _ mode: RegistrationMode, _ all: PretendSites) {
        name = "fs\(number)"
        self.mode = mode
        self.all = all
        replica = Replica(me: name, seed: UInt64(number), at: all.now)
        sync = RegistrationSync(
            settings: .init(
                node: name, mode: mode,
                queue: .init(origin: .init(address: "127.0.0.1", switchname: name)), seed: UInt64(number)))
    }

    var deadline: Instant? { [sliceDue, sync.nextDeadline].compactMap { $0 }.min() }

    func tick() {
        if let due = sliceDue, due <= all.now {
            sliceDue = nil
            give(.slice)
        }
        if let due = sync.nextDeadline, due <= all.now { give(.tick) }
    }

    // MARK: - The switch

    func connect(isRestarted: Bool) {
        isUp = true
        give(.up(isRestarted: isRestarted, profiles: Set(PretendSites.addresses)))
    }

    func disconnect() {
        isUp = false
        give(.down)
    }

    /// - Parameter isEmpty: without what it kept on its disk.
    func restart(isEmpty: Bool) {
        disconnect()
        if isEmpty { rows = [:] }
        connect(isRestarted: true)
    }

    /// A row of another time, of which no event tells.
    func remember(_ registration: Registration) {
        rows[registration.profile, default: [:]][RegistrationKey(registration, mode: mode)] = registration
    }

    /// A phone registers.
    func register(_ registration: Registration) {
        remember(registration)
        tell("sofia::register", registration)
    }

    func unregister(_ registration: Registration) {
        rows[registration.profile]?[RegistrationKey(registration, mode: mode)] = nil
        tell("sofia::unregister", registration)
    }

    private func tell(_ subclass: String, _ registration: Registration) {
        guard isUp else { return }
        let left = (registration.expires - all.now).wholeSeconds
        give(
            .event(
                SwitchEvent(
                    headers: Headers([
                        .init("Event-Name", "CUSTOM"), .init("Event-Subclass", subclass),
                        .init("profile-name", registration.profile), .init("from-user", registration.user),
                        .init("from-host", registration.host), .init("contact", registration.contact),
                        .init("call-id", registration.callID), .init("expires", "\(left)"),
                        .init("status", "Registered(UDP)"),
                    ]))))
    }

    func contacts(of user: String, at address: String) -> [String] {
        (rows[address] ?? [:]).values.filter { $0.user == user }.map(\.contact).sorted()
    }

    /// Words of another node.
    func heard(_ changes: Changes, from node: String) {
        for change in changes {
            guard case .put(let record) = change, let word = word(record) else { continue }
            give(.retired(word, end: record.expires, by: node))
        }
    }

    private static let kind = RecordKind(rawValue: 17)

    private func word(_ record: Record) -> Retirement? {
        record.kind == Self.kind
            ? Int(String(decoding: record.payload, as: UTF8.self)).map { all.words[$0] } : nil
    }

    // MARK: - What it asks for

    func give(_ input: RegistrationSync.Input) {
        for effect in sync.handle(input, seeing: View(site: self), at: all.now) { perform(effect) }
    }

    private func perform(_ effect: RegistrationSync.Effect) {
        switch effect {
        case .inject(let injection):
            guard isUp else { return }
            injections += 1
            injection.events.forEach(take)
            give(.injected(ticket: injection.ticket, refusal: nil))
        case .list(let number, let profile):
            guard isUp else { return give(.listed(number, nil)) }
            let listing = RegistrationListing(
                profile: profile, registrations: Array((rows[profile] ?? [:]).values))
            give(.listed(number, ListedRegistrations(listing, mode: mode)))
        case .slice: sliceDue = all.now + .milliseconds(1)
        case .write(let address, let writes): write(.address(address), writes)
        case .retire(let word, let end):
            all.words.append(word)
            let record = Record(
                kind: Self.kind, key: Retirement.key(word.name, mode: mode), expires: end,
                payload: Array("\(all.words.count - 1)".utf8))
            write(.node(name), [.put(record)])
        case .registered: break
        case .notice(_, let text): notices.append(text)
        case .warning(let subject, let text): notices.append("\(subject): \(text)")
        }
    }

    private func write(_ stream: StreamID, _ writes: [Write]) {
        all.perform(replica.handle(.write(stream, writes), at: all.now), self)
    }

    /// What it is told by an event.
    private func take(_ event: SwitchEvent) {
        let profile = event["orig-profile-name"] ?? ""
        let told = Registration(
            profile: profile, user: event["orig-from-user"] ?? "", host: event["orig-from-host"] ?? "",
            contact: event["orig-contact"] ?? "", callID: event["orig-call-id"] ?? "",
            expires: all.now + .seconds(Int64(event["orig-expires"] ?? "") ?? 0))
        if event["orig-event-subclass"] == "sofia::register" {
            rows[profile, default: [:]][RegistrationKey(told, mode: mode)] = told
        } else {
            rows[profile] = rows[profile]?.filter {
                $0.value.user != told.user || mode != .single && $0.value.callID != told.callID
            }
        }
    }

    private struct View: RegistrationSyncView {
        unowned let site: PretendSite

        var streams: [StreamID] { site.replica.streams }
        func status(of stream: StreamID) -> StreamStatus? { site.replica.status(of: stream) }
        func record(_ kind: RecordKind, key: [UInt8], in stream: StreamID) -> Record? {
            site.replica.record(kind, key: key, in: stream, at: site.all.now)
        }
        func page(
            of stream: StreamID, after cursor: PageCursor?, limit: Int
        ) -> (records: [Record], next: PageCursor?) {
            site.replica.page(of: stream, after: cursor, limit: limit, at: site.all.now)
        }
        func retirement(_ key: [UInt8], in stream: StreamID) -> (word: Retirement, end: Instant?)? {
            guard let record = record(PretendSite.kind, key: key, in: stream), let word = site.word(record)
            else { return nil }
            return (word, record.expires)
        }
        var ownRetirements: [Retirement] {
            page(of: .node(site.name), after: nil, limit: .max).records.compactMap(site.word)
        }
    }
}
