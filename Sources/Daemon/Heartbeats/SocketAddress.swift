import Cluster
@preconcurrency import Glibc

extension Endpoint {
    /// As the kernel takes it; `scope` is the interface of a link-local IPv6 address.
    func withSocketAddress<Result>(
        scope: UInt32 = 0, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        switch ip.family {
        case .v4:
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &name.sin_addr) { $0.copyBytes(from: ip.bytes) }
            return withUnsafePointer(to: name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        case .v6:
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            name.sin6_scope_id = scope
            withUnsafeMutableBytes(of: &name.sin6_addr) { $0.copyBytes(from: ip.bytes) }
            return withUnsafePointer(to: name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
    }

    /// Nil for a family fsdns does not speak.
    init?(_ address: UnsafePointer<sockaddr>) {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            let name = UnsafeRawPointer(address).load(as: sockaddr_in.self)
            guard let ip = IPAddress(bytes: withUnsafeBytes(of: name.sin_addr) { Array($0) }) else {
                return nil
            }
            self.init(ip: ip, port: UInt16(bigEndian: name.sin_port))
        case AF_INET6:
            let name = UnsafeRawPointer(address).load(as: sockaddr_in6.self)
            guard let ip = IPAddress(bytes: withUnsafeBytes(of: name.sin6_addr) { Array($0) }) else {
                return nil
            }
            self.init(ip: ip, port: UInt16(bigEndian: name.sin6_port))
        default: return nil
        }
    }
}

/// One address of one interface of this machine.
struct InterfaceAddress: Hashable, Sendable {
    var interface: String
    var index: UInt32
    var ip: IPAddress
    var isUp: Bool

    /// All of them, in the kernel's order: an interface's first address comes first.
    static func all() -> [InterfaceAddress] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var list: [InterfaceAddress] = []
        var next = first
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr, let endpoint = Endpoint(address) else { continue }
            list.append(
                InterfaceAddress(
                    interface: String(cString: entry.pointee.ifa_name),
                    index: if_nametoindex(entry.pointee.ifa_name), ip: endpoint.ip,
                    isUp: entry.pointee.ifa_flags & UInt32(IFF_UP) != 0))
        }
        return list
    }
}
