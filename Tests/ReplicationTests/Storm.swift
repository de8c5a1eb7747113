import Primitives
import Replication

/// A storm over a small world: writes, cuts, takeovers, releases, restarts, and a judge who knows true time.
final class Storm {
    /// What is true of one payload; payloads are unique.
    struct Truth {
        var epoch: Epoch
        /// In true time; `.max` for none.
        var end: Int64
    }

    /// One stream as the judge knows it.
    final class Ledger {
        let stream: StreamID
        /// Who has begun to write.
        var writer: String?
        /// The newest in the control state, and whom it names.
        var holder: String?
        var epoch = Epoch.zero
        /// The newest owned: what its writer had when it began.
        var inherited: [Epoch: Set<[UInt8]>] = [:]
        /// What the writer's copy must hold: key to payload.
        var model: [[UInt8]: [UInt8]] = [:]

        init(_ stream: StreamID) { self.stream = stream }
    }

    let world: World
    let names = ["a", "b", "c", "d"]
    private(set) var ledgers: [Ledger]
    private var truths: [[UInt8]: Truth] = [:]
    private var written = 0
    private var owns = 0
    private(set) var takeovers = 0
    private(set) var faults: [String] = []

    init(seed: UInt64) {
        var samples = RecordSamples(seed: seed &* 31)
        let frame = [1024, 2048, 65_536][samples.int(0...2)]
        let settings = Replica.Settings(
            removalBytes: [600, 4096, 1 << 20][samples.int(0...2)], streamWindow: frame * samples.int(1...4),
            peerWindow: frame * samples.int(4...8), frameBytes: frame,
            sweepCount: [3, 50, 4096][samples.int(0...2)])
        world = World(seed: seed, settings: settings, names: names)
        ledgers = [Ledger(.address("m1")), Ledger(.address("m2")), Ledger(.node("a"))]
        world.onChange = { [unowned self] machine, stream, change in judge(machine, stream, change) }
        world.onDelivery = { [unowned self] in judgeAcknowledgements() }
    }

    /// Returns what was wrong.
    func run(steps: Int) -> [String] {
        world.connectAll()
        for ledger in ledgers { appoint(ledger) }
        for _ in 0..<steps {
            step()
            world.run(for: Int64(world.samples.int(0...300)) * 1_000_000)
            if faults.count > 3 { return faults }
        }
        calm()
        return faults
    }

    private func step() {
        let ledger = ledgers[world.samples.int(0...(ledgers.count - 1))]
        let (a, b) = (any(), any())
        switch world.samples.int(0...99) {
        case 0..<60: write(to: ledger)
        case 60..<72: world.cut(a, b)
        case 72..<88: world.connect(a, b)
        case 88..<94: appoint(ledger)
        case 94..<96: vacate(ledger)
        case 96: restart(a)
        default: lateWrite(to: ledger)
        }
    }

    private func any() -> String { names[world.samples.int(0...(names.count - 1))] }

    /// The control state gives the stream to a node, which begins a little after it knows.
    private func appoint(_ ledger: Ledger) {
        owns += 1
        ledger.epoch = Epoch(term: 1, index: UInt64(owns))
        if case .node(let name) = ledger.stream {
            ledger.writer = name
            begin(ledger, name)
            return
        }
        let name = any()
        takeovers += 1
        ledger.writer = nil
        ledger.holder = name
        for other in names { world.tell(other, .writer(ledger.stream, name, ledger.epoch)) }
        let (epoch, life) = (ledger.epoch, world[name].life)
        world.after(world.samples.int(3_000_000...30_000_000)) { [unowned self] in
            guard ledger.epoch == epoch, world[name].life == life else { return }
            ledger.writer = name
            begin(ledger, name)
        }
    }

    private func begin(_ ledger: Ledger, _ name: String) {
        world.give(name, .own(ledger.stream, ledger.epoch))
        let content = world.content(name, ledger.stream)
        ledger.inherited[ledger.epoch] = Set(content.map(\.payload))
        ledger.model = [:]
        for record in content { ledger.model[record.key] = record.payload }
    }

    /// The writer is dead to the control state, and nobody follows it yet.
    private func vacate(_ ledger: Ledger) {
        guard case .address = ledger.stream else { return }
        owns += 1
        ledger.epoch = Epoch(term: 1, index: UInt64(owns))
        ledger.writer = nil
        ledger.holder = nil
        for other in names { world.tell(other, .writer(ledger.stream, nil, ledger.epoch)) }
    }

    private func restart(_ name: String) {
        world.restart(name)
        for ledger in ledgers {
            if case .address = ledger.stream {
                if ledger.writer == name { vacate(ledger) }
                world.tell(name, .writer(ledger.stream, ledger.holder, ledger.epoch))
            } else if ledger.writer == name {
                appoint(ledger)
            }
        }
    }

    private func write(to ledger: Ledger) {
        guard let writer = ledger.writer else { return }
        var writes: [Write] = []
        for _ in 0..<world.samples.int(1...(world.samples.chance(5) ? 200 : 8)) {
            let key = Array("key \(world.samples.int(0...120))".utf8)
            if world.samples.chance(25) {
                writes.append(.remove(.limitUsage, key: key))
                ledger.model[key] = nil
            } else {
                let record = record(key, writer, ledger.epoch)
                writes.append(.put(record))
                ledger.model[key] = record.payload
            }
        }
        world.give(writer, .write(ledger.stream, writes))
    }

    private func record(_ key: [UInt8], _ writer: String, _ epoch: Epoch) -> Record {
        written += 1
        let size = world.samples.chance(2) ? world.samples.int(0...20_000) : world.samples.int(0...300)
        let payload = Array("\(written) ".utf8) + [UInt8](repeating: 7, count: size)
        var end = Int64.max
        if world.samples.chance(40) { end = world.time + Int64(world.samples.int(1...20_000)) * 1_000_000 }
        truths[payload] = Truth(epoch: epoch, end: end)
        let expires = end == .max ? nil : Instant(nanoseconds: end + world[writer].ahead)
        return Record(kind: .limitUsage, key: key, expires: expires, payload: payload)
    }

    /// A node that lost its right does not know it yet and writes on.
    private func lateWrite(to ledger: Ledger) {
        guard case .address = ledger.stream else { return }
        for name in names where name != ledger.writer {
            guard let status = world[name].replica.status(of: ledger.stream), status.isOwned else { continue }
            let key = Array("key \(world.samples.int(0...120))".utf8)
            world.give(name, .write(ledger.stream, [.put(record(key, name, status.position.epoch))]))
        }
    }

    private func judge(_ machine: World.Machine, _ stream: StreamID, _ change: Change) {
        guard case .put(let record) = change else { return }
        guard let truth = truths[record.payload] else {
            return fault("\(machine.name) has a record nobody wrote in \(stream)")
        }
        judgeEnd(machine, record, truth)
        guard let ledger = ledgers.first(where: { $0.stream == stream }),
            let status = machine.replica.status(of: stream)
        else { return fault("\(machine.name) has no \(stream)") }
        let at = status.position.epoch
        if truth.epoch > at { fault("\(machine.name) at \(at) has a record of \(truth.epoch)") }
        if truth.epoch < at, ledger.inherited[at]?.contains(record.payload) == false {
            fault("\(machine.name) took a late write of \(truth.epoch) in \(stream) at \(at)")
        }
    }

    private func judgeEnd(_ machine: World.Machine, _ record: Record, _ truth: Truth) {
        let end = record.expires.map { $0.nanoseconds - machine.ahead } ?? .max
        if end > truth.end { fault("\(machine.name) lengthened an end by \(end - truth.end) ns") }
        // A hop costs at most a round trip (4 ms here) and what two clocks may have parted since it was measured.
        let hop: Int64 = 4_000_000 + 4_000_000
        if truth.end != .max, end < truth.end - hop * Int64(takeovers + 2) {
            fault("\(machine.name) shortened an end by \(truth.end - end) ns")
        }
    }

    private func judgeAcknowledgements() {
        for ledger in ledgers {
            guard let writer = ledger.writer, let own = world[writer].replica.status(of: ledger.stream),
                own.isOwned
            else { continue }
            for follower in own.followers where follower.sequence > 0 && world.isLinked(writer, follower.peer)
            {
                guard let copy = world[follower.peer].replica.status(of: ledger.stream) else { continue }
                if copy.position.epoch == own.position.epoch, copy.source == writer,
                    copy.position.sequence < follower.sequence, copy.isComplete
                {
                    fault(
                        "\(follower.peer) has lost \(ledger.stream) from \(copy.position) to \(follower.sequence)"
                    )
                }
            }
        }
    }

    /// Everything heals; then every copy must be the writer's, and the writer's what was written.
    private func calm() {
        world.run(for: 100_000_000)
        for ledger in ledgers where ledger.writer == nil { appoint(ledger) }
        world.run(for: 100_000_000)
        world.connectAll()
        world.run(for: 30_000_000_000)
        for ledger in ledgers {
            guard let writer = ledger.writer else { continue }
            let own = world[writer].replica.status(of: ledger.stream)
            let wanted = world.values(writer, ledger.stream)
            for name in names where name != writer {
                let copy = world[name].replica.status(of: ledger.stream)
                if world.values(name, ledger.stream) != wanted || copy?.digest != own?.digest
                    || copy?.position != own?.position || copy?.isComplete != true
                {
                    let reports = world[name].reports.suffix(3).joined(separator: "; ")
                    fault("\(name) did not come to have \(ledger.stream) as \(writer) has it: \(reports)")
                }
                for record in world.content(name, ledger.stream) {
                    if let truth = truths[record.payload] { judgeEnd(world[name], record, truth) }
                }
            }
            judgeModel(ledger, writer)
        }
        // The digests are there for faults of memory and of this code: no storm may need them.
        for name in names {
            if let report = world[name].reports.first(where: { $0.contains("differs") }) {
                fault("\(name) reported: \(report)")
            }
        }
    }

    private func judgeModel(_ ledger: Ledger, _ writer: String) {
        let content = world.content(writer, ledger.stream)
        var found: [[UInt8]: [UInt8]] = [:]
        for record in content { found[record.key] = record.payload }
        if found.count != content.count { fault("\(writer) has a key twice in \(ledger.stream)") }
        for number in 0...120 {
            let key = Array("key \(number)".utf8)
            let wanted = ledger.model[key]
            let end = wanted.flatMap { truths[$0]?.end } ?? 0
            if found[key] != wanted, wanted == nil || found[key] != nil || end > world.time + 500_000_000 {
                fault("\(writer)'s \(ledger.stream) has not what was written under key \(number)")
            }
            if found[key] != nil, end < world.time { fault("\(writer) keeps a record that has ended") }
        }
    }

    private func fault(_ text: String) { faults.append("at \(world.time / 1_000_000) ms: \(text)") }
}
