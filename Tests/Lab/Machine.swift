import Foundation
@preconcurrency import Glibc

/// One pretend machine: a network namespace that stays, and a process namespace that is its power.
package final class Machine {
    package let name: String
    /// Counts the machines of a lab from 1; part of its hardware addresses.
    package let number: Int
    /// The machine's own address on each ring, without prefix length.
    package let addresses: [String]
    package let network: Namespace
    /// What its services write goes here.
    package let directory: String
    private let programs: Programs
    private var power: Power?
    /// Programs started and not yet waited for. The first process cannot end before they are.
    private var running: [pid_t] = []
    /// Exit statuses of programs that ended with the power.
    private var ended: [pid_t: Int32] = [:]

    private struct Power {
        var namespace: Namespace
        var first: pid_t
        /// The writing end of the first process's input: closing it, or this process's end, ends the machine.
        var leash: Int32
    }

    init(name: String, number: Int, addresses: [String], directory: String, programs: Programs) throws {
        self.name = name
        self.number = number
        self.addresses = addresses
        self.directory = directory
        self.programs = programs
        network = try Namespace.network()
        try switchPowerOn()
    }

    deinit { cutPower() }

    package var isPowered: Bool { power != nil }

    /// The first process, by which tools can find the machine's network.
    package var firstProcess: pid_t { power?.first ?? -1 }

    /// Its own IPv6 address on the first ring, where a plan has such: the kernel forgets it with the link.
    package var addressIPv6: String { "fd77::" + (addresses[0].split(separator: ".").last ?? "") }

    func addIPv6() throws {
        try check(["ip", "addr", "replace", addressIPv6 + "/64", "dev", "eth0", "nodad"])
    }

    /// The hardware address of its card on a ring.
    package func hardwareAddress(ring: Int) -> String {
        "02:4c:00:00:0\(ring):" + (number < 16 ? "0" : "") + String(number, radix: 16)
    }

    /// Starts the first process and the watch on the kernel's addresses.
    func switchPowerOn() throws {
        let (end, leash) = try Launch.pipe()
        defer { close(end) }
        let (network, hold) = (network, [programs.lab, "hold"])
        let (namespace, first) = try Namespace.processes {
            try network.enter()
            return try Launch.start(hold, input: end)
        }
        power = Power(namespace: namespace, first: first, leash: leash)
        try start([programs.lab, "watch-addresses"], outputFile: "addresses", errorsFile: "watch.log")
    }

    /// Kills everything on this machine at once.
    package func cutPower() {
        guard let power else { return }
        kill(power.first, SIGKILL)
        close(power.leash)
        for pid in running { ended[pid] = Launch.exitStatus(of: pid) }
        running = []
        _ = Launch.exitStatus(of: power.first)
        self.power = nil
        note("\(BootTime.now.nanoseconds) off -\n", in: "addresses")
    }

    /// Starts a program that runs until it is stopped or the power goes; its output is appended to files of
    /// that name.
    @discardableResult
    package func start(
        _ arguments: [String], environment: [String: String] = [:], outputFile: String, errorsFile: String,
        input: Int32? = nil
    ) throws -> pid_t {
        guard let power else { throw LabFailure("\(name) has no power") }
        let output = try appending(outputFile)
        let errors = try appending(errorsFile)
        defer { for file in [output, errors] { close(file) } }
        let pid = try Launch.start(
            arguments, inside: [network, power.namespace], environment: environment, input: input,
            output: output,
            errors: errors)
        running.append(pid)
        return pid
    }

    /// Waits for the end of a program started here.
    package func exitStatus(of pid: pid_t) -> Int32 {
        if let status = ended.removeValue(forKey: pid) { return status }
        running.removeAll { $0 == pid }
        return Launch.exitStatus(of: pid)
    }

    /// The exit status of a program started here, nil while it runs; asked again after that it is nil too.
    package func exitStatusIfEnded(_ pid: pid_t) -> Int32? {
        if let status = ended.removeValue(forKey: pid) { return status }
        guard running.contains(pid), let status = Launch.exitStatusIfEnded(pid) else { return nil }
        running.removeAll { $0 == pid }
        return status
    }

    /// Runs a tool in the machine's network to its end; anything but success throws.
    @discardableResult
    package func check(_ arguments: [String], input: String = "", seconds: Double = 15) throws -> String {
        try Launch.check(arguments, inside: [network], input: input, seconds: seconds)
    }

    package func run(_ arguments: [String], input: String = "", seconds: Double = 15) throws -> Launch.Output
    {
        try Launch.run(arguments, inside: [network], input: input, seconds: seconds)
    }

    /// The addresses the kernel itself lists now, loopback left out, sorted.
    package func kernelAddresses() throws -> [String] {
        struct Link: Decodable {
            struct Address: Decodable { var local: String?; var scope: String }
            var addr_info: [Address]
        }
        let text = try check(["ip", "-j", "addr"])
        let links = try JSONDecoder().decode([Link].self, from: Data(text.utf8))
        return links.flatMap(\.addr_info).filter { $0.scope == "global" }.compactMap(\.local).sorted()
    }

    /// The whole text one of its files has now.
    package func text(of file: String) -> String {
        (try? String(contentsOfFile: directory + "/" + file, encoding: .utf8)) ?? ""
    }

    /// Puts a file for its programs into its folder.
    package func put(_ text: String, in file: String) throws {
        try text.write(toFile: directory + "/" + file, atomically: true, encoding: .utf8)
    }

    private func appending(_ file: String) throws -> Int32 {
        let descriptor = open(directory + "/" + file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw LabFailure("cannot write \(directory)/\(file)") }
        return descriptor
    }

    private func note(_ line: String, in file: String) {
        guard let descriptor = try? appending(file) else { return }
        _ = write(descriptor, line, line.utf8.count)
        close(descriptor)
    }
}

/// Where the programs under test and the lab's own instruments are.
package struct Programs: Sendable {
    package var fsdns: String
    package var lab: String
    /// The stand-in FreeSWITCH.
    package var freeswitch: String

    /// FSDNS_BIN, else the folder of the running program (SwiftPM puts tests and programs side by side).
    package init() {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = (own as NSString).deletingLastPathComponent
        fsdns = (ProcessInfo.processInfo.environment["FSDNS_BIN"] ?? beside) + "/fsdns"
        lab = beside + "/fsdns-lab"
        freeswitch = beside + "/fsdns-switch"
    }
}
