@preconcurrency import Glibc
import Primitives

/// One address of one interface of this machine.
struct InterfaceAddress: Hashable, Sendable {
    var interface: String
    var index: UInt32
    var ip: IPAddress
    var isUp: Bool

    /// All of them, in the kernel's order: an interface's first address comes first. Nil when the system does not say,
    /// as when no descriptor is left: then nothing is known, and nothing may follow from it.
    static func all() -> [InterfaceAddress]? {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return nil }
        defer { freeifaddrs(first) }
        var list: [InterfaceAddress] = []
        var next = first
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr, let endpoint = Endpoint(address) else { continue }
            // Zero when the interface is gone since, or no descriptor is left to ask by.
            let index = if_nametoindex(entry.pointee.ifa_name)
            guard index != 0 else { return nil }
            list.append(
                InterfaceAddress(
                    interface: String(cString: entry.pointee.ifa_name), index: index, ip: endpoint.ip,
                    isUp: entry.pointee.ifa_flags & UInt32(IFF_UP) != 0))
        }
        return list
    }
}
