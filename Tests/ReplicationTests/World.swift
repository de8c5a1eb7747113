import Primitives
import Replication

/// Some replicas, links that delay and break, a control state that reaches each node in its own time, and true
/// time that no node knows: each has its own clock.
final class World {
    enum Delivery {
        case message([UInt8], from: String, to: String, link: Int)
        case broken(String, peer: String, link: Int)
        case control(Replica.Event, to: String, life: Int)
        case script(() -> Void)
    }

    struct Appointment {
        var at: Int64
        var delivery: Delivery
    }

    final class Machine {
        let name: String
        /// This machine's clock minus true time.
        var ahead: Int64
        var replica: Replica
        var life = 0
        var reports: [String] = []
        var synced: [StreamID] = []

        init(name: String, ahead: Int64, replica: Replica) {
            self.name = name
            self.ahead = ahead
            self.replica = replica
        }
    }

    let settings: Replica.Settings
    var samples: RecordSamples
    var time: Int64 = 1_000_000_000
    private(set) var machines: [String: Machine] = [:]
    private(set) var names: [String] = []
    /// The next one last.
    private var appointments: [Appointment] = []
    private var links: [Set<String>: Int] = [:]
    private var nextLink = 1
    /// When the newest message of a direction arrives: links keep the order.
    private var busyUntil: [String: Int64] = [:]
    var delay: ClosedRange<Int> = 100_000...2_000_000
    /// Told of every change in a copy: machine, stream, change.
    var onChange: (Machine, StreamID, Change) -> Void = { _, _, _ in }
    var onDelivery: () -> Void = {}
    var messages: [[UInt8]] = []
    var keepsMessages = false

    init(seed: UInt64, settings: Replica.Settings, names: [String]) {
        self.settings = settings
        samples = RecordSamples(seed: seed)
        self.names = names
        for name in names {
            let ahead = Int64(samples.int(0...1_000_000)) * 1_000_000
            let now = Instant(nanoseconds: time + ahead)
            let seed = samples.generator.next()
            let replica = Replica(me: name, settings: settings, seed: seed, at: now)
            machines[name] = Machine(name: name, ahead: ahead, replica: replica)
        }
    }

    subscript(name: String) -> Machine { machines[name]! }

    func clock(_ machine: Machine) -> Instant { Instant(nanoseconds: time + machine.ahead) }

    func give(_ name: String, _ event: Replica.Event) {
        let machine = self[name]
        act(machine, machine.replica.handle(event, at: clock(machine)))
    }

    /// Tells a machine something a little later, after all it was told before.
    func tell(_ name: String, _ event: Replica.Event) {
        let at = arrival(of: "control \(name)")
        schedule(at, .control(event, to: name, life: self[name].life))
    }

    func after(_ nanoseconds: Int, _ script: @escaping () -> Void) {
        schedule(time + Int64(nanoseconds), .script(script))
    }

    func isLinked(_ a: String, _ b: String) -> Bool { links[[a, b]] != nil }

    func connect(_ a: String, _ b: String) {
        guard links[[a, b]] == nil, a != b else { return }
        links[[a, b]] = nextLink
        nextLink += 1
        give(a, .connected(b))
        give(b, .connected(a))
    }

    func connectAll() {
        for a in names { for b in names where a < b { connect(a, b) } }
    }

    /// What is on the way is lost; each side notices in its own time.
    func cut(_ a: String, _ b: String) {
        guard let link = links.removeValue(forKey: [a, b]) else { return }
        schedule(arrival(of: "\(b)>\(a)"), .broken(a, peer: b, link: link))
        schedule(arrival(of: "\(a)>\(b)"), .broken(b, peer: a, link: link))
    }

    /// The machine comes back with nothing.
    func restart(_ name: String) {
        let machine = self[name]
        for other in names where links[[name, other]] != nil {
            links[[name, other]] = nil
            give(other, .disconnected(name))
        }
        machine.life += 1
        machine.ahead = Int64(samples.int(0...1_000_000)) * 1_000_000
        machine.replica = Replica(
            me: name, settings: settings, seed: samples.generator.next(), at: clock(machine))
    }

    func run(for nanoseconds: Int64) {
        let end = time + nanoseconds
        while let (at, isTick) = nextStep(), at <= end {
            time = max(time, at)
            if isTick { tickDue() } else { deliver(appointments.removeLast().delivery) }
            onDelivery()
        }
        time = end
    }

    private func nextStep() -> (at: Int64, isTick: Bool)? {
        var tick = Int64.max
        for name in names {
            let machine = self[name]
            guard let deadline = machine.replica.nextDeadline else { continue }
            tick = min(tick, max(time, deadline.nanoseconds - machine.ahead))
        }
        guard let next = appointments.last else { return tick == .max ? nil : (tick, true) }
        return tick < next.at ? (tick, true) : (next.at, false)
    }

    private func tickDue() {
        for name in names {
            let machine = self[name]
            guard let deadline = machine.replica.nextDeadline, deadline <= clock(machine) else { continue }
            give(name, .tick)
        }
    }

    private func deliver(_ delivery: Delivery) {
        switch delivery {
        case .script(let script): script()
        case .control(let event, let name, let life): if self[name].life == life { give(name, event) }
        case .broken(let name, let peer, _):
            if links[[name, peer]] == nil { give(name, .disconnected(peer)) }
        case .message(let bytes, let from, let to, let link):
            guard links[[from, to]] == link else { return }
            guard let message = try? ReplicaMessage(decoding: bytes) else {
                preconditionFailure("a message of a replica cannot be read")
            }
            give(to, .received(message, from: from))
        }
    }

    private func act(_ machine: Machine, _ effects: [Replica.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let message, let peer):
                let bytes = message.encoded()
                precondition(bytes.count <= ReplicationLimits.message, "a message is too large")
                if keepsMessages { messages.append(bytes) }
                guard let link = links[[machine.name, peer]] else { continue }
                let at = arrival(of: "\(machine.name)>\(peer)")
                schedule(at, .message(bytes, from: machine.name, to: peer, link: link))
            case .changed(let stream, let changes):
                for change in changes { onChange(machine, stream, change) }
            case .synced(let stream, _): machine.synced.append(stream)
            case .report(let text): machine.reports.append(text)
            case .reset: break
            }
        }
    }

    private func arrival(of direction: String) -> Int64 {
        let at = max(busyUntil[direction] ?? 0, time + Int64(samples.int(delay)))
        busyUntil[direction] = at
        return at
    }

    private func schedule(_ at: Int64, _ delivery: Delivery) {
        var (low, high) = (0, appointments.count)
        while low < high {
            let middle = (low + high) / 2
            if appointments[middle].at > at { low = middle + 1 } else { high = middle }
        }
        appointments.insert(Appointment(at: at, delivery: delivery), at: low)
    }
}

extension World {
    /// All live records of a copy.
    func content(_ name: String, _ stream: StreamID) -> [Record] {
        var records: [Record] = []
        var cursor: PageCursor?
        repeat {
            let page = self[name].replica.page(of: stream, after: cursor, limit: 37, at: clock(self[name]))
            records += page.records
            cursor = page.next
        } while cursor != nil
        return records
    }

    /// The same without ends, in the order of keys: to compare copies.
    func values(_ name: String, _ stream: StreamID) -> [String] {
        content(name, stream).map { "\($0.kind) \($0.key) \($0.payload)" }.sorted()
    }
}
