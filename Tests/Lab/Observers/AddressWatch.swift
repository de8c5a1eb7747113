import CLab
@preconcurrency import Glibc

/// Writes down every appearing and vanishing address of one network namespace, as the kernel tells it.
package enum AddressWatch {
    /// Runs until killed; one line an event on standard output: `nanoseconds add|del address` (boot time).
    /// What is
    /// there at the start is written as added then; renewals of what is there are not written.
    package static func run() throws -> Never {
        let socket = try openSocket()
        Priority.raise(60)
        askForAll(socket)
        var known: Set<String> = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            let now = BootTime.now
            if count < 0 && errno == ENOBUFS { throw LabFailure("the kernel dropped address events") }
            guard count > 0 else { continue }
            buffer.withUnsafeBytes { bytes in
                for event in events(in: UnsafeRawBufferPointer(rebasing: bytes[..<count])) {
                    let isNews =
                        event.isAdded
                        ? known.insert(event.address).inserted : known.remove(event.address) != nil
                    guard isNews else { continue }
                    say("\(now.nanoseconds) \(event.isAdded ? "add" : "del") \(event.address)\n")
                }
            }
        }
    }

    private struct Event {
        var isAdded: Bool
        var address: String
    }

    private static func openSocket() throws -> Int32 {
        let socket = Glibc.socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        address.nl_groups = UInt32(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
            }
        }
        guard bound == 0 else { throw LabFailure("no rtnetlink: \(String(cString: strerror(errno)))") }
        return socket
    }

    private static func askForAll(_ socket: Int32) {
        var header = nlmsghdr()
        header.nlmsg_len = UInt32(MemoryLayout<nlmsghdr>.size + MemoryLayout<ifaddrmsg>.size)
        header.nlmsg_type = UInt16(RTM_GETADDR)
        header.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH)
        var request = [UInt8](repeating: 0, count: Int(header.nlmsg_len))
        request.withUnsafeMutableBytes { $0.storeBytes(of: header, as: nlmsghdr.self) }
        _ = send(socket, request, request.count, 0)
    }

    /// The address events of one netlink datagram; lengths that do not fit end the reading.
    private static func events(in bytes: UnsafeRawBufferPointer) -> [Event] {
        var events: [Event] = []
        var offset = 0
        while offset + MemoryLayout<nlmsghdr>.size <= bytes.count {
            let header = bytes.loadUnaligned(fromByteOffset: offset, as: nlmsghdr.self)
            let end = offset + Int(header.nlmsg_len)
            guard Int(header.nlmsg_len) >= MemoryLayout<nlmsghdr>.size, end <= bytes.count else { break }
            let isAdded = header.nlmsg_type == UInt16(RTM_NEWADDR)
            if isAdded || header.nlmsg_type == UInt16(RTM_DELADDR) {
                let message = UnsafeRawBufferPointer(
                    rebasing: bytes[(offset + MemoryLayout<nlmsghdr>.size)..<end])
                if let address = address(in: message) {
                    events.append(Event(isAdded: isAdded, address: address))
                }
            }
            offset = (end + 3) & ~3
        }
        return events
    }

    /// The text of the address one RTM_NEWADDR or RTM_DELADDR is about (IFA_LOCAL before IFA_ADDRESS).
    private static func address(in message: UnsafeRawBufferPointer) -> String? {
        guard message.count >= MemoryLayout<ifaddrmsg>.size else { return nil }
        let family = Int32(message.loadUnaligned(as: ifaddrmsg.self).ifa_family)
        var found: [Int: String] = [:]
        var offset = MemoryLayout<ifaddrmsg>.size
        while offset + 4 <= message.count {
            let length = Int(message.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            let type = Int(message.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self))
            guard length >= 4, offset + length <= message.count else { break }
            if length - 4 == (family == AF_INET ? 4 : 16) {
                var text = [CChar](repeating: 0, count: 64)
                inet_ntop(family, message.baseAddress?.advanced(by: offset + 4), &text, socklen_t(text.count))
                found[type] = String(
                    decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            }
            offset += (length + 3) & ~3
        }
        return found[Int(IFA_LOCAL)] ?? found[Int(IFA_ADDRESS)]
    }
}

/// Writes a line to standard output at once, in one piece.
func say(_ line: String) {
    let bytes = Array(line.utf8)
    _ = write(1, bytes, bytes.count)
}
