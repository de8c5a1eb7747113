@preconcurrency import Glibc
import Primitives

/// A non-blocking UDP socket of the heart's thread.
final class DatagramSocket {
    struct Failure: Error {
        var what: String
        var code: Int32
        var description: String { "\(what): \(errorText(code))" }
    }

    /// How a multicast group is joined and sent to.
    struct Group {
        var address: IPAddress
        var interface: UInt32
        var local: IPAddress
    }

    let descriptor: Int32
    /// A full second of sixty-four nodes fits, and some milliseconds of a flood.
    static let receiveBuffer: Int32 = 1 << 22
    private static let receiveBufferForce: Int32 = 33
    // linux/in.h and linux/in6.h: 0 means only what arrives on the interface where this socket joined the group. Otherwise
    // rings that share a group and a port would hear each other, and one that is cut would seem to live.
    private static let multicastAllV4: Int32 = 49
    private static let multicastAllV6: Int32 = 29
    /// Whether the kernel drops what does not begin as our datagrams do.
    private(set) var isFiltered = false

    /// - Parameters:
    ///   - endpoint: where it is bound: an own address, or a group for a socket that only receives it.
    ///   - group: the group to join and to send to.
    ///   - filter: what the kernel is to drop for us; a kernel that cannot lets everything through.
    init(
        boundTo endpoint: Endpoint, group: Group?, scope: UInt32 = 0, filter: DatagramFilter? = nil
    ) throws(Failure) {
        let isV4 = endpoint.ip.family == .v4
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        descriptor = socket(isV4 ? AF_INET : AF_INET6, kind, 0)
        guard descriptor >= 0 else { throw Failure(what: "socket", code: errno) }
        // Several nodes of one machine may hear one group; an own address has one owner, or it would be deaf.
        if endpoint.ip == group?.address { try set(SOL_SOCKET, SO_REUSEADDR, Int32(1), "SO_REUSEADDR") }
        // Before it is bound: nothing arrives unfiltered.
        isFiltered = filter?.attach(to: descriptor) == 0
        // With the privilege beyond net.core.rmem_max, without it up to that; doctor tells when it is low.
        do throws(Failure) {
            try set(SOL_SOCKET, Self.receiveBufferForce, Self.receiveBuffer, "SO_RCVBUFFORCE")
        } catch {
            try set(SOL_SOCKET, SO_RCVBUF, Self.receiveBuffer, "SO_RCVBUF")
        }
        if !isV4 { try set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, Int32(1), "IPV6_V6ONLY") }
        if let group { isV4 ? try prepareV4(group) : try prepareV6(group) }
        let bound = endpoint.withSocketAddress(scope: scope) { bind(descriptor, $0, $1) }
        guard bound == 0 else { throw Failure(what: "bind \(endpoint)", code: errno) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    private func prepareV4(_ group: Group) throws(Failure) {
        let level = Int32(IPPROTO_IP)
        var request = ip_mreqn()
        request.imr_ifindex = Int32(group.interface)
        withUnsafeMutableBytes(of: &request.imr_address) { $0.copyBytes(from: group.local.bytes) }
        try set(level, IP_MULTICAST_IF, request, "IP_MULTICAST_IF")
        try set(level, IP_MULTICAST_TTL, Int32(1), "IP_MULTICAST_TTL")
        try loop(true, .v4)
        withUnsafeMutableBytes(of: &request.imr_multiaddr) { $0.copyBytes(from: group.address.bytes) }
        try set(level, Self.multicastAllV4, Int32(0), "IP_MULTICAST_ALL")
        try set(level, IP_ADD_MEMBERSHIP, request, "join \(group.address)")
    }

    private func prepareV6(_ group: Group) throws(Failure) {
        let level = Int32(IPPROTO_IPV6)
        try set(level, IPV6_MULTICAST_IF, Int32(group.interface), "IPV6_MULTICAST_IF")
        try set(level, IPV6_MULTICAST_HOPS, Int32(1), "IPV6_MULTICAST_HOPS")
        try loop(true, .v6)
        // Since Linux 4.20; an older kernel has no say in it.
        try? set(level, Self.multicastAllV6, Int32(0), "IPV6_MULTICAST_ALL")
        var request = ipv6_mreq()
        request.ipv6mr_interface = group.interface
        withUnsafeMutableBytes(of: &request.ipv6mr_multiaddr) { $0.copyBytes(from: group.address.bytes) }
        try set(level, IPV6_ADD_MEMBERSHIP, request, "join \(group.address)")
    }

    /// Whether what is sent to the group comes back to this machine, for other nodes on it.
    func loop(_ isOn: Bool, _ family: IPAddress.Family) throws(Failure) {
        let value: Int32 = isOn ? 1 : 0
        if family == .v4 {
            try set(Int32(IPPROTO_IP), IP_MULTICAST_LOOP, value, "IP_MULTICAST_LOOP")
        } else {
            try set(Int32(IPPROTO_IPV6), IPV6_MULTICAST_LOOP, value, "IPV6_MULTICAST_LOOP")
        }
    }

    private func set<Value>(
        _ level: Int32, _ name: Int32, _ value: Value, _ what: String
    ) throws(Failure) {
        let length = socklen_t(MemoryLayout<Value>.size)
        let code = withUnsafeBytes(of: value) { setsockopt(descriptor, level, name, $0.baseAddress, length) }
        guard code == 0 else { throw Failure(what: what, code: errno) }
    }

    /// The error number, or zero.
    func send(_ bytes: [UInt8], to endpoint: Endpoint, scope: UInt32 = 0) -> Int32 {
        let count = endpoint.withSocketAddress(scope: scope) {
            sendto(
                descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL), $0, $1)
        }
        return count == bytes.count ? 0 : errno
    }
}
