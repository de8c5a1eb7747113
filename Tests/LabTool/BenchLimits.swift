import Foundation
@preconcurrency import Glibc
import Lab

// The limit service beside redis-server, asked by the same client in turn; then what three of it agree on.

extension Bench {
    private static let ours: UInt16 = 6380
    private static let theirs: UInt16 = 6379
    private static let password = SwitchProcess.ownPassword

    func limits() throws -> [Row] {
        var plan = ClusterPlan()
        plan.nodes = 3
        plan.limitsOnly = true
        let lab = try Lab(plan)
        defer { lab.close() }
        for host in lab.hosts { try host.start() }
        try lab.waitUntilSettled()
        let machine = lab.hosts[0].machine
        try machine.start(
            [
                "redis-server", "--port", "\(Self.theirs)", "--bind", "127.0.0.1", "--save", "",
                "--appendonly",
                "no", "--requirepass", Self.password,
            ], outputFile: "redis.log", errorsFile: "redis.log")
        try wait(for: "redis-server to answer", atMost: 10) {
            (try? RedisClient(Self.theirs, on: machine, password: Self.password)) != nil
        }
        return try checks(on: machine) + visibility(lab) + overshoot(lab)
    }

    // MARK: Side by side

    /// One way to ask: so many connections, and commands on each before its replies are awaited.
    private struct Asking {
        var clients: Int
        var pipeline: Int
        var requests: Int
    }

    private struct Figures {
        var median: [Double] = []
        var percentile99: [Double] = []
        var rate: [Double] = []
    }

    private func checks(on machine: Machine) throws -> [Row] {
        let askings = [
            Asking(clients: 1, pipeline: 1, requests: 100_000),
            Asking(clients: 50, pipeline: 1, requests: 200_000),
            Asking(clients: 1, pipeline: 16, requests: 400_000),
            Asking(clients: 50, pipeline: 16, requests: 1_000_000),
        ]
        var rows: [Row] = []
        for asking in askings {
            var figures = [Figures(), Figures()]
            for round in 0..<runs(15) {
                // Whoever is second finds the machine as the first left it: take turns at that too.
                for place in round.isMultiple(of: 2) ? [0, 1] : [1, 0] {
                    try ask(machine, place == 0 ? Self.ours : Self.theirs, asking, into: &figures[place])
                }
            }
            let name =
                "INCR, \(asking.clients) client\(asking.clients == 1 ? "" : "s"), pipeline \(asking.pipeline)"
            for (who, figures) in zip(["limit service", "redis-server"], figures) {
                rows += [
                    Row(name: "\(name): \(who) p50", unit: "µs", sample: Sample(figures.median)),
                    Row(name: "  p99", unit: "µs", sample: Sample(figures.percentile99)),
                    Row(name: "  checks a second", unit: "1000", sample: Sample(figures.rate)),
                ]
            }
        }
        return rows
    }

    private func ask(_ machine: Machine, _ port: UInt16, _ asking: Asking, into figures: inout Figures) throws
    {
        let text = try machine.check(
            [
                "redis-benchmark", "-h", "127.0.0.1", "-p", "\(port)", "-a", Self.password, "-c",
                "\(asking.clients)", "-P", "\(asking.pipeline)", "-n", "\(asking.requests)", "--csv", "INCR",
                "carrier1",
            ], seconds: 120)
        // "test","rps","avg_latency_ms","min…","p50…","p95…","p99…","max…"
        let values = text.split(separator: "\n").last?.split(separator: ",").map {
            Double($0.trimmingCharacters(in: CharacterSet(charactersIn: "\"")))
        }
        guard let values, values.count == 8, let rate = values[1], let median = values[4],
            let late = values[6]
        else { throw LabFailure("redis-benchmark said: \(text)") }
        figures.rate.append(rate / 1000)
        figures.median.append(median * 1000)
        figures.percentile99.append(late * 1000)
    }

    // MARK: Three nodes

    /// How long until a call counted at one node is in the totals of both others.
    private func visibility(_ lab: Lab) throws -> [Row] {
        let clients = try lab.hosts.map {
            try RedisClient(Self.ours, on: $0.machine, password: Self.password)
        }
        var delays: [Double] = []
        for round in 0..<runs(500) {
            let total = try clients[round % 3].command("INCR", "seen")
            let moment = BootTime.now
            for other in clients.indices where other != round % 3 {
                while try clients[other].command("GET", "seen") < total {
                    guard BootTime.now.milliseconds(since: moment) < 5000 else {
                        throw LabFailure("a total was not seen for 5 s")
                    }
                    usleep(100)
                }
            }
            delays.append(BootTime.now.milliseconds(since: moment))
            pause(milliseconds: Double.random(in: 2...6))
        }
        return [
            Row(name: "a total is seen by both other nodes after", sample: Sample(delays), target: "< 20")
        ]
    }

    /// A rate of 100 a second for the cluster, three times as much wanted, a third of it at each node.
    private func overshoot(_ lab: Lab) throws -> [Row] {
        let (limit, wanted) = (100, 100.0)
        let seconds = isQuick ? 6 : 22
        let start = Int(time(nil)) + 2
        let end = start + seconds
        let takers = try lab.hosts.enumerated().map { index, host in
            try RateTaker(
                client: RedisClient(Self.ours, on: host.machine, password: Self.password), limit: limit,
                perSecond: wanted, phase: Double(index) / 3)
        }
        for taker in takers { taker.start(from: start, until: end) }
        let taken = try takers.map { try $0.result() }
        let excess = (start..<end).map { window -> Double in
            let sum = taken.reduce(0) { $0 + $1[window, default: 0] }
            return Double(max(0, sum - limit)) * 100 / Double(limit)
        }
        let least = (start..<end).map { window in Double(taken.reduce(0) { $0 + $1[window, default: 0] }) }
            .min()
        guard let least, least >= Double(limit) * 0.9 else {
            throw LabFailure("the rate limit let only \(least ?? 0) of \(limit) pass")
        }
        return [
            Row(
                name: "rate 100/s, 300/s wanted: more than allowed", unit: "%", sample: Sample(excess),
                target: "< 10")
        ]
    }
}

/// Takes a rate limit as mod_hiredis does (mod_hiredis.c, hiredis_limit_incr), evenly spread over each second.
private final class RateTaker: @unchecked Sendable {
    private let client: RedisClient
    private let limit: Int
    private let perSecond: Double
    private let phase: Double
    private let done = DispatchSemaphore(value: 0)
    private var taken: Result<[Int: Int], any Error> = .success([:])

    /// - Parameter phase: which part of its pause the first one waits.
    init(client: RedisClient, limit: Int, perSecond: Double, phase: Double) {
        self.client = client
        self.limit = limit
        self.perSecond = perSecond
        self.phase = phase
    }

    func start(from start: Int, until end: Int) {
        Thread { [self] in
            taken = Result { try take(from: start, until: end) }
            done.signal()
        }.start()
    }

    /// How many passed in each second.
    func result() throws -> [Int: Int] {
        done.wait()
        return try taken.get()
    }

    private func take(from start: Int, until end: Int) throws -> [Int: Int] {
        var passed: [Int: Int] = [:]
        for turn in 0..<Int(Double(end - start) * perSecond) {
            let due = Double(start) + (Double(turn) + phase) / perSecond
            var now = Date().timeIntervalSince1970
            if due > now { usleep(UInt32((due - now) * 1_000_000)) }
            now = Date().timeIntervalSince1970
            let window = Int(now)
            let key = "cps_\(window)"
            let count = try client.command("INCR", key)
            if count == 1 { _ = try client.command("EXPIRE", key, "1") }
            if count > limit {
                _ = try client.command("DECR", key)
            } else {
                passed[window, default: 0] += 1
            }
        }
        return passed
    }
}
