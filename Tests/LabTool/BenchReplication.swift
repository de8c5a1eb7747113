import Foundation
@preconcurrency import Glibc
import Lab

// Registrations on three nodes: ours beside Redis with two replicas, on the same machines and the same payload.

extension Bench {
    func replication() throws -> [Row] {
        var plan = ClusterPlan()
        plan.nodes = 3
        let lab = try Lab(plan)
        defer { lab.close() }
        let rows = try ownReplication(lab) + redisReplication(lab)
        do {
            return try rows + kamailioReplication(lab)
        } catch {
            // What was measured before it still counts.
            Self.tell("Kamailio: \(error)")
            return rows + [Row(name: "Kamailio DMQ did not come to an end", unit: "", sample: Sample([]))]
        }
    }

    /// Registrations that are copied to a fresh node.
    static let synced = 1_000_000
    private static let batch = 256

    private func ownReplication(_ lab: Lab) throws -> [Row] {
        var (rates, singles, syncs, sizes) = ([Double](), [Double](), [Double](), [Double]())
        for round in 0..<runs(5) {
            let trio = try ReplicaTrio(lab)
            defer { trio.end() }
            try trio.meet([0, 1, 2])
            // One by one, as a switch tells them; then as they come from one reading of its socket.
            let few = Self.synced / 5
            singles.append(Double(few) / (try trio.write(few, batch: 1, followers: 2)) / 1000)
            let many = Self.synced - few
            rates.append(Double(many) / (try trio.write(many, batch: Self.batch, followers: 2)) / 1000)
            try trio.restart(2)
            let before = trio.resident(2)
            let start = BootTime.now
            try trio.meet([2])
            let end = try trio.await(Self.synced, at: 2)
            syncs.append(end.milliseconds(since: start) / 1000)
            sizes.append((trio.resident(2) - before) / Double(Self.synced))
            Self.tell(
                String(
                    format: "round %d: %.0f thousand/s, sync %.2f s, %.0f bytes", round, rates.last ?? 0,
                    syncs.last ?? 0, sizes.last ?? 0))
        }
        return [
            Row(
                name: "registrations/s to both others", unit: "1000", sample: Sample(rates),
                target: ">= 200"),
            Row(name: "  written one by one", unit: "1000", sample: Sample(singles)),
            Row(name: "1,000,000 to a fresh node", unit: "s", sample: Sample(syncs), target: "< 3"),
            Row(
                name: "  resident memory of each there", unit: "bytes", sample: Sample(sizes),
                target: "<= 400"),
        ]
    }
}

/// Three replicas, each a process on a machine of its own; the middle one by name writes.
private final class ReplicaTrio {
    private let lab: Lab
    private var processes: [ReplicaProcess] = []
    private let secret = "only-for-the-bench-\(UInt64.random(in: 0 ... .max))"
    /// The writer is called by the last, and calls the others: either end may have the smaller name.
    private let names = ["b", "c", "a"]

    init(_ lab: Lab) throws {
        self.lab = lab
        for place in names.indices { processes.append(try start(place)) }
    }

    private func start(_ place: Int) throws -> ReplicaProcess {
        let others = names.indices.filter { $0 != place }.map {
            "\(names[$0])=\(lab.hosts[$0].machine.addresses[0])"
        }
        let machine = lab.hosts[place].machine
        return try ReplicaProcess(
            machine, [names[place], machine.addresses[0], secret, names[0]] + others)
    }

    /// Ends the one and starts a fresh one in its place, without links yet.
    func restart(_ place: Int) throws {
        processes[place].end()
        processes[place] = try start(place)
    }

    func meet(_ places: [Int]) throws { for place in places { _ = try processes[place].ask("meet") } }

    func write(_ count: Int, batch: Int, followers: Int) throws -> Double {
        try processes[0].ask("write \(count) \(batch) \(followers)")
    }

    /// When it had them, by its own word.
    @discardableResult
    func `await`(_ count: Int, at place: Int) throws -> BootTime {
        BootTime(nanoseconds: Int64(try processes[place].ask("has \(count)")))
    }

    /// In bytes.
    func resident(_ place: Int) -> Double { processes[place].resident }

    func end() { for process in processes { process.end() } }
}

/// One `fsdns-lab replica`, asked line by line.
private final class ReplicaProcess {
    private let machine: Machine
    private let pid: pid_t
    private let input: Int32
    private let file: String
    private var answers = 0

    init(_ machine: Machine, _ arguments: [String]) throws {
        self.machine = machine
        let (end, start) = try Launch.pipe()
        defer { close(end) }
        input = start
        file = "replica-\(BootTime.now.nanoseconds)"
        pid = try machine.start(
            [Programs().lab, "replica"] + arguments, outputFile: file, errorsFile: "replica.log", input: end)
        _ = try answer()
    }

    /// The number in the answer; 0 when there is none.
    func ask(_ line: String) throws -> Double {
        let text = line + "\n"
        guard Glibc.write(input, text, text.utf8.count) == text.utf8.count else {
            throw LabFailure("a replica is gone: \(machine.text(of: "replica.log"))")
        }
        return Double(try answer().split(separator: " ").last ?? "") ?? 0
    }

    private func answer() throws -> Substring {
        var lines: [Substring] = []
        try wait(for: "a replica's answer", atMost: 300, every: 2) {
            lines = machine.text(of: file).split(separator: "\n")
            if lines.count <= answers, machine.exitStatusIfEnded(pid) != nil {
                throw LabFailure("a replica ended: \(machine.text(of: "replica.log"))")
            }
            return lines.count > answers
        }
        answers += 1
        return lines[answers - 1]
    }

    var resident: Double { ProcessTable.resident(of: pid) }

    func end() {
        close(input)
        _ = machine.exitStatus(of: pid)
    }
}
