import Cluster
import Config
@preconcurrency import Glibc

/// Whether every heartbeat network and every service address has an interface here.
struct NetworkCheck {
    /// One address of one interface.
    struct Interface: Hashable, Sendable {
        var name: String
        var ip: IPAddress
        var isUp: Bool
        var hasMulticast: Bool
    }

    var file: ClusterFile
    var interfaces = Self.machineInterfaces()

    var findings: [Finding] {
        var findings = file.networks.map(finding)
        guard case .kernel = file.addressMode else {
            return findings + [.fine("addresses", "loopback mode needs no interface")]
        }
        for address in file.settings.addresses {
            let home = interfaces.first {
                $0.ip.isInNetwork(of: address.ip, prefixLength: address.prefixLength) && $0.ip != address.ip
            }
            if let home {
                findings.append(.fine("address \(address.name)", "\(address.ip) can live on \(home.name)"))
            } else {
                findings.append(
                    .wrong(
                        "address \(address.name)", "no interface is in \(address.ip)/\(address.prefixLength)",
                        fix:
                            "give this machine an address of its own in that network, or correct ip= in the file"
                    ))
            }
        }
        return findings
    }

    private func finding(_ network: HeartbeatNetwork) -> Finding {
        let subject = "network \(network.name)"
        let subnet = "\(network.subnet)/\(network.prefixLength)"
        let home = interfaces.first {
            $0.ip.isInNetwork(of: network.subnet, prefixLength: network.prefixLength)
        }
        guard let home else {
            return .wrong(
                subject, "no interface has an address in \(subnet)",
                fix: "give this machine an address there, or correct subnet= in the file")
        }
        if !home.isUp {
            return .wrong(subject, "\(home.name) is down", fix: "ip link set \(home.name) up")
        }
        if network.group != nil, !home.hasMulticast {
            return .wrong(
                subject, "\(home.name) does no multicast",
                fix: "ip link set \(home.name) multicast on, or list <peer> addresses instead of group=")
        }
        return .fine(subject, "\(subnet) is on \(home.name) as \(home.ip)")
    }

    static func machineInterfaces() -> [Interface] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var interfaces: [Interface] = []
        var next = first
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let address = entry.ifa_addr, let ip = ip(of: address) else { continue }
            interfaces.append(
                Interface(
                    name: String(cString: entry.ifa_name), ip: ip,
                    isUp: entry.ifa_flags & UInt32(IFF_UP) != 0,
                    hasMulticast: entry.ifa_flags & UInt32(IFF_MULTICAST) != 0))
        }
        return interfaces
    }

    private static func ip(of address: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                withUnsafeBytes(of: &$0.pointee.sin_addr) { IPAddress(bytes: $0) }
            }
        case AF_INET6:
            address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: &$0.pointee.sin6_addr) { IPAddress(bytes: $0) }
            }
        default: nil
        }
    }
}
