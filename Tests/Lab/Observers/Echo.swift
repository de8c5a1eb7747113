@preconcurrency import Glibc

/// Answers every probe with this machine's name, from the address that was asked.
package enum Echo {
    package static let port: UInt16 = 7077

    /// Runs until killed. A probe is 16 bytes; the answer is the same 16 bytes and the name.
    package static func run(name: String) throws -> Never {
        let socket = try UDPSocket(port: port)
        try socket.set(Int32(IPPROTO_IP), IP_PKTINFO, 1)
        Priority.raise(55)
        let tail = Array(name.utf8)
        var buffer = [UInt8](repeating: 0, count: 2048)
        var control = [UInt64](repeating: 0, count: 16)
        var sender = sockaddr_in()
        while true {
            buffer.withUnsafeMutableBytes { bytes in
                control.withUnsafeMutableBytes { control in
                    answer(socket.descriptor, bytes, control, &sender, tail)
                }
            }
        }
    }

    /// One question, one answer. The packet information received (destination address) is sent back as it
    /// came: for
    /// a sender it names the source address.
    private static func answer(
        _ socket: Int32, _ bytes: UnsafeMutableRawBufferPointer, _ control: UnsafeMutableRawBufferPointer,
        _ sender: inout sockaddr_in, _ tail: [UInt8]
    ) {
        withUnsafeMutablePointer(to: &sender) { sender in
            var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
            withUnsafeMutablePointer(to: &vector) { vector in
                var message = msghdr(
                    msg_name: sender, msg_namelen: socklen_t(MemoryLayout<sockaddr_in>.size), msg_iov: vector,
                    msg_iovlen: 1, msg_control: control.baseAddress, msg_controllen: control.count,
                    msg_flags: 0)
                guard recvmsg(socket, &message, 0) == 16 else { return }
                UnsafeMutableRawBufferPointer(rebasing: bytes[16...]).copyBytes(from: tail)
                vector.pointee.iov_len = 16 + tail.count
                _ = sendmsg(socket, &message, Int32(MSG_DONTWAIT))
            }
        }
    }
}

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

    private static func address(_ text: String?, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        if let text { inet_pton(AF_INET, text, &address.sin_addr) }
        return address
    }
}

/// Real-time scheduling for the lab's instruments, so that what they measure is not their own waiting.
enum Priority {
    static func raise(_ priority: Int32) {
        var parameters = sched_param()
        parameters.sched_priority = priority
        _ = sched_setscheduler(0, SCHED_RR, &parameters)
        _ = mlockall(Int32(MCL_CURRENT))
    }
}
