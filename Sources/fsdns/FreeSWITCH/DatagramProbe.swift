@preconcurrency import Glibc
import Primitives

/// A UDP socket for short questions: DNS queries and "who holds this address?".
struct DatagramProbe: ~Copyable {
    struct Failure: Error, Hashable, Sendable {
        var number: Int32
    }

    private let descriptor: Int32

    /// A socket that only hears `remote`.
    init(connectedTo remote: Endpoint) throws(Failure) {
        descriptor = try Self.open(remote) { connect($0, $1, $2) }
    }

    /// Fails when somebody has this address and port.
    init(bindingTo local: Endpoint) throws(Failure) {
        descriptor = try Self.open(local) { bind($0, $1, $2) }
    }

    deinit { close(descriptor) }

    private static func open(
        _ endpoint: Endpoint, _ action: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(Failure) -> Int32 {
        let family = endpoint.ip.family == .v4 ? AF_INET : AF_INET6
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw Failure(number: errno) }
        if withAddress(endpoint, { action(descriptor, $0, $1) }) != 0 {
            let failure = Failure(number: errno)
            close(descriptor)
            throw failure
        }
        return descriptor
    }

    /// The endpoint as the kernel takes it.
    static func withAddress(
        _ endpoint: Endpoint, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var storage = sockaddr_storage()
        let bytes = endpoint.ip.bytes
        return withUnsafeMutableBytes(of: &storage) { raw in
            let size: Int
            if endpoint.ip.family == .v4 {
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = endpoint.port.bigEndian
                withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
                raw.storeBytes(of: address, as: sockaddr_in.self)
                size = MemoryLayout<sockaddr_in>.size
            } else {
                var address = sockaddr_in6()
                address.sin6_family = sa_family_t(AF_INET6)
                address.sin6_port = endpoint.port.bigEndian
                withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
                raw.storeBytes(of: address, as: sockaddr_in6.self)
                size = MemoryLayout<sockaddr_in6>.size
            }
            return raw.withMemoryRebound(to: sockaddr.self) { body($0.baseAddress!, socklen_t(size)) }
        }
    }

    /// An error told now is that of an earlier datagram (nobody was there), and this one was not sent yet.
    func send(_ bytes: [UInt8]) {
        for _ in 0..<2 where Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) >= 0 { return }
    }

    /// The next datagram, or nil when none came within `patience`.
    func receive(within patience: Duration) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let watch = Stopwatch()
        while true {
            let count = recv(descriptor, &bytes, bytes.count, 0)
            if count >= 0 { return Array(bytes[..<count]) }
            let left = patience - watch.elapsed
            if left <= .zero { return nil }
            // Rounded up: a wait of nothing would be a busy loop.
            let milliseconds =
                left.wholeSeconds * 1_000 + left.components.attoseconds / 1_000_000_000_000_000
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = Glibc.poll(&poll, 1, Int32(clamping: milliseconds + 1))
        }
    }
}
