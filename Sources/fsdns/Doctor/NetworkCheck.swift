import Cluster
import Config
@preconcurrency import Glibc
import Primitives

/// Whether every heartbeat network and every service address has an interface here that can serve it.
struct NetworkCheck {
    /// One address of one interface.
    struct Interface: Hashable, Sendable {
        var name: String
        var ip: IPAddress
        /// Of the interface's own address: what it reaches without a router.
        var prefixLength: Int
        var isUp: Bool
        var hasMulticast: Bool
    }

    var file: ClusterFile
    var interfaces = Self.machineInterfaces()
    /// What the kernel says of an interface and its routes.
    var links = LinkFacts.machine

    var findings: [Finding] {
        var findings = file.networks.map(finding)
        var homes = file.networks.compactMap { home(of: $0)?.name }
        guard case .kernel = file.addressMode else {
            return findings + [.fine("addresses", "loopback mode needs no interface")]
        }
        for address in file.settings.addresses {
            let subject = "address \(address.name)"
            guard let home = home(of: address) else {
                findings.append(
                    .wrong(
                        subject,
                        "no interface here has an address of its own in the network of \(address.ip)",
                        fix:
                            "give this machine an address of its own in that network, or correct ip= in the file"
                    ))
                continue
            }
            findings.append(finding(address, subject, home))
            homes.append(home.name)
        }
        return findings + Set(homes).sorted().flatMap(wire)
    }

    /// As the keeper chooses: by the network of the interface's own address, whatever prefix the file gives.
    private func home(of address: ServiceAddress) -> Interface? {
        let managed = file.settings.addresses.map(\.ip)
        let fitting = interfaces.filter {
            address.ip.isInNetwork(of: $0.ip, prefixLength: $0.prefixLength) && !managed.contains($0.ip)
        }
        return fitting.max { $0.prefixLength < $1.prefixLength }
    }

    private func finding(_ address: ServiceAddress, _ subject: String, _ home: Interface) -> Finding {
        if !home.isUp {
            return .wrong(
                subject, "\(address.ip) would live on \(home.name), which is down",
                fix: "ip link set \(home.name) up")
        }
        // A host's own network has no other hosts, and so no route.
        let isHost = home.prefixLength == home.ip.bytes.count * 8
        if !isHost, links.isRouted(address.ip, home.name) == false {
            return .wrong(
                subject,
                "there is no route to the network of \(address.ip) on \(home.name): nobody there is answered",
                fix:
                    "take \(home.ip)/\(home.prefixLength) off \(home.name) and put it back; look at: ip route"
            )
        }
        return .fine(subject, "\(address.ip) can live on \(home.name)")
    }

    /// What is wrong with the cable, or what it is plugged into.
    private func wire(_ name: String) -> [Finding] {
        var findings: [Finding] = []
        if links.hasCarrier(name) == false {
            findings.append(
                .wrong("interface \(name)", "has no carrier", fix: "look at the cable and the switch port"))
        }
        if links.duplex(name) == "half" {
            findings.append(
                .wrong(
                    "interface \(name)", "runs half duplex: calls lose packets under load",
                    fix: "let both ends negotiate, or set both the same: ethtool \(name)"))
        }
        return findings
    }

    private func home(of network: HeartbeatNetwork) -> Interface? {
        interfaces.first { $0.ip.isInNetwork(of: network.subnet, prefixLength: network.prefixLength) }
    }

    private func finding(_ network: HeartbeatNetwork) -> Finding {
        let subject = "network \(network.name)"
        let subnet = "\(network.subnet)/\(network.prefixLength)"
        guard let home = home(of: network) else {
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
            let mask = entry.ifa_netmask.flatMap { Self.ip(of: $0, family: address.pointee.sa_family) }
            interfaces.append(
                Interface(
                    // Without the label an address may have.
                    name: String(String(cString: entry.ifa_name).prefix { $0 != ":" }), ip: ip,
                    prefixLength: (mask?.bytes ?? []).reduce(0) { $0 + $1.nonzeroBitCount },
                    isUp: entry.ifa_flags & UInt32(IFF_UP) != 0,
                    hasMulticast: entry.ifa_flags & UInt32(IFF_MULTICAST) != 0))
        }
        return interfaces
    }

    /// - Parameter family: of a mask, which may not tell its own.
    private static func ip(
        of address: UnsafeMutablePointer<sockaddr>, family: sa_family_t? = nil
    ) -> IPAddress? {
        switch Int32(family ?? address.pointee.sa_family) {
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
