import Cluster
@preconcurrency import Glibc
import Primitives

/// The demonstration step by step; each step is checked within its bound, and any failure ends the story.
struct DemoStory {
    let site: DemoSite
    private(set) var processes = DemoProcesses()
    let narrator = Narrator()
    private let signals: SignalWait
    /// Facts for the summary, in the order they were found.
    var facts: [(String, String)] = []
    /// The node that was sent into maintenance.
    private(set) var drained: String?
    /// Ended on purpose.
    private(set) var killed: String?

    init(site: DemoSite, signals: SignalWait) {
        self.site = site
        self.signals = signals
    }

    /// The node that is asked; never the one that is killed.
    private(set) var asked = "fs4"

    var client: ControlClient {
        ControlClient(path: site.control(asked), patience: .seconds(2))
    }

    private var lookup: Lookup {
        get throws(DemoFailure) {
            guard let server = Endpoint(site.zoneServer) else {
                throw DemoFailure("\(site.zoneServer) is no address")
            }
            return Lookup(server: server)
        }
    }

    mutating func run() throws(DemoFailure) {
        try site.write()
        say("keys, zone and cluster file are in \(site.directory)")
        try serveZone()
        try form()
        try drain()
        try takeOver()
        facts.append(("whole demonstration", WaitOptions.elapsed(narrator.clock.elapsed)))
    }

    mutating func stop() { processes.stop() }

    private mutating func serveZone() throws(DemoFailure) {
        try processes.start(
            "zone",
            [
                "zone", "serve", "--zone-file", site.zoneFile, "--listen", site.zoneServer, "--key-file",
                site.keyFile,
            ],
            log: site.log("zone"))
        let lookup = try lookup
        try waitFor("the zone server to answer", within: .seconds(10)) {
            if case .records(let records) = lookup.ask(DemoSite.zone, .soa) { return !records.isEmpty }
            return false
        }
        say("a name server for \(DemoSite.zone) answers at \(site.zoneServer)")
    }

    private mutating func form() throws(DemoFailure) {
        let began = narrator.clock.elapsed
        for node in DemoSite.nodes {
            try processes.start(
                Self.switchName(node), program: Self.standIn, site.switchArguments(node),
                log: site.log(Self.switchName(node)))
        }
        say("a stand-in FreeSWITCH is beside each node: event socket, profiles, recovery table")
        for node in DemoSite.nodes {
            try processes.start(
                node,
                [
                    "node", "--config", site.configFile, "--name", node, "--state-dir", site.state(node),
                    "--control", site.control(node),
                ], log: site.log(node))
        }
        say("five nodes are starting: three seats, two spares")
        let client = client
        var last: StatusReport?
        try waitFor("the cluster to form with three active, published seats", within: .seconds(30)) {
            guard let report = try? client.status() else { return false }
            last = report
            return Self.isWhole(report, masters: 3, slaves: 2)
        }
        let took = WaitOptions.elapsed(narrator.clock.elapsed - began)
        say("the cluster has formed and its zone is true (\(took))")
        facts.append(("five nodes to a formed cluster", took))
        if let last { narrator.show(last) }
        try showAnswer(expecting: [11, 12, 13])
    }

    private mutating func drain() throws(DemoFailure) {
        let holder = try status().seats.first { $0.name == "master2" }?.holder
        say("fsdns drain master2")
        let began = narrator.clock.elapsed
        let request = DrainRequest(
            target: "master2", deadline: nil, onDeadline: .wait, reason: "demonstration",
            dryRun: false, who: Operator.name)
        var watch: MoveWatch
        do throws(CommandFailure) {
            guard case .accepted(let epoch, let lines) = try client.ask(.drain(request)) else {
                throw CommandFailure.refused(["an answer that is no acceptance"])
            }
            for line in lines { say("  \(line)") }
            watch = MoveWatch(.drained(seat: "master2", from: holder), accepted: epoch)
        } catch {
            throw DemoFailure("the drain was refused: \(error.lines.joined(separator: "; "))")
        }
        let client = client
        let narrator = narrator
        try waitFor("the drain to end", within: .seconds(20)) {
            guard let report = try? client.status() else { return false }
            for line in watch.observe(report, at: narrator.clock.elapsed - began) {
                narrator.say("  \(line)")
            }
            return watch.outcome != nil
        }
        if case .aborted(let why)? = watch.outcome { throw DemoFailure(why) }
        drained = holder
        let took = WaitOptions.elapsed(narrator.clock.elapsed - began)
        if case .finished(let text)? = watch.outcome {
            say("\(text); \(site.address(12)) is now the maintenance address (\(took))")
        }
        facts.append(("drain of master2", took))
        try showAnswer(expecting: [11, 13, 19])
    }

    private mutating func takeOver() throws(DemoFailure) {
        let report = try status()
        // A master that does not lead shows the plain case: silence, fence, takeover.
        let candidates = report.seats.filter { $0.name != "master2" && $0.holder != nil }
        guard let seat = candidates.first(where: { $0.holder != report.leader }) ?? candidates.first,
            let victim = seat.holder, let ip = IPAddress(seat.address)
        else { throw DemoFailure("there is no other master to kill") }
        let calls = try bringUpCalls(on: victim, seat)
        say("SIGKILL to \(victim), its node service and its switch; it holds \(seat.name) at \(seat.address)")
        let clock = try TakeoverClock(Endpoint(ip: ip, port: DemoSite.probePort))
        guard let answering = clock.holder(within: .seconds(1)), answering == victim else {
            throw DemoFailure("\(victim) does not answer at \(seat.address), port \(DemoSite.probePort)")
        }
        let processes = processes
        killed = victim
        if victim == asked { asked = "fs5" }
        guard
            let result = clock.measure(
                victim, within: .seconds(10),
                kill: {
                    processes.kill(victim)
                    processes.kill(Self.switchName(victim))
                })
        else {
            throw DemoFailure("no other node answered at \(seat.address) within 10s of the kill")
        }
        let gap = Self.milliseconds(result.gap)
        say("\(result.to) answers at \(seat.address): \(gap) from the last answer of \(victim) to its first")
        facts.append(("takeover of \(seat.name), \(victim) → \(result.to)", gap))
        let client = client
        try waitFor("\(seat.name) to be active on \(result.to)", within: .seconds(10)) {
            guard let report = try? client.status() else { return false }
            return Self.isWhole(report, masters: 3, slaves: 0)
                && report.seats.contains { $0.name == seat.name && $0.holder == result.to }
        }
        try showRecovery(of: calls, on: result.to)
        narrator.show(try status())
        try showAnswer(expecting: [11, 13, 19])
    }

    static func isWhole(_ report: StatusReport, masters: Int, slaves: Int) -> Bool {
        report.forming == nil && report.leader != nil && report.dns?.converged == true
            && report.seats.count { $0.state == .active && $0.published } == masters
            && report.nodes.count { $0.role == .slave } >= slaves
    }

    private func status() throws(DemoFailure) -> StatusReport {
        do throws(CommandFailure) { return try client.status() } catch {
            throw DemoFailure(error.lines.joined(separator: "; "))
        }
    }

    /// Waits for a truth, and notices ^C and processes that end when they should not.
    mutating func waitFor(
        _ what: String, within bound: Duration, _ isTrue: () throws -> Bool
    ) throws(DemoFailure) {
        let began = narrator.clock.elapsed
        while true {
            if (try? isTrue()) == true { return }
            for child in processes.reap() where !isExpected(child.name) {
                throw DemoFailure("\(child.name) \(child.ended ?? "ended") while waiting for \(what)")
            }
            if narrator.clock.elapsed - began > bound {
                throw DemoFailure("waited \(OperatorDuration.text(bound)) in vain for \(what)")
            }
            if signals.next(within: .milliseconds(100)) != nil { throw .interrupted }
        }
    }

    /// Shows the service's addresses as a caller sees them, and checks them.
    private mutating func showAnswer(expecting hosts: [Int]) throws(DemoFailure) {
        let lookup = try lookup
        let expected = hosts.map(site.address).sorted()
        var got: [String] = []
        do throws(DemoFailure) {
            try waitFor("the answer for \(DemoSite.service)", within: .seconds(5)) {
                got = lookup.addresses(DemoSite.service).sorted()
                return got == expected
            }
        } catch {
            throw DemoFailure("\(error.text): \(expected) expected, got \(got)")
        }
        let command = "dig +noall +answer @\(site.address(53)) -p \(DemoSite.zonePort) \(DemoSite.service) A"
        if let text = Local.output(command), !text.isEmpty {
            say(command)
            // Tabs are dig's, and would be shown as what they are.
            for line in text.split(separator: "\n").sorted() {
                Output.line("    " + line.split(separator: "\t").joined(separator: " "))
            }
        } else {
            say("the name server's answer for \(DemoSite.service):")
            for address in got { Output.line("    \(DemoSite.service). A \(address)") }
        }
    }

    private func isExpected(_ name: String) -> Bool {
        killed.map { name == $0 || name == Self.switchName($0) } ?? false
    }

    func say(_ text: String) { narrator.say(text) }

    static func milliseconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        return "\(seconds * 1_000 + attoseconds / 1_000_000_000_000_000) ms"
    }
}

/// Tells the story, each line with the time since its start.
struct Narrator: Sendable {
    let clock = Stopwatch()
    let paint = Paint.standard

    func say(_ text: String) {
        let time = WaitOptions.elapsed(clock.elapsed)
        let padding = String(repeating: " ", count: max(0, 6 - time.count))
        Output.line(paint("[\(padding)\(time)]", .dim) + " \(text)")
    }

    func show(_ report: StatusReport) {
        say("fsdns status")
        let width = Output.size.map { max(20, $0.columns - 4) }
        for line in StatusText(paint: paint, width: width).lines(report) {
            Output.line(line.isEmpty ? "" : "    \(line)")
        }
    }
}
