import Foundation
@preconcurrency import Glibc

/// A real BIND on a machine of its own, with the zone and the rules that are shipped for it.
package final class NameServer {
    package enum Mood: Sendable { case normal, refusing }

    package static let address = "10.77.0.53"
    package let machine: Machine
    package var secret: String {
        keyText.split(separator: "\"").map(String.init).last { $0.hasSuffix("=") } ?? ""
    }
    package var keyFile: String { machine.directory + "/fsdns.key" }
    private let keyText: String
    private var pid: pid_t?

    init(on machine: Machine, shipped: String) throws {
        self.machine = machine
        keyText = try Launch.check(["tsig-keygen", "-a", "hmac-sha256", "fsdns."])
        try keyText.write(toFile: machine.directory + "/fsdns.key", atomically: true, encoding: .utf8)
        let zone = try String(contentsOfFile: shipped + "/zones/voip.example.net.zone", encoding: .utf8)
        try zone.write(toFile: machine.directory + "/zone", atomically: true, encoding: .utf8)
        let rules = try String(contentsOfFile: shipped + "/config/bind/named.conf.snippet", encoding: .utf8)
            .replacingOccurrences(of: "/etc/bind/fsdns.key", with: keyFile)
            .replacingOccurrences(
                of: "/var/lib/bind/voip.example.net.zone", with: machine.directory + "/zone")
        try write(rules, for: .normal)
        let refusing = rules.replacingOccurrences(
            of: "update-policy \\{[^}]*\\};", with: "", options: .regularExpression)
        guard refusing != rules else { throw LabFailure("no update-policy in the shipped rules for BIND") }
        try write(refusing, for: .refusing)
        try start()
    }

    /// Starts `named` and waits until it answers for the zone.
    package func start(_ mood: Mood = .normal) throws {
        guard pid == nil else { throw LabFailure("named runs already") }
        pid = try machine.start(
            ["named", "-g", "-n", "1", "-c", configurationFile(mood)], outputFile: "named.log",
            errorsFile: "named.log")
        try wait(for: "named to answer", atMost: 15, every: 50) {
            try machine.run(["dig", "+short", "+time=1", "+tries=1", "@127.0.0.1", "voip.example.net", "SOA"])
                .output.contains("hostmaster")
        }
    }

    /// Kills `named`; what it acknowledged is in its journal.
    package func kill() {
        guard let pid else { return }
        Glibc.kill(pid, SIGKILL)
        _ = machine.exitStatus(of: pid)
        self.pid = nil
    }

    package func freeze() { if let pid { Glibc.kill(pid, SIGSTOP) } }
    package func thaw() { if let pid { Glibc.kill(pid, SIGCONT) } }

    /// What `dig +short` on the server's own machine says, sorted.
    package func answer(_ name: String, _ type: String = "A") throws -> [String] {
        let output = try machine.check(
            ["dig", "+short", "+time=1", "+tries=2", "@\(Self.address)", name, type])
        return output.split(separator: "\n").map(String.init).sorted()
    }

    private func configurationFile(_ mood: Mood) -> String { machine.directory + "/named-\(mood).conf" }

    private func write(_ rules: String, for mood: Mood) throws {
        let text = """
            options {
                directory "\(machine.directory)"; pid-file none; session-keyfile none;
                listen-on { 127.0.0.1; \(Self.address); }; listen-on-v6 { none; };
                recursion no; dnssec-validation no; notify no; empty-zones-enable no;
            };
            controls { };
            \(rules)
            """
        try text.write(toFile: configurationFile(mood), atomically: true, encoding: .utf8)
    }
}
