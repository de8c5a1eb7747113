@preconcurrency import Glibc

/// Writes down every gratuitous ARP that reaches one machine.
package enum AnnouncementWatch {
    private static let arp: UInt16 = 0x0806

    /// Runs until killed; one line each on standard output: `nanoseconds address hardware-address` (boot
    /// time).
    package static func run() throws -> Never {
        let socket = Glibc.socket(
            AF_PACKET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), Int32(arp.bigEndian))
        guard socket >= 0 else { throw LabFailure("no packet socket: \(String(cString: strerror(errno)))") }
        Priority.raise(60)
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            let now = BootTime.now
            // RFC 826 for Ethernet and IPv4: sender hardware at 8, sender protocol at 14, target protocol
            // at 24.
            guard count >= 28, buffer[14..<18] == buffer[24..<28] else { continue }
            let address = buffer[14..<18].map { "\($0)" }.joined(separator: ".")
            let hardware = buffer[8..<14].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            say("\(now.nanoseconds) \(address) \(hardware.joined(separator: ":"))\n")
        }
    }
}
