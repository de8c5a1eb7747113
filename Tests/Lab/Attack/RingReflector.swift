@preconcurrency import Glibc

/// An attacker on the ring without the key: sends every heartbeat on from its own address, and accepts whoever calls by
/// TCP without a word.
package enum RingReflector {
    /// - Parameters:
    ///   - own: the attacker's address on the ring.
    ///   - group: the ring's multicast group.
    ///   - victims: who gets the copies, each those of all others.
    ///   - seconds: how long, at most.
    package static func run(own: String, group: String, victims: [String], seconds: Double) throws {
        let capture = try RingCapture(group: group, own: own)
        let doors = try [RingCapture.port, RingCapture.port + 1].map { try listen(port: $0) }
        let end = BootTime.now.adding(milliseconds: seconds * 1000)
        var held: [Int32] = []
        while end > .now {
            if let datagram = capture.next(milliseconds: 20), datagram.from != own {
                for victim in victims where victim != datagram.from {
                    var to = UDPSocket.address(victim, RingCapture.port)
                    _ = withUnsafePointer(to: &to) {
                        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                            // From the port of the heartbeats, as a true one would come.
                            sendto(
                                capture.descriptor, datagram.bytes, datagram.bytes.count, Int32(MSG_DONTWAIT),
                                $0,
                                socklen_t(MemoryLayout<sockaddr_in>.size))
                        }
                    }
                }
            }
            for door in doors {
                let caller = accept(door, nil, nil)
                if caller >= 0 { held.append(caller) }
            }
        }
    }

    private static func listen(port: UInt16) throws -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        var address = UDPSocket.address(nil, port)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0, Glibc.listen(descriptor, 64) == 0 else {
            throw LabFailure("cannot listen at \(port): \(String(cString: strerror(errno)))")
        }
        return descriptor
    }
}
