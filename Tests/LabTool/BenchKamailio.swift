import Foundation
@preconcurrency import Glibc
import Lab

// Kamailio's usrloc over DMQ: three registrars, of which one is asked and the others are told.

extension Bench {
    private static let phones = 50_000

    func kamailioReplication(_ lab: Lab) throws -> [Row] {
        var rows: [Row] = []
        for batch in [1, 50] {
            var (rates, followed, syncs, copied) = ([Double](), [Double](), [Double](), [Double]())
            for _ in 0..<runs(3) {
                let first = try Kamailio(on: lab.hosts[0].machine, asking: lab.hosts[1].machine, batch: batch)
                defer { first.end() }
                let second = try Kamailio(on: lab.hosts[1].machine, asking: first.machine, batch: batch)
                defer { second.end() }
                try first.waitForPeers(1)
                let answer = try lab.client.check(
                    [Programs().lab, "register", first.machine.addresses[0], "\(Self.phones)"], seconds: 120)
                guard let seconds = Double(answer.split(separator: " ").first ?? "") else {
                    throw LabFailure("register said: \(answer)")
                }
                rates.append(Double(Self.phones) / seconds / 1000)
                followed.append(Double(try second.settled(Self.phones, seconds: 10).contacts))
                let start = BootTime.now
                let fresh = try Kamailio(on: lab.hosts[2].machine, asking: first.machine, batch: batch)
                defer { fresh.end() }
                let copy = try fresh.settled(Self.phones, seconds: 20)
                copied.append(Double(copy.contacts))
                if copy.contacts == Self.phones { syncs.append(copy.at.milliseconds(since: start) / 1000) }
                Self.tell(
                    "Kamailio, batches of \(batch): \(rates.last ?? 0) thousand/s, \(copy.contacts) copied")
            }
            rows += [
                Row(
                    name: "Kamailio DMQ, batch \(batch): REGISTERs/s", unit: "1000", sample: Sample(rates)),
                Row(name: "  of 50,000 at the peer", unit: "", sample: Sample(followed)),
                Row(name: "  50,000 to a fresh node, complete ones", unit: "s", sample: Sample(syncs)),
                Row(name: "  of 50,000 at the fresh node", unit: "", sample: Sample(copied)),
            ]
        }
        return rows
    }
}

/// A Kamailio registrar in memory only, with DMQ to its peers.
private final class Kamailio {
    let machine: Machine
    private let pid: pid_t
    private var control: String { machine.directory + "/kamailio.ctl" }

    init(on machine: Machine, asking peer: Machine, batch: Int) throws {
        self.machine = machine
        let directory = machine.directory
        let file = directory + "/kamailio.cfg"
        let text = Self.configuration(
            own: machine.addresses[0], peer: peer.addresses[0], control: directory + "/kamailio.ctl",
            batch: batch)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        pid = try machine.start(
            [
                "kamailio", "-f", file, "-m", "512", "-M", "32", "-DD", "-E", "-w", directory, "-Y",
                directory,
            ], outputFile: "kamailio.log", errorsFile: "kamailio.log")
        try wait(for: "Kamailio to answer", atMost: 10) { (try? contacts()) != nil }
    }

    private static func configuration(own: String, peer: String, control: String, batch: Int) -> String {
        let modules = ["kex", "tm", "sl", "pv", "textops", "ctl", "usrloc", "registrar", "dmq", "dmq_usrloc"]
        let loads = modules.map { "loadmodule \"\($0).so\"\n" }.joined()
        return """
            #!KAMAILIO
            debug=0
            log_stderror=yes
            fork=yes
            children=2
            disable_tcp=yes
            auto_aliases=no
            listen=udp:\(own):5060
            \(loads)
            modparam("ctl", "binrpc", "unix:\(control)")
            modparam("usrloc", "db_mode", 0)
            modparam("registrar", "default_expires", 3600)
            modparam("dmq", "server_address", "sip:\(own):5060")
            modparam("dmq", "notification_address", "sip:\(peer):5060")
            modparam("dmq", "num_workers", 2)
            modparam("dmq_usrloc", "enable", 1)
            modparam("dmq_usrloc", "sync", 1)
            modparam("dmq_usrloc", "batch_msg_contacts", \(batch))
            request_route {
              if (method == "KDMQ") { dmq_handle_message(); exit; }
              if (method == "REGISTER") { save("location"); exit; }
              sl_send_reply("404", "Not here");
            }

            """
    }

    /// How many contacts it has now.
    func contacts() throws -> Int {
        let text = try machine.check(["kamcmd", "-s", "unix:" + control, "stats.fetch", "usrloc:"])
        for line in text.split(separator: "\n") where line.contains("location_contacts:") {
            if let count = Int(line.split(separator: " ").last ?? "") { return count }
        }
        throw LabFailure("Kamailio said: \(text)")
    }

    func waitForPeers(_ count: Int) throws {
        try wait(for: "Kamailio's peers", atMost: 30, every: 100) {
            let text = try machine.check(["kamcmd", "-s", "unix:" + control, "dmq.list_nodes"])
            return text.components(separatedBy: "status: active").count - 1 > count
        }
    }

    /// How many it has once all are there, nothing more came for a while, or a minute is over, and since when.
    func settled(_ wanted: Int, seconds: Double) throws -> (contacts: Int, at: BootTime) {
        let end = BootTime.now.adding(milliseconds: 60_000)
        var (best, at) = (try contacts(), BootTime.now)
        while best < wanted, BootTime.now.milliseconds(since: at) < seconds * 1000, .now < end {
            // Asking costs a process and a worker of Kamailio's: not so often that it is what is measured.
            usleep(20_000)
            let now = try contacts()
            if now != best { (best, at) = (now, .now) }
        }
        return (best, at)
    }

    func end() {
        kill(pid, SIGKILL)
        _ = machine.exitStatus(of: pid)
        // Its children are of its process group.
        kill(-pid, SIGKILL)
    }
}
