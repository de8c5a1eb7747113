import Foundation
@preconcurrency import Glibc

/// A Kamailio between phones and the cluster: it finds the masters by SRV in the zone our nodes write, as any
/// proxy of a carrier or an office would, and remembers what it found for its TTL.
package final class OutboundProxy {
    /// An INVITE it sent on.
    package struct Attempt: Hashable, Sendable {
        /// The caller's user, which tells the call.
        package var caller: String
        package var address: String
    }

    package static let port: UInt16 = 5060
    private let machine: Machine

    /// Starts it on the first address of the machine; returns once it answers.
    package init(on machine: Machine) throws {
        self.machine = machine
        let directory = machine.directory
        try machine.put("nameserver \(NameServer.address)\noptions timeout:1 attempts:2\n", in: "resolv.conf")
        try machine.put(
            Self.configuration(own: machine.addresses[0], control: directory + "/proxy.ctl"), in: "proxy.cfg")
        // The C library knows only one place for the name server.
        let script = "mount --bind \"$0/resolv.conf\" /etc/resolv.conf && exec \"$@\""
        try machine.start(
            ["unshare", "--mount", "sh", "-c", script, directory]
                + [
                    "kamailio", "-f", directory + "/proxy.cfg", "-m", "64", "-M", "8", "-DD", "-E", "-w",
                    directory, "-Y", directory,
                ], outputFile: "proxy.log", errorsFile: "proxy.log")
        do {
            try wait(for: "Kamailio to answer", atMost: 15, every: 50) {
                try machine.run(["kamcmd", "-s", "unix:\(directory)/proxy.ctl", "core.uptime"]).status == 0
            }
        } catch {
            throw LabFailure("\(error)\n\(machine.text(of: "proxy.log").suffix(2000))")
        }
    }

    /// What it sent on until now, in order; an INVITE sent again to the same address is told once.
    package func attempts() -> [Attempt] {
        var attempts: [Attempt] = []
        var told: Set<Attempt> = []
        for line in machine.text(of: "proxy.log").split(separator: "\n") {
            guard let mark = line.range(of: "attempt: ") else { continue }
            let words = line[mark.upperBound...].split(separator: " ")
            guard words.count == 2 else { continue }
            let attempt = Attempt(caller: String(words[0]), address: String(words[1]))
            if told.insert(attempt).inserted { attempts.append(attempt) }
        }
        return attempts
    }

    /// An address that does not answer within 1.5 s gives way to the next of the SRV records (RFC 3263 §4.3).
    private static func configuration(own: String, control: String) -> String {
        let modules = ["kex", "tm", "sl", "rr", "pv", "textops", "xlog", "ctl", "siputils"]
        let loads = modules.map { "loadmodule \"\($0).so\"\n" }.joined()
        return """
            #!KAMAILIO
            debug=0
            log_stderror=yes
            log_prefix_mode=0
            fork=yes
            children=4
            disable_tcp=yes
            auto_aliases=no
            listen=udp:\(own):\(port)
            dns=no
            rev_dns=no
            dns_try_naptr=no
            dns_try_ipv6=no
            dns_srv_lb=on
            use_dns_cache=on
            use_dns_failover=on
            dns_cache_negative_ttl=1
            \(loads)
            modparam("ctl", "binrpc", "unix:\(control)")
            modparam("tm", "fr_timer", 1500)
            modparam("tm", "fr_inv_timer", 10000)
            request_route {
              if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
              if (has_totag()) {
                if (loose_route() || uri != myself) { t_relay(); }
                exit;
              }
              t_check_trans();
              if (is_method("INVITE")) record_route();
              if (!t_relay()) sl_reply_error();
              exit;
            }
            onsend_route {
              if (is_method("INVITE") && !has_totag()) xlog("L_ERR", "attempt: $fU $sndto(ip)\\n");
            }

            """
    }
}
