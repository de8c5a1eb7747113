@preconcurrency import Glibc
import Primitives

/// Room for the datagrams of one recvmmsg(2), made once and used again: reading allocates nothing.
package final class DatagramBatch {
    /// As the kernel's `struct mmsghdr`.
    private struct Message {
        var header = msghdr()
        var length: UInt32 = 0
    }

    private typealias ReceiveMany =
        @convention(c) (Int32, UnsafeMutableRawPointer, UInt32, Int32, UnsafeMutableRawPointer?) -> Int32

    /// Declared in no header that Swift imports, but part of the C library.
    private let receiveMany: ReceiveMany? = dlsym(nil, "recvmmsg").map {
        unsafeBitCast($0, to: ReceiveMany.self)
    }

    package static let capacity = 64
    private let slot: Int
    private let bytes: UnsafeMutableRawBufferPointer
    private let names: UnsafeMutablePointer<sockaddr_storage>
    private let vectors: UnsafeMutablePointer<iovec>
    private let messages: UnsafeMutablePointer<Message>

    /// - Parameter longest: longer datagrams are cut there, so that they can be told.
    package init(longest: Int) {
        slot = longest + 1
        bytes = .allocate(byteCount: slot * Self.capacity, alignment: 16)
        names = .allocate(capacity: Self.capacity)
        vectors = .allocate(capacity: Self.capacity)
        messages = .allocate(capacity: Self.capacity)
        for place in 0..<Self.capacity {
            names.advanced(by: place).initialize(to: sockaddr_storage())
            vectors.advanced(by: place).initialize(
                to: iovec(iov_base: bytes.baseAddress?.advanced(by: place * slot), iov_len: slot))
            var message = Message()
            message.header.msg_name = UnsafeMutableRawPointer(names.advanced(by: place))
            message.header.msg_iov = vectors.advanced(by: place)
            message.header.msg_iovlen = 1
            messages.advanced(by: place).initialize(to: message)
        }
    }

    deinit {
        bytes.deallocate()
        names.deallocate()
        vectors.deallocate()
        messages.deallocate()
    }

    /// How many datagrams were read; none when none wait. Errors of the network are none of the receiver's (ICMP answers
    /// to what was sent) and are read over.
    package func receive(from descriptor: Int32, atMost limit: Int = capacity) -> Int {
        guard let receiveMany else { return 0 }
        for place in 0..<Self.capacity {
            messages[place].header.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
        }
        for _ in 0..<16 {
            let count = receiveMany(
                descriptor, messages, UInt32(min(limit, Self.capacity)), Int32(MSG_DONTWAIT), nil)
            if count >= 0 { return Int(count) }
            if errno == EAGAIN { return 0 }
        }
        return 0
    }

    package subscript(_ place: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[(place * slot)..<(place * slot + Int(messages[place].length))])
    }

    /// Where that datagram came from; nil for a family fsdns does not speak.
    package func sender(_ place: Int) -> Endpoint? {
        names.advanced(by: place).withMemoryRebound(to: sockaddr.self, capacity: 1) { Endpoint($0) }
    }

    /// That datagram's sender as the kernel told it, for sending back to.
    package func withName<Result>(
        _ place: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        names.advanced(by: place).withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, messages[place].header.msg_namelen)
        }
    }

    /// As `sender`, to be compared only.
    package func source(_ place: Int) -> DatagramSource {
        let raw = UnsafeRawPointer(names.advanced(by: place))
        if names[place].ss_family == sa_family_t(AF_INET) {
            let ip = raw.loadUnaligned(fromByteOffset: Endpoint.Layout.ip4, as: UInt32.self)
            return DatagramSource(high: 0, low: UInt64(UInt32(bigEndian: ip)))
        }
        let high = raw.loadUnaligned(fromByteOffset: Endpoint.Layout.ip6, as: UInt64.self)
        let low = raw.loadUnaligned(fromByteOffset: Endpoint.Layout.ip6 + 8, as: UInt64.self)
        return DatagramSource(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
    }
}
