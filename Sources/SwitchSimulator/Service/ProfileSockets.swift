@preconcurrency import Glibc
import Synchronization

/// The UDP sockets of the profiles: bound whether or not their addresses are on the machine, and kept through send errors.
final class ProfileSockets: Sendable {
    /// Which profile's address cannot be bound, and why.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }
    private let names: [String]
    private let descriptors: [Int32]
    /// Written to when the reader is to end.
    private let wake: (read: Int32, write: Int32)
    private let reader = Mutex<pthread_t?>(nil)

    /// Binds all profiles' addresses, or none.
    init(_ profiles: [SwitchSettings.Profile]) throws(Failure) {
        var opened: [Int32] = []
        do throws(Failure) {
            for profile in profiles { opened.append(try Self.open(profile)) }
        } catch {
            for descriptor in opened { Glibc.close(descriptor) }
            throw error
        }
        names = profiles.map(\.name)
        descriptors = opened
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            for descriptor in opened { Glibc.close(descriptor) }
            throw Failure(description: "no pipe: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        wake = (ends[0], ends[1])
    }

    private static func open(_ profile: SwitchSettings.Profile) throws(Failure) -> Int32 {
        func failure(_ what: String) -> Failure {
            Failure(
                description: "profile \(profile.name): \(what) \(profile.ip) port \(profile.port): "
                    + String(cString: strerror(errno)))
        }
        let isV6 = profile.ip.contains(":")
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(isV6 ? AF_INET6 : AF_INET, kind, 0)
        guard descriptor >= 0 else { throw failure("no socket for") }
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        let level = Int32(isV6 ? Int(IPPROTO_IPV6) : Int(IPPROTO_IP))
        // The address may come later (ip(7) IP_FREEBIND; IPV6_FREEBIND is 78 in linux/in6.h).
        setsockopt(descriptor, level, isV6 ? 78 : Int32(IP_FREEBIND), &yes, size)
        if isV6 { setsockopt(descriptor, level, Int32(IPV6_V6ONLY), &yes, size) }
        var space: Int32 = 4 << 20
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &space, size)
        let endpoint = SIPEndpoint(ip: profile.ip, port: profile.port)
        guard withAddress(endpoint, { Glibc.bind(descriptor, $0, $1) }) == 0 else {
            defer { Glibc.close(descriptor) }
            throw failure("cannot bind")
        }
        return descriptor
    }

    /// Receives on a thread of its own until `close`.
    func start(_ received: @escaping @Sendable (_ profile: String, [UInt8], SIPEndpoint) -> Void) {
        let descriptors = descriptors
        let names = names
        let wake = wake.read
        let thread = Receiver {
            var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            polled.append(pollfd(fd: wake, events: Int16(POLLIN), revents: 0))
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = poll(&polled, nfds_t(polled.count), -1)
                if count < 0, errno != EINTR { return }
                if count <= 0 { continue }
                if polled[polled.count - 1].revents != 0 { return }
                for (index, descriptor) in descriptors.enumerated() where polled[index].revents != 0 {
                    for _ in 0..<64 {
                        guard let (length, source) = Self.receive(descriptor, into: &buffer) else { break }
                        if let source { received(names[index], Array(buffer[..<length]), source) }
                    }
                }
            }
        }
        reader.withLock { $0 = thread.start() }
    }

    /// False when the kernel refuses, as it does while the profile's address is not on the machine.
    func send(_ bytes: [UInt8], from profile: String, to endpoint: SIPEndpoint) -> Bool {
        guard let index = names.firstIndex(of: profile) else { return false }
        let sent = Self.withAddress(endpoint) { address, length in
            Int32(
                clamping: bytes.withUnsafeBytes {
                    sendto(descriptors[index], $0.baseAddress, $0.count, 0, address, length)
                })
        }
        return (sent ?? -1) >= 0
    }

    func close() {
        var byte: UInt8 = 1
        write(wake.write, &byte, 1)
        if let thread = reader.withLock({ $0.take() }) { pthread_join(thread, nil) }
        for descriptor in descriptors { Glibc.close(descriptor) }
        Glibc.close(wake.read)
        Glibc.close(wake.write)
    }

    /// Nil when nothing waits; a nil source is nobody's.
    private static func receive(
        _ descriptor: Int32, into buffer: inout [UInt8]
    ) -> (length: Int, source: SIPEndpoint?)? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let count = buffer.withUnsafeMutableBytes { bytes in
            withUnsafeMutablePointer(to: &storage) { storage in
                storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, bytes.baseAddress, bytes.count, 0, $0, &length)
                }
            }
        }
        // An ICMP error of an earlier datagram is reported once and means nothing here.
        if count < 0 { return errno == ECONNREFUSED || errno == EINTR ? (0, nil) : nil }
        return (count, endpoint(storage))
    }

    private static func endpoint(_ storage: sockaddr_storage) -> SIPEndpoint? {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        return withUnsafeBytes(of: storage) { raw -> SIPEndpoint? in
            switch Int32(storage.ss_family) {
            case AF_INET:
                var name = raw.loadUnaligned(as: sockaddr_in.self)
                guard inet_ntop(AF_INET, &name.sin_addr, &text, socklen_t(text.count)) != nil else {
                    return nil
                }
                return SIPEndpoint(ip: string(text), port: UInt16(bigEndian: name.sin_port))
            case AF_INET6:
                var name = raw.loadUnaligned(as: sockaddr_in6.self)
                guard inet_ntop(AF_INET6, &name.sin6_addr, &text, socklen_t(text.count)) != nil else {
                    return nil
                }
                return SIPEndpoint(ip: string(text), port: UInt16(bigEndian: name.sin6_port))
            default: return nil
            }
        }
    }

    private static func string(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Nil when the address is not numeric.
    private static func withAddress(
        _ endpoint: SIPEndpoint, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32? {
        if endpoint.ip.contains(":") {
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = endpoint.port.bigEndian
            guard inet_pton(AF_INET6, endpoint.ip, &name.sin6_addr) == 1 else { return nil }
            return withUnsafePointer(to: name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = endpoint.port.bigEndian
        guard inet_pton(AF_INET, endpoint.ip, &name.sin_addr) == 1 else { return nil }
        return withUnsafePointer(to: name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// A POSIX thread that runs one closure.
private final class Receiver: Sendable {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() -> pthread_t? {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Receiver>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, argument)
        guard status == 0 else {
            Unmanaged<Receiver>.fromOpaque(argument).release()
            return nil
        }
        return thread
    }
}
