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
