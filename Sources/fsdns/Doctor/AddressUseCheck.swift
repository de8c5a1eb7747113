import Cluster
import Config
@preconcurrency import Glibc
import Keeper
import KeeperProtocol
import Primitives

/// Whether somebody has a service address who should not: this machine by hand, or another host of its network.
struct AddressUseCheck {
    var file: ClusterFile
    /// What the node service here says; nil when none answers.
    var report: StatusReport?
    var interfaces = NetworkCheck.machineInterfaces()
    /// Who answers ARP or neighbour discovery for one of these.
    var stations: ([IPAddress]) -> [IPAddress: Station] = Self.neighbours

    struct Station {
        var hardware: String
        /// Its last answer came as long ago as that.
        var age: Duration = .zero
    }

    var findings: [Finding] {
        guard case .kernel = file.addressMode else { return [] }
        let addresses = file.settings.addresses
        let here = addresses.filter { address in interfaces.contains { $0.ip == address.ip } }
        let free = addresses.filter { address in !here.contains(address) && holders(of: address).isEmpty }
        let stations = free.isEmpty ? [:] : stations(free.map(\.ip))
        return addresses.compactMap { address in
            here.contains(address) ? own(address) : stations[address.ip].map { others(address, $0) }
        }
    }

    private func holders(of address: ServiceAddress) -> [String] {
        let text = "\(address.ip)"
        return report?.nodes.filter { $0.addresses.contains(text) }.map(\.name) ?? []
    }

    private func own(_ address: ServiceAddress) -> Finding? {
        let name = interfaces.first { $0.ip == address.ip }?.name ?? "an interface"
        let (subject, fix) = (
            "address \(address.name)",
            "take it out of this machine's network configuration, then: ip addr del "
                + "\(address.ip)/\(address.prefixLength) dev \(name)"
        )
        guard let report else {
            return .notice(
                subject,
                "\(address.ip) is on \(name), and no node service answers here: only fsdns may put it there",
                fix: fix)
        }
        if holders(of: address).contains(report.node) { return nil }
        return .wrong(
            subject,
            "\(address.ip) is on \(name), and fsdns did not put it there: two machines could answer for it",
            fix: fix)
    }

    private func others(_ address: ServiceAddress, _ seen: Station) -> Finding {
        let station = seen.hardware
        let (subject, fix) = (
            "address \(address.name)",
            "find the host with that hardware address (ip neigh show \(address.ip); the switch's table) and give it another address"
        )
        guard report?.leader != nil else {
            return .notice(
                subject,
                "\(station) answers for \(address.ip); that is right only if it is a node of this cluster which holds it",
                fix: fix)
        }
        // Who had it until a moment ago, after a drain for instance, is remembered here for up to 45 s.
        guard seen.age <= Self.freshness else {
            return .notice(
                subject,
                "\(station) answered for \(address.ip) \(max(1, seen.age.wholeSeconds)) s ago, as whoever held it until then "
                    + "did; no node holds it now",
                fix: "ask again in a minute; if it still answers: \(fix)")
        }
        return .wrong(subject, "\(station) answers for \(address.ip), which no node holds", fix: fix)
    }

    /// How long a host may take to answer, in steps between two looks.
    private static let (patience, step) = (10, useconds_t(50_000))
    /// An older answer was not given to this check.
    private static let freshness = Duration.milliseconds(700)

    private static func neighbours(of ips: [IPAddress]) -> [IPAddress: Station] {
        guard let lookup = try? NeighbourLookup() else { return [:] }
        let wanted = ips.compactMap { ip in KeeperAddress("\(ip)").map { (ip, $0) } }
        // Any datagram makes the kernel ask who has the address; port 9 is for discarding.
        for ip in ips {
            if let probe = try? DatagramProbe(connectedTo: Endpoint(ip: ip, port: 9)) { probe.send([]) }
        }
        var found: [KeeperAddress: NeighbourLookup.Station] = [:]
        for _ in 0..<patience where found.values.count(where: { $0.confirmed <= freshness }) < wanted.count {
            usleep(step)
            found = lookup.stations(of: wanted.map(\.1))
        }
        var stations: [IPAddress: Station] = [:]
        for (ip, address) in wanted {
            stations[ip] = found[address].map { Station(hardware: hardware($0.hardware), age: $0.confirmed) }
        }
        return stations
    }

    private static func hardware(_ number: UInt64) -> String {
        (0..<6).map { place in
            let byte = number >> UInt64(40 - 8 * place) & 0xFF
            let text = String(byte, radix: 16)
            return text.count < 2 ? "0" + text : text
        }.joined(separator: ":")
    }
}
