import Foundation
@preconcurrency import Glibc

/// A machine with a node service, its keeper and an echo on it, and all that can happen to them.
package final class Host {
    /// What a signal is meant for.
    package enum Target: Sendable { case service, keeper, both }

    package let machine: Machine
    package var name: String { machine.name }
    private let network: Network
    private let plan: ClusterPlan
    private let programs: Programs
    /// The cluster file it is started with.
    package var clusterFile: String
    /// The name it is started with; differs from the machine's only to provoke a refusal.
    package var nodeName: String
    private var service: pid_t?
    private let switchProcess: SwitchProcess?

    init(
        on machine: Machine, network: Network, programs: Programs, clusterFile: String, plan: ClusterPlan
    ) {
        self.machine = machine
        self.network = network
        self.programs = programs
        self.clusterFile = clusterFile
        nodeName = machine.name
        self.plan = plan
        guard plan.switches else {
            switchProcess = nil
            return
        }
        switchProcess = SwitchProcess(
            on: machine, program: programs.freeswitch,
            folder: (clusterFile as NSString).deletingLastPathComponent, plan: plan)
    }

    package var controlPath: String { machine.directory + "/control.sock" }
    package var log: String { machine.text(of: "node.log") }

    /// Its FreeSWITCH; throws when the plan has none.
    package var freeswitch: SwitchProcess {
        get throws {
            guard let switchProcess else { throw LabFailure("\(name) has no switch") }
            return switchProcess
        }
    }

    /// Starts the echo, the switch if there is one, and the node service.
    package func start() throws {
        if plan.isIPv6 { try machine.addIPv6() }
        try startEcho()
        try switchProcess?.start()
        try startService()
    }

    package func startEcho() throws {
        try machine.start([programs.lab, "echo", name], outputFile: "echo.log", errorsFile: "echo.log")
    }

    package func startService() throws {
        service = try machine.start(
            [
                programs.fsdns, "node", "--config", clusterFile, "--name", nodeName, "--state-dir",
                machine.directory + "/state", "--control", controlPath,
            ], outputFile: "node.log", errorsFile: "node.log")
    }

    // MARK: Its processes

    package var servicePid: pid_t? { service }

    /// The keeper is the node service's child of that name.
    package var keeperPid: pid_t? {
        guard let service else { return nil }
        return ProcessTable.children(of: service).first {
            ProcessTable.name(of: $0).hasPrefix("fsdns-keeper")
        }
    }

    /// What starts keepers and guards them.
    package var spawnerPid: pid_t? {
        guard let service else { return nil }
        return ProcessTable.children(of: service).first {
            ProcessTable.name(of: $0).hasPrefix("fsdns-spawner")
        }
    }

    /// SIGKILL to the keeper and to what starts and guards it, in this order, in the same moment.
    package func killKeeperAndSpawner() throws -> BootTime {
        guard let keeper = keeperPid, let spawner = spawnerPid else {
            throw LabFailure("no keeper or no spawner runs on \(name)")
        }
        return try send(SIGKILL, [spawner, keeper])
    }

    /// The exit status of the node service once it has ended; nil while it runs.
    package func exitStatus() -> Int32? {
        guard let service, let status = machine.exitStatusIfEnded(service) else { return nil }
        self.service = nil
        return status
    }

    private func pids(_ target: Target) throws -> [pid_t] {
        guard let service else { throw LabFailure("no node service runs on \(name)") }
        if target == .service { return [service] }
        guard let keeper = keeperPid else { throw LabFailure("no keeper runs on \(name)") }
        // The keeper first: a node service that sees its keeper die may act, a keeper that is stopped may
        // not.
        return target == .keeper ? [keeper] : [keeper, service]
    }

    @discardableResult
    package func freeze(_ target: Target) throws -> BootTime { try send(SIGSTOP, try pids(target)) }
    package func thaw(_ target: Target) throws { try send(SIGCONT, try pids(target)) }

    /// SIGKILL; what dies with it by its own design (a keeper whose node service is gone) is left to itself.
    @discardableResult
    package func kill(_ target: Target) throws -> BootTime {
        let moment = try send(SIGKILL, try pids(target))
        if target != .keeper, let service {
            _ = machine.exitStatus(of: service)
            self.service = nil
        }
        return moment
    }

    @discardableResult
    private func send(_ signal: Int32, _ pids: [pid_t]) throws -> BootTime {
        let moment = BootTime.now
        for pid in pids where Glibc.kill(pid, signal) != 0 {
            throw LabFailure("cannot signal \(pid) on \(name): \(String(cString: strerror(errno)))")
        }
        return moment
    }

    /// SIGTERM to the node service, without waiting for its end.
    @discardableResult
    package func askToStop() throws -> BootTime { try send(SIGTERM, try pids(.service)) }

    // MARK: Its power

    /// Link down, then everything on it killed; returns the instant before.
    @discardableResult
    package func cutPower() throws -> BootTime {
        let moment = BootTime.now
        try network.setLink(of: machine, up: false)
        machine.cutPower()
        if let service { _ = machine.exitStatus(of: service) }
        service = nil
        switchProcess?.lostPower()
        return moment
    }

    /// Power on again: nothing of before is left except the disk.
    package func powerOn(startingService: Bool = true) throws {
        // The kernel may remove one of these by itself meanwhile, when its lifetime ends.
        for address in try machine.kernelAddresses() where plan.addresses.contains(address) {
            _ = try machine.run(["ip", "addr", "flush", "to", address])
        }
        guard try machine.kernelAddresses() == machine.addresses else {
            let left = try machine.kernelAddresses().filter { !machine.addresses.contains($0) }
            throw LabFailure("\(name) has addresses left from before its power was cut: \(left)")
        }
        try machine.switchPowerOn()
        try network.setLink(of: machine, up: true)
        if plan.isIPv6 { try machine.addIPv6() }
        try startEcho()
        try switchProcess?.launch()
        if startingService { try startService() }
    }

    // MARK: What it says

    /// What a command of the command line says about this node; throws unless it exits 0.
    @discardableResult
    package func command(_ arguments: String..., seconds: Double = 30) throws -> String {
        try Launch.check([programs.fsdns] + arguments + ["--control", controlPath], seconds: seconds)
    }

    package func tryCommand(_ arguments: String...) throws -> Launch.Output {
        try Launch.run([programs.fsdns] + arguments + ["--control", controlPath], seconds: 30)
    }

    /// Begins a command of the command line, which ends with the machine at the latest; what it says goes to the file.
    package func startCommand(_ arguments: String..., file: String) throws -> pid_t {
        try machine.start(
            [programs.fsdns] + arguments + ["--control", controlPath], outputFile: file, errorsFile: file)
    }

    package func status() throws -> Status {
        let text = try command("status", "--format", "json")
        do {
            return try JSONDecoder().decode(Status.self, from: Data(text.utf8))
        } catch {
            throw LabFailure("status of \(name) is not as documented: \(error)\n\(text)")
        }
    }

    package func events() throws -> [Story] {
        try command("events", "--format", "json").split(separator: "\n").map {
            try JSONDecoder().decode(Story.self, from: Data($0.utf8))
        }
    }
}

/// What the lab reads in /proc.
package enum ProcessTable {
    package static func children(of parent: pid_t) -> [pid_t] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { pid_t($0) }.filter { statistics(of: $0).dropFirst().first == "\(parent)" }
            .sorted()
    }

    /// The numbers of its open descriptors.
    package static func descriptors(of pid: pid_t) -> Set<Int> {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
        return Set(entries.compactMap { Int($0) })
    }

    package static func name(of pid: pid_t) -> String {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) ?? ""
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A line of /proc/PID/status, for example CapEff or VmRSS, without its name.
    package static func field(_ name: String, of pid: pid_t) -> String? {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return line.map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
    }

    /// Resident memory, in bytes; 0 when there is no such process.
    package static func resident(of pid: pid_t) -> Double {
        let kilobytes = field("VmRSS", of: pid)?.split(separator: " ").first.flatMap { Double($0) }
        return (kilobytes ?? 0) * 1024
    }

    /// Processor time used until now, in seconds.
    package static func processorSeconds(of pid: pid_t) -> Double {
        let fields = statistics(of: pid)
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
            return 0
        }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The fields of /proc/PID/stat from the third (state) on; the second may contain anything in
    /// parentheses.
    private static func statistics(of pid: pid_t) -> [Substring] {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }
}
