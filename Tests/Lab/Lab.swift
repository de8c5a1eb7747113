import Foundation
@preconcurrency import Glibc

/// A room full of pretend machines: hosts with node services, a name server and a caller, on one network.
///
/// With FSDNS_LAB_KEEP set its folder (logs, state, records) is not removed.
/// Everything lives in namespaces without names, so any number of labs can stand side by side, and all of
/// it ends
/// with this process, however that ends.
package final class Lab {
    package let plan: ClusterPlan
    package let directory: String
    package let network: Network
    package let client: Machine
    package let nameServer: NameServer
    package private(set) var hosts: [Host] = []
    /// Machines that do not belong to the cluster.
    package private(set) var strangers: [Host] = []
    private let programs = Programs()
    /// The program with the lab's instruments.
    var instruments: String { programs.lab }
    private var janitor: Int32
    private var machineCount = 2

    /// Why no lab can be built here; nil when one can.
    package static var obstacle: String? {
        guard geteuid() == 0 else { return "needs root (network namespaces)" }
        do { _ = try Namespace.network() } catch { return "needs network namespaces: \(error)" }
        for tool in ["ip", "nft", "named", "dig", "tsig-keygen", "nsupdate", "python3", "sipp"] {
            let found = try? Launch.run(["sh", "-c", "command -v \(tool)"])
            if found?.status != 0 { return "needs \(tool)" }
        }
        return nil
    }

    package init(_ plan: ClusterPlan = ClusterPlan()) throws {
        signal(SIGPIPE, SIG_IGN)
        self.plan = plan
        directory = NSTemporaryDirectory() + "fsdns-lab-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Self.makeDirectory(directory)
        janitor = try Self.startJanitor(of: directory, programs)
        network = try Network(rings: plan.rings)
        client = try Self.makeMachine("client", number: 1, last: 100, plan.rings, directory, programs)
        try network.plug(client)
        if plan.isIPv6 { try client.addIPv6() }
        let server = try Self.makeMachine("dns", number: 2, last: 53, plan.rings, directory, programs)
        try network.plug(server)
        nameServer = try NameServer(on: server, shipped: Self.project)
        let file = try makeCluster(plan, folder: "cluster")
        for (index, name) in plan.hostNames.enumerated() {
            let own = plan.certificates ? try certify(name, file) : file
            hosts.append(try addHost(name, last: index + 1, clusterFile: own))
        }
        try client.start(
            [programs.lab, "watch-announcements"], outputFile: "announcements", errorsFile: "watch.log")
    }

    deinit { close() }

    /// Ends everything and removes the folder.
    package func close() {
        guard janitor >= 0 else { return }
        for machine in (hosts + strangers).map(\.machine) + [nameServer.machine, client] {
            machine.cutPower()
        }
        Glibc.close(janitor)
        janitor = -1
    }

    // MARK: Building

    /// The folder with `config/` and `zones/`, found from where this file was compiled.
    private static var project: String {
        var path = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        for _ in 0..<3 { path.deleteLastPathComponent() }
        return path.path
    }

    private static func makeDirectory(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    private static func startJanitor(of directory: String, _ programs: Programs) throws -> Int32 {
        let (end, leash) = try Launch.pipe()
        defer { Glibc.close(end) }
        if ProcessInfo.processInfo.environment["FSDNS_LAB_KEEP"] == nil {
            _ = try Launch.start([programs.lab, "janitor", directory], input: end)
        }
        return leash
    }

    /// Writes a cluster file with a key of its own into a folder of its own and returns the file's path.
    package func makeCluster(_ plan: ClusterPlan, folder: String) throws -> String {
        let folder = directory + "/" + folder
        try Self.makeDirectory(folder)
        let key = try Launch.check([programs.fsdns, "key"])
        for (name, text) in [
            ("cluster.key", key), ("fsdns.secret", nameServer.secret + "\n"), ("cluster.xml", plan.text),
            ("switch.secret", SwitchProcess.password + "\n"),
            ("own.secret", SwitchProcess.ownPassword + "\n"),
            ("programs", "/bin/sleep\n/usr/bin/yes\n"),
        ] {
            try text.write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: folder + "/" + name)
        }
        return folder + "/cluster.xml"
    }

    private static func makeMachine(
        _ name: String, number: Int, last: Int, _ rings: Int, _ directory: String, _ programs: Programs
    ) throws -> Machine {
        let folder = directory + "/" + name
        try makeDirectory(folder)
        return try Machine(
            name: name, number: number, addresses: (0..<rings).map { "10.\(77 + $0).0.\(last)" },
            directory: folder,
            programs: programs)
    }

    private func addHost(_ name: String, last: Int, clusterFile: String) throws -> Host {
        machineCount += 1
        let machine = try Self.makeMachine(
            name, number: machineCount, last: last, plan.rings, directory, programs)
        try network.plug(machine)
        return Host(on: machine, network: network, programs: programs, clusterFile: clusterFile, plan: plan)
    }

    /// One more machine on the same network that is not (yet) of the cluster; not started.
    package func addStranger(_ name: String, clusterFile: String? = nil) throws -> Host {
        let file = clusterFile ?? hosts[0].clusterFile
        let host = try addHost(name, last: 200 + strangers.count, clusterFile: file)
        strangers.append(host)
        return host
    }

    // MARK: Looking

    package func host(_ name: String) throws -> Host {
        guard let host = hosts.first(where: { $0.name == name }) else { throw LabFailure("no host \(name)") }
        return host
    }

    /// The status as told by the first powered host that answers.
    package func status(from some: [Host]? = nil) throws -> Status {
        var last = LabFailure("no host has power")
        for host in some ?? hosts where host.machine.isPowered && host.servicePid != nil {
            do { return try host.status() } catch let failure as LabFailure { last = failure }
        }
        throw last
    }

    /// Waits until every seat is active and all but `missing` nodes are up; returns that status.
    @discardableResult
    package func waitUntilSettled(missing: Int = 0, from some: [Host]? = nil, atMost seconds: Double = 30)
        throws -> Status
    {
        var last: Status?
        do {
            try wait(for: "the cluster to settle", atMost: seconds, every: 50) {
                last = try? status(from: some)
                return last?.isSettled(missing: missing) == true
            }
        } catch {
            throw LabFailure("\(error); the last status: \(last.map { "\($0)" } ?? "none")\n\(troubles())")
        }
        guard let last else { throw LabFailure("settled without a status") }
        return last
    }

    /// The ends of all node logs, for a failure's message.
    package func troubles(lines: Int = 12) -> String {
        hosts.map { host in
            let end = host.log.split(separator: "\n").suffix(lines).joined(separator: "\n    ")
            return "  \(host.name):\n    \(end)"
        }.joined(separator: "\n")
    }

    /// What all kernels said about addresses until now.
    package func addressHistory() throws -> AddressHistory {
        pause(milliseconds: 30)
        var history = AddressHistory()
        for host in hosts + strangers { try history.read(host.machine.text(of: "addresses"), of: host.name) }
        return history
    }

    /// The machine that has the address now by its kernel's list; nil for none, throws for more than one.
    package func holder(of address: String) throws -> String? {
        let holders = try hosts.filter {
            try $0.machine.isPowered && $0.machine.kernelAddresses().contains(address)
        }
        guard holders.count < 2 else { throw LabFailure("\(address) is on \(holders.map(\.name))") }
        return holders.first?.name
    }

    /// When the client first heard a gratuitous ARP for the address from the machine after the instant.
    package func announcement(of address: String, by machine: Machine, after moment: BootTime) -> BootTime? {
        for line in client.text(of: "announcements").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, let nanoseconds = Int64(words[0]) else { continue }
            let at = BootTime(nanoseconds: nanoseconds)
            if at > moment, words[1] == address, words[2] == machine.hardwareAddress(ring: 0) { return at }
        }
        return nil
    }

    // MARK: Calling

    /// Starts to ask the address from the client (or another) machine, once a millisecond.
    package func startProbe(of address: String, from machine: Machine? = nil) throws -> RunningProbe {
        let caller = machine ?? client
        let (end, leash) = try Launch.pipe()
        defer { Glibc.close(end) }
        let file = "probe-\(BootTime.now.nanoseconds)"
        let pid = try caller.start(
            [programs.lab, "probe", address, "120"], outputFile: file, errorsFile: "probe.log", input: end)
        let probe = RunningProbe(caller: caller, file: file, pid: pid, leash: leash)
        // What happens before it asks is not seen: a program may take long to start.
        let latest = BootTime.now.adding(milliseconds: 10_000)
        while !caller.text(of: file).hasPrefix(Probe.begun) {
            guard BootTime.now < latest else { throw LabFailure("the probe did not begin within 10 s") }
            pause(milliseconds: 1)
        }
        return probe
    }

    /// Watches the name's addresses on the name server's own loopback; the file's lines are `nanoseconds
    /// a,b,c`.
    package func startZoneWatch() throws {
        try nameServer.machine.start(
            [programs.lab, "watch-zone", "127.0.0.1", ClusterPlan.serviceName], outputFile: "answers",
            errorsFile: "watch.log")
    }
}

/// A probe under way.
package struct RunningProbe {
    fileprivate let caller: Machine
    fileprivate let file: String
    fileprivate let pid: pid_t
    fileprivate let leash: Int32

    /// Ends it and returns what it saw.
    package func stop() throws -> ProbeRecord {
        close(leash)
        guard caller.exitStatus(of: pid) == 0 else {
            throw LabFailure("the probe failed: \(caller.text(of: "probe.log"))")
        }
        return try ProbeRecord(String(caller.text(of: file).dropFirst(Probe.begun.count)))
    }
}
