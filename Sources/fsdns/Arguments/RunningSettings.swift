import Cluster
import Config
import Primitives

extension ControlClient {
    /// What the running cluster tells of its own file: as much as names in a playbook are held against.
    func settings() throws(CommandFailure) -> ClusterSettings {
        let report = try status()
        guard report.leader != nil else {
            throw .noAnswer("the cluster has no leader now, who alone could run anything; see: fsdns status")
        }
        return ClusterSettings(running: report)
    }
}

extension ClusterSettings {
    /// Names, addresses and the zone's TTL are those of the cluster; all else is left as it is by default.
    init(running report: StatusReport) {
        var addresses = report.seats.map { ($0.addressName, $0.address) }
        addresses += zip(report.maintenance.names ?? [], report.maintenance.addresses)
        self.init(
            cluster: report.cluster,
            nodes: report.nodes.map { NodeRule(name: $0.name, kind: $0.role == .witness ? .witness : .full) },
            expect: report.nodes.count,
            addresses: addresses.compactMap { name, text in
                IPAddress(text).map {
                    ServiceAddress(name: name, ip: $0, prefixLength: $0.family == .v6 ? 128 : 32)
                }
            },
            seats: report.seats.map { SeatRule(name: $0.name, address: $0.addressName) },
            dns: report.dns.flatMap { line in
                line.ttl.map { ttl in
                    DNSSettings(
                        zone: line.zone, ttl: .seconds(ttl), floor: 1, servers: [], services: [],
                        seatNames: false, srv: [])
                }
            })
    }
}
