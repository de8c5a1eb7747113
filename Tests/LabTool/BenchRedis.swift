import Foundation
@preconcurrency import Glibc
import Lab

// Redis with two replicas, on data like ours: keys and values as long as the keys and payloads of our records.

extension Bench {
    func redisReplication(_ lab: Lab) throws -> [Row] {
        let record = RegistrationSource().record()
        Self.tell("a record has \(record.key.count) bytes of key, \(record.payload.count) of payload")
        let value = (0..<record.payload.count).map { _ in
            "abcdefghijklmnopqrstuvwxyz0123456789".randomElement()!
        }
        let data = RedisData(keySize: record.key.count, value: String(value))
        let machines = lab.hosts.map(\.machine)
        var (rates, syncs, residents, sizes) = ([Double](), [Double](), [Double](), [Double]())
        for round in 0..<runs(5) {
            let primary = try RedisServer(on: machines[0])
            defer { primary.end() }
            sizes.append(try data.fill(primary, Self.synced))
            let fresh = try RedisServer(on: machines[1])
            defer { fresh.end() }
            let before = fresh.resident
            syncs.append(try fresh.follow(primary, until: Self.synced))
            residents.append((fresh.resident - before) / Double(Self.synced))
            let other = try RedisServer(on: machines[2])
            defer { other.end() }
            _ = try primary.client.text("FLUSHALL")
            _ = try other.follow(primary, until: 0)
            rates.append(try data.stream(to: primary, [fresh, other], Self.synced))
            Self.tell("round \(round): \(rates.last ?? 0) thousand/s, sync \(syncs.last ?? 0) s")
        }
        return [
            Row(name: "Redis: SETs/s until both replicas have them", unit: "1000", sample: Sample(rates)),
            Row(name: "  1,000,000 keys to a fresh replica", unit: "s", sample: Sample(syncs)),
            Row(name: "  resident memory of each there", unit: "bytes", sample: Sample(residents)),
            Row(name: "  used_memory of each", unit: "bytes", sample: Sample(sizes)),
        ]
    }
}

/// What is stored: keys and a value of given sizes.
private struct RedisData {
    /// Beside the twelve digits redis-benchmark puts in.
    let keySize: Int
    let value: String

    /// `COUNT` different keys into a primary without replicas; returns the bytes its allocator spent on each.
    func fill(_ server: RedisServer, _ count: Int) throws -> Double {
        let before = try server.usedMemory()
        _ = try server.client.text(
            "EVAL",
            "for i = 1, \(count) do redis.call('SET', string.format('%012d', i) .. ARGV[1], ARGV[2], 'EX', 3600) end",
            "0", padding, value)
        guard try server.client.command("DBSIZE") == count else {
            throw LabFailure("redis-server kept too little")
        }
        return (try server.usedMemory() - before) / Double(count)
    }

    private var padding: String { String(repeating: "k", count: keySize - 12) }

    /// Pipelined SETs; in thousands a second, until all replicas have applied the last.
    func stream(to primary: RedisServer, _ replicas: [RedisServer], _ count: Int) throws -> Double {
        let start = BootTime.now
        _ = try primary.machine.check(
            [
                "redis-benchmark", "-p", "\(RedisServer.port)", "-c", "16", "-P", "16", "-n", "\(count)",
                "-r",
                "\(count)", "-q", "SET", "__rand_int__" + padding, value, "EX", "3600",
            ], seconds: 300)
        let offset = try primary.offset()
        for replica in replicas {
            try wait(for: "a replica to catch up", atMost: 120, every: 1) { try replica.offset() >= offset }
        }
        return Double(count) / BootTime.now.milliseconds(since: start)
    }
}

/// A redis-server without persistence on one machine.
private final class RedisServer {
    static let port: UInt16 = 6379
    let machine: Machine
    let client: RedisClient
    private let pid: pid_t

    init(on machine: Machine) throws {
        self.machine = machine
        // What a replica before it received.
        unlink(machine.directory + "/dump.rdb")
        pid = try machine.start(
            [
                "redis-server", "--port", "\(Self.port)", "--bind", "0.0.0.0", "--protected-mode", "no",
                "--save",
                "", "--appendonly", "no", "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0",
                "--client-output-buffer-limit", "replica 2gb 2gb 0", "--dir", machine.directory,
            ], outputFile: "redis.log", errorsFile: "redis.log")
        var client: RedisClient?
        try wait(for: "redis-server to answer", atMost: 10) {
            client = try? RedisClient(Self.port, on: machine, seconds: 120)
            return client != nil
        }
        guard let client else { throw LabFailure("redis-server does not answer") }
        self.client = client
    }

    /// In bytes.
    var resident: Double { ProcessTable.resident(of: pid) }

    func usedMemory() throws -> Double { Double(try client.info("memory", "used_memory")) ?? 0 }

    func offset() throws -> Int {
        let isReplica = try client.info("replication", "role") == "slave"
        let field = isReplica ? "slave_repl_offset" : "master_repl_offset"
        return Int(try client.info("replication", field)) ?? 0
    }

    /// Becomes a replica; returns how many seconds it took until it had all of so many keys.
    func follow(_ primary: RedisServer, until count: Int) throws -> Double {
        let start = BootTime.now
        _ = try client.text("REPLICAOF", primary.machine.addresses[0], "\(Self.port)")
        try wait(for: "a replica to be in step", atMost: 120, every: 2) {
            try client.info("replication", "master_link_status") == "up" && client.command("DBSIZE") >= count
        }
        return BootTime.now.milliseconds(since: start) / 1000
    }

    func end() {
        kill(pid, SIGKILL)
        _ = machine.exitStatus(of: pid)
    }
}
