@preconcurrency import Glibc

/// An IPv4 datagram socket, closed with this value.
final class UDPSocket {
    let descriptor: Int32

    /// Bound to the port on every address; 0 takes a free one.
    init(port: UInt16 = 0) throws {
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = Self.address(nil, port)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0 else {
            throw LabFailure("cannot bind UDP port \(port): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    func connect(to text: String, port: UInt16) throws {
        var address = Self.address(text, port)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            throw LabFailure("no way to \(text): \(String(cString: strerror(errno)))")
        }
    }

    func set(_ level: Int32, _ option: Int32, _ value: Int32) throws {
        var value = value
        guard setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
            throw LabFailure("setsockopt \(option): \(String(cString: strerror(errno)))")
        }
    }

    static func address(_ text: String?, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        if let text { inet_pton(AF_INET, text, &address.sin_addr) }
        return address
    }
}
