@preconcurrency import Glibc
import Primitives

extension Endpoint {
    /// Where the parts of `sockaddr_in` and `sockaddr_in6` are (ip(7), ipv6(7)). By place: the structures belong to
    /// whichever module the compiler meets first, Glibc or NIO's.
    package enum Layout {
        package static let port = 2
        package static let ip4 = 4
        package static let length4 = 16
        package static let ip6 = 8
        package static let scope = 24
        package static let length6 = 28
    }

    /// As the kernel takes it; `scope` is the interface of a link-local IPv6 address.
    package func withSocketAddress<Result>(
        scope: UInt32 = 0, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var name = sockaddr_storage()
        let isV4 = ip.family == .v4
        name.ss_family = sa_family_t(isV4 ? AF_INET : AF_INET6)
        withUnsafeMutableBytes(of: &name) { bytes in
            bytes.storeBytes(of: port.bigEndian, toByteOffset: Layout.port, as: UInt16.self)
            let place = isV4 ? Layout.ip4 : Layout.ip6
            UnsafeMutableRawBufferPointer(rebasing: bytes[place...]).copyBytes(from: ip.bytes)
            if !isV4 { bytes.storeBytes(of: scope, toByteOffset: Layout.scope, as: UInt32.self) }
        }
        return withUnsafePointer(to: name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(isV4 ? Layout.length4 : Layout.length6))
            }
        }
    }

    /// Nil for a family fsdns does not speak.
    package init?(_ address: UnsafePointer<sockaddr>) {
        let raw = UnsafeRawPointer(address)
        let place: Range<Int>
        switch Int32(address.pointee.sa_family) {
        case AF_INET: place = Layout.ip4..<Layout.ip4 + 4
        case AF_INET6: place = Layout.ip6..<Layout.ip6 + 16
        default: return nil
        }
        guard let ip = IPAddress(bytes: place.map { raw.load(fromByteOffset: $0, as: UInt8.self) }) else {
            return nil
        }
        let port = raw.loadUnaligned(fromByteOffset: Layout.port, as: UInt16.self)
        self.init(ip: ip, port: UInt16(bigEndian: port))
    }
}
