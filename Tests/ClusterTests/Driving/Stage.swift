import Consensus
import Primitives
import Testing

@testable import Cluster

/// A few real nodes in virtual time, whose every message, write and crash the test chooses; and a look at each moment at
/// which machines hold an address. All clocks agree; messages take a tenth of a millisecond.
struct Stage {
    private enum Happening {
        case heartbeat(Heartbeat)
        case message(PeerMessage, from: MemberID)
        case event(Event)
        case written
        case expiry
    }
    private struct Scheduled {
        var at: Instant
        var order: Int
        var to: Int
        /// Nil: for the machine, whatever runs there.
        var life: Int?
        var happening: Happening
    }
    struct Way: Hashable {
        var from: Int
        var to: Int
    }

    private(set) var now = Instant.zero
    var machines: [StageMachine] = []
    /// Heartbeats, and messages of peer links, that do not pass.
    var cutHeartbeats: Set<Way> = []
    var cutMessages: Set<Way> = []
    /// How much later than usual a machine reads heartbeats.
    var heartbeatLag: [Int: Duration] = [:]
    /// Two holders of one address, in words; the first is the one to look at.
    private(set) var violations: [String] = []
    private(set) var reports: [(at: Instant, by: Int, event: ClusterEvent)] = []
    private(set) var announcements: [(at: Instant, by: Int, address: String)] = []
    /// The newest heartbeat of each machine.
    private(set) var spoken: [Int: Heartbeat] = [:]

    /// What the name server of the zone serves, who asked it for updates when, and what it answers whom.
    var zone: [ZoneRecord] = []
    private(set) var updates: [(at: Instant, by: Int, update: ZoneUpdate)] = []
    var zoneRefusals: [Int: String] = [:]
    /// Machines without a way to the name server.
    var zoneFailures: Set<Int> = []

    /// What lies on each machine; those that are not in it have this release.
    var releases: [Int: ReleaseInfo]
    private var replies: [UInt64: OperatorReply] = [:]
    private var asked: UInt64 = 0

    private var queue: [Scheduled] = []
    private var order = 0
    private var generator: SeededGenerator
    private let settings: ClusterSettings

    static let delay: Duration = .microseconds(100)

    /// A cluster of `count` nodes with one seat that `fs<prefer>` should have; everybody starts at once.
    init(
        _ count: Int, prefer: Int, timing: Timing = Timing(discovery: .milliseconds(500)), seed: UInt64,
        takeoversPerHour: Int = 100, dns: DNSSettings? = nil,
        releases: [Int: ReleaseInfo] = [:]
    ) {
        self.releases = releases
        generator = SeededGenerator(seed: seed)
        settings = ClusterSettings(
            cluster: "stage", timing: timing, expect: count,
            addresses: [ServiceAddress(name: "alpha", ip: IPAddress("10.77.0.11")!, prefixLength: 24)],
            seats: [SeatRule(name: "master1", address: "alpha", prefer: "fs\(prefer)")],
            policy: Policy(takeoversPerHour: takeoversPerHour), dns: dns, version: 1)
        for i in 0..<count {
            machines.append(StageMachine(name: "fs\(i)", birth: UInt64(i) + 1, host: UInt64(i) + 1))
            start(i)
        }
    }

    // MARK: - What a test does

    mutating func start(_ i: Int) {
        machines[i].life += 1
        machines[i].incarnation = ((machines[i].incarnation >> 32) + 1) << 32 | UInt64(generator.next() >> 33)
        let place = MachineID(host: machines[i].host, boot: machines[i].boot)
        machines[i].stopped = nil
        machines[i].node = Node(
            name: machines[i].name, birth: machines[i].birth, incarnation: machines[i].incarnation,
            kind: .full, settings: settings, restored: machines[i].disk.restored, seed: generator.next(),
            machine: place, formerMachine: machines[i].formerMachine, release: releases[i] ?? .current,
            at: now)
        machines[i].formerMachine = place
        tell(i, .switchReported(SwitchReport(health: .none)))
        schedule(.event(.keeperReady), to: i, after: .milliseconds(1))
    }

    /// The process ends; of the writes under way none is on the disk. Its keeper lets go at once.
    mutating func crash(_ i: Int) {
        machines[i].node = nil
        machines[i].writes = []
        machines[i].held = [:]
    }

    /// Another machine, with a copy of the state directory of machine `i`; returns its place.
    mutating func copy(_ i: Int) -> Int {
        var copy = machines[i]
        copy.host = UInt64(100 + machines.count)
        copy.boot = copy.host
        copy.node = nil
        copy.held = [:]
        copy.writes = []
        machines.append(copy)
        return machines.count - 1
    }

    /// The keeper is gone and none can follow: the kernel drops what it held after its lifetime, and nobody is told.
    mutating func loseKeeper(_ i: Int) {
        machines[i].isKeeperless = true
        for name in machines[i].held.keys {
            machines[i].held[name]?.until = now + .milliseconds(1500)
            schedule(.expiry, to: i, after: .milliseconds(1500))
        }
        happen(.keeperLost(endsByItself: true), at: i)
    }

    mutating func cut(_ ways: [(Int, Int)]) {
        for (a, b) in ways {
            for way in [Way(from: a, to: b), Way(from: b, to: a)] {
                cutHeartbeats.insert(way)
                cutMessages.insert(way)
            }
        }
    }

    mutating func join(_ ways: [(Int, Int)]) {
        for (a, b) in ways {
            for way in [Way(from: a, to: b), Way(from: b, to: a)] {
                cutHeartbeats.remove(way)
                cutMessages.remove(way)
            }
        }
    }

    /// The service of a machine notices that of its ways to others.
    mutating func notice(_ i: Int, _ troubles: [PathTrouble]) {
        schedule(.event(.pathsSeen(troubles)), to: i, after: .zero)
    }

    /// Something happens at that machine now.
    mutating func happen(_ event: Event, at i: Int) {
        schedule(.event(event), to: i, after: .zero)
    }

    /// An operator asks at that machine; what it answers.
    mutating func ask(_ i: Int, _ request: OperatorRequest) -> OperatorReply? {
        asked += 1
        let id = asked
        schedule(.event(.operatorAsked(id: id, request)), to: i, after: .zero)
        run(.seconds(2)) { $0.replies[id] != nil }
        return replies[id]
    }

    /// Somebody plays a recorded heartbeat to a machine.
    mutating func play(_ heartbeat: Heartbeat, to i: Int) {
        schedule(.heartbeat(heartbeat), to: i, after: .zero)
    }

    /// Lets time pass until `condition` holds; returns whether it did within `limit`.
    @discardableResult
    mutating func run(_ limit: Duration, until condition: (Stage) -> Bool = { _ in false }) -> Bool {
        let end = now + limit
        while true {
            if condition(self) { return true }
            var next = end
            for item in queue { next = min(next, item.at) }
            for machine in machines { next = min(next, machine.node?.nextDeadline ?? next) }
            now = max(now, next)
            happen()
            if now >= end { return condition(self) }
        }
    }

    // MARK: - What a test looks at

    var leader: Int? {
        machines.indices.filter { machines[$0].node?.isLeader ?? false }.max {
            machines[$0].node!.raft.term < machines[$1].node!.raft.term
        }
    }

    /// Machines that hold the address now.
    var holders: [Int] { machines.indices.filter { machines[$0].held["alpha"] != nil } }

    func voters(by i: Int) -> Int { machines[i].node?.raft.membership.voters.count ?? 0 }

    func state(_ i: Int) -> ControlState? { machines[i].node?.state }

    func reports(_ kind: ClusterEvent.Kind, by i: Int, about subject: String) -> Int {
        reports.count { $0.by == i && $0.event.kind == kind && $0.event.subject == subject }
    }

    // MARK: - Time

    private mutating func schedule(
        _ happening: Happening, to i: Int, after delay: Duration, life: Int? = nil
    ) {
        order += 1
        queue.append(Scheduled(at: now + delay, order: order, to: i, life: life, happening: happening))
    }

    private mutating func happen() {
        var due = queue.filter { $0.at <= now }
        queue.removeAll { $0.at <= now }
        due.sort { $0.at == $1.at ? $0.order < $1.order : $0.at < $1.at }
        for i in machines.indices { expire(i) }
        for item in due where item.life == nil || item.life == machines[item.to].life {
            switch item.happening {
            case .heartbeat(let heartbeat): tell(item.to, .heard(heartbeat))
            case .message(let message, let sender):
                machines[item.to].noteFormat(of: message)
                tell(item.to, .received(message, from: sender))
            case .event(let event): tell(item.to, event)
            case .written:
                if let event = machines[item.to].finishWrite() { tell(item.to, event) }
            case .expiry: break
            }
        }
        for i in machines.indices where machines[i].node?.nextDeadline.map({ $0 <= now }) ?? false {
            tell(i, .tick)
        }
    }

    private mutating func tell(_ i: Int, _ event: Event) {
        guard let effects = machines[i].node?.handle(event, at: now) else { return }
        for effect in effects { carryOut(effect, i) }
    }

    private mutating func carryOut(_ effect: Effect, _ i: Int) {
        switch effect {
        case .beat(let heartbeat):
            spoken[i] = heartbeat
            for to in machines.indices where to != i && !cutHeartbeats.contains(Way(from: i, to: to)) {
                let delay = Self.delay + (heartbeatLag[to] ?? .zero)
                schedule(.heartbeat(heartbeat), to: to, after: delay, life: machines[to].life)
            }
        case .send(let message, let receiver):
            for to in machines.indices
            where machines[to].name == receiver.name && machines[to].birth == receiver.birth
                && !cutMessages.contains(Way(from: i, to: to))
            {
                let sender = MemberID(name: machines[i].name, birth: machines[i].birth)
                schedule(.message(message, from: sender), to: to, after: Self.delay, life: machines[to].life)
            }
        case .store(let request):
            machines[i].writes.append(.store(request))
            schedule(.written, to: i, after: machines[i].diskDelay, life: machines[i].life)
        case .recordIncarnation(let number):
            machines[i].writes.append(.incarnation(number))
            schedule(.written, to: i, after: machines[i].diskDelay, life: machines[i].life)
        case .hold(let address, let until, let epoch): hold(address.name, until, epoch, i)
        case .release(let address, let epoch):
            guard !machines[i].isKeeperless else { return }
            machines[i].held[address.name] = nil
            answer(.keeperReleased(address: address.name, epoch: epoch, cause: "asked"), i)
        case .readZone(let id, _):
            guard let server = settings.dns?.servers.first else { return }
            let outcome: ServerReading.Outcome =
                zoneFailures.contains(i)
                ? .failed("no answer") : .read(serial: 1, records: zone)
            let reading = ServerReading(endpoint: server.endpoint, outcome: outcome)
            answer(.zoneRead(id: id, [reading]), i)
        case .updateZone(let id, let update): answer(.zoneUpdated(id: id, carryOut(update, by: i)), i)
        case .answer(let id, let reply): replies[id] = reply
        case .report(let event): reports.append((now, i, event))
        case .announce(let address): announcements.append((now, i, address.name))
        case .stop(let reason):
            crash(i)
            machines[i].stopped = reason
            if case .startAnew = reason {
                machines[i].birth = generator.next() | 1 << 63
                machines[i].incarnation = 0
                machines[i].disk = StageDisk()
                machines[i].formerMachine = .unknown
            }
        default: break
        }
    }

    private mutating func carryOut(_ update: ZoneUpdate, by i: Int) -> ZoneUpdateOutcome {
        updates.append((now, i, update))
        if zoneFailures.contains(i) { return .unknown("no answer") }
        if let code = zoneRefusals[i] { return .refused(code) }
        if update.isGuarded { return .prerequisiteFailed("NXRRSET") }
        zone.removeAll { there in
            (update.delete + update.add).contains { $0.name == there.name && $0.content == there.content }
        }
        zone += update.add
        return .done
    }

    // MARK: - Keepers

    private mutating func hold(_ address: String, _ until: Instant, _ epoch: Epoch, _ i: Int) {
        guard until > now, !machines[i].isKeeperless else { return }
        for other in machines.indices where other != i {
            guard let held = machines[other].held[address], machines[i].held[address] == nil else { continue }
            violations.append(
                "\(now.nanoseconds / 1_000) us: machine \(i) takes \(address) @\(epoch) while machine \(other) "
                    + "may hold it @\(held.epoch) for another \((held.until - now).nanoseconds / 1_000) us")
        }
        let isNew = machines[i].held[address]?.epoch != epoch
        machines[i].held[address] = (until, epoch)
        schedule(.expiry, to: i, after: until - now)
        if isNew { answer(.keeperHeld(address: address, epoch: epoch), i) }
    }

    private mutating func expire(_ i: Int) {
        for (address, held) in machines[i].held.sorted(by: { $0.key < $1.key }) where held.until <= now {
            machines[i].held[address] = nil
            if machines[i].isKeeperless { continue }
            answer(.keeperReleased(address: address, epoch: held.epoch, cause: "its time ended"), i)
        }
    }

    private mutating func answer(_ event: Event, _ i: Int) {
        schedule(.event(event), to: i, after: .microseconds(40), life: machines[i].life)
    }
}

/// One machine of a stage: what outlives the process that runs there, and the process.
struct StageMachine {
    enum Write {
        case store(StoreRequest<StampedCommand, ControlState>)
        case incarnation(UInt64)
    }

    let name: String
    var birth: UInt64
    var host: UInt64
    /// Another one after each start of the machine.
    var boot: UInt64
    /// Where the disk was used last.
    var formerMachine = MachineID.unknown
    /// Why its node service ended.
    var stopped: StopReason?
    /// Messages that its release could not read, in words.
    var unreadable: [String] = []
    var incarnation: UInt64 = 0
    var life = 0
    var node: Node?
    var disk = StageDisk()
    var diskDelay: Duration = .microseconds(500)
    /// Under way, oldest first.
    var writes: [Write] = []
    var held: [String: (until: Instant, epoch: Epoch)] = [:]
    var isKeeperless = false

    init(name: String, birth: UInt64, host: UInt64) {
        self.name = name
        self.birth = birth
        self.host = host
        boot = host
    }

    /// The oldest write under way is on the disk.
    mutating func finishWrite() -> Event? {
        guard !writes.isEmpty else { return nil }
        switch writes.removeFirst() {
        case .store(let request):
            disk.apply(request)
            return .stored(sequence: request.sequence)
        case .incarnation(let number):
            incarnation = number
            return .incarnationRecorded(number)
        }
    }
}

struct StageDisk {
    private(set) var restored = Raft<StampedCommand, ControlState>.Restored()

    mutating func apply(_ request: StoreRequest<StampedCommand, ControlState>) {
        if let snapshot = request.snapshot { restored.snapshot = snapshot }
        if let index = request.truncateFrom { restored.entries.removeAll { $0.index >= index } }
        if let index = request.firstIndexKept { restored.entries.removeAll { $0.index < index } }
        restored.entries += request.entries
        if let hardState = request.hardState { restored.hardState = hardState }
    }
}

/// `#expect` for what changes something while it is found out.
func check(_ holds: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(holds, sourceLocation: sourceLocation)
}
