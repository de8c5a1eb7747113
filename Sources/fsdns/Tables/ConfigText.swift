import Cluster
import Config

/// What a cluster file means, with every default spelled out.
struct ConfigText {
    var paint: Paint
    var width: Int?

    static func version(_ settings: ClusterSettings) -> String {
        let digits = String(settings.version, radix: 16)
        return String(repeating: "0", count: max(0, 16 - digits.count)) + digits
    }

    func lines(_ file: ClusterFile) -> [String] {
        let settings = file.settings
        var lines = head(file) + [""]
        lines += addresses(settings).lines(paint: paint, width: width) + [""]
        lines += seats(settings).lines(paint: paint, width: width)
        if let dns = settings.dns { lines += [""] + zone(dns) }
        return lines
    }

    private func head(_ file: ClusterFile) -> [String] {
        let settings = file.settings
        let timing = settings.timing
        let policy = settings.policy
        let text = OperatorDuration.text
        let names = settings.nodes.map { $0.kind == .witness ? "\($0.name) (witness)" : $0.name }
        var lines = [
            paint("Cluster \(settings.cluster)", .bold) + ", version \(Self.version(settings))",
            "Nodes: \(names.isEmpty ? "any that has the key" : names.joined(separator: ", ")); "
                + "\(settings.expect) expected before it forms",
            "Heartbeat every \(text(timing.interval)), lease \(text(timing.lease)), "
                + "dead after \(text(timing.deadAfter)), discovery \(text(timing.discovery))",
        ]
        for network in file.networks {
            let way = network.group.map { "group \($0)" } ?? "unicast"
            lines.append(
                "Network \(network.name): \(network.subnet)/\(network.prefixLength), \(way), "
                    + "port \(network.port)")
        }
        if !file.peers.isEmpty {
            lines.append("Peers: " + file.peers.map { "\($0)" }.joined(separator: ", "))
        }
        if let certificates = file.certificates {
            lines.append(
                "Links: certificates \(certificates.isRequired ? "required" : "accepted") beside the cluster key"
            )
        }
        lines.append(
            "Policy: no quorum: \(policy.noQuorum.rawValue); no spare left: \(policy.onExhaustion.rawValue); "
                + "at most \(policy.takeoversPerHour) takeovers an hour")
        switch file.addressMode {
        case .kernel: lines.append("Addresses are held by the keeper on this machine's interfaces")
        case .loopback(let port): lines.append("Addresses are loopback, probe port \(port)")
        }
        switch file.freeswitch {
        case .none: lines.append("FreeSWITCH: none")
        case .eventSocket(let access): lines.append("FreeSWITCH: event socket at \(access.endpoint)")
        }
        return lines
    }

    private func addresses(_ settings: ClusterSettings) -> Table {
        var table = Table([.init("ADDRESS"), .init("NAME"), .init("USE")])
        for address in settings.addresses {
            let seat = settings.seats.first { $0.address == address.name }
            table.add([
                .init("\(address.ip)/\(address.prefixLength)"), .init(address.name),
                .init(seat.map { "service, \($0.name) first" } ?? "maintenance"),
            ])
        }
        return table
    }

    private func seats(_ settings: ClusterSettings) -> Table {
        var table = Table([.init("SEAT"), .init("STARTS AT"), .init("PREFERS")])
        for seat in settings.seats {
            table.add([.init(seat.name, .bold), .init(seat.address), .init(seat.prefer ?? "-")])
        }
        return table
    }

    private func zone(_ dns: DNSSettings) -> [String] {
        var lines = [
            paint("Zone \(dns.zone)", .bold)
                + ", TTL \(OperatorDuration.text(dns.ttl)), never fewer than \(dns.floor) addresses"
        ]
        for (index, server) in dns.servers.enumerated() {
            let use = index == 0 ? "primary, updated" : "read back"
            let key = server.keyName.map { ", key \($0) \(server.algorithm)" } ?? ""
            lines.append("  server \(server.endpoint): \(use)\(key)")
        }
        for service in dns.services { lines.append("  \(service).\(dns.zone): every live seat") }
        if dns.seatNames { lines.append("  <seat>.\(dns.zone): each seat by its name") }
        for srv in dns.srv {
            lines.append(
                "  \(srv.service).\(dns.zone): SRV port \(srv.port), priority \(srv.priority), "
                    + "weight \(srv.weight)")
        }
        return lines
    }
}
