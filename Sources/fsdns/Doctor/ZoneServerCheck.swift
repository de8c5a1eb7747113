import Cluster

/// Whether every name server of the zone answers for it with authority, and all with one serial.
struct ZoneServerCheck {
    var dns: DNSSettings?

    var findings: [Finding] {
        guard let dns else { return [.fine("zone", "none is kept")] }
        return dns.servers.map { server in
            let subject = "name server \(server.endpoint)"
            switch Lookup(server: server.endpoint, patience: .seconds(2)).ask(dns.zone, .soa) {
            case .records(let records):
                guard case .soa(let soa)? = records.first(where: { $0.type == .soa })?.data else {
                    return .wrong(
                        subject, "answers, but has no zone \(dns.zone)",
                        fix: "configure the zone there, see config/bind and config/knot")
                }
                return .fine(subject, "is authoritative for \(dns.zone), serial \(soa.serial)")
            case .silent:
                return .wrong(
                    subject, "does not answer within 2s",
                    fix: "start it, and let UDP and TCP through to it from this machine")
            case .wrong(let what):
                return .wrong(
                    subject, "does not answer for \(dns.zone): \(what)",
                    fix: "make it authoritative for the zone, and let this machine query it")
            }
        }
    }
}
