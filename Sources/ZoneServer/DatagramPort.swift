@preconcurrency import Glibc
import Primitives

/// The UDP sockets of one address.
final class DatagramPort: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var what: String
        var code: Int32
        var description: String { "\(what): \(String(cString: strerror(code)))" }
    }

    /// Of each socket. Some 270 datagrams, as the kernel counts them, of which the last is answered in time.
    private static let room: Int32 = 106_496
    let descriptors: [Int32]
    private let steering: SocketSteering
    private let family: IPAddress.Family

    init(at endpoint: Endpoint, _ steering: SocketSteering) throws(Failure) {
        var opened: [Int32] = []
        do throws(Failure) {
            for _ in 0..<SocketSteering.sockets {
                let descriptor = try Self.open(endpoint.ip.family)
                opened.append(descriptor)
                let code = endpoint.withSocketAddress { bind(descriptor, $0, $1) }
                guard code == 0 else { throw Failure(what: "bind UDP \(endpoint)", code: errno) }
                if opened.count == 1 { steering.divide(descriptor, endpoint.ip.family, proven: []) }
            }
        } catch {
            for descriptor in opened { close(descriptor) }
            throw error
        }
        descriptors = opened
        self.steering = steering
        family = endpoint.ip.family
    }

    /// These have a socket apart from everybody else.
    func set(proven: [IPAddress]) { steering.divide(descriptors[0], family, proven: proven) }

    deinit { for descriptor in descriptors { close(descriptor) } }

    private static func open(_ family: IPAddress.Family) throws(Failure) -> Int32 {
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family == .v4 ? AF_INET : AF_INET6, kind, 0)
        guard descriptor >= 0 else { throw Failure(what: "socket", code: errno) }
        // Before it is bound: nothing arrives unfiltered.
        SocketSteering.filter(descriptor)
        // Another server cannot slip in so: the TCP socket of this address has none of it.
        var options: [(level: Int32, name: Int32, value: Int32)] = [
            (SOL_SOCKET, SO_REUSEPORT, 1), (SOL_SOCKET, SO_RCVBUF, room),
        ]
        // Without it `::` takes IPv4 too, and `0.0.0.0` beside it cannot be bound.
        if family == .v6 { options.append((Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)) }
        for (level, name, value) in options {
            var value = value
            guard setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
                let code = errno
                close(descriptor)
                throw Failure(what: "setsockopt \(name)", code: code)
            }
        }
        return descriptor
    }
}
