import Cluster
@preconcurrency import Glibc

/// Which machine this is, as two numbers that mean nothing to anybody else.
///
/// The host is `/etc/machine-id` (machine-id(5)). The start is the kernel's own random number for each start, together
/// with the network namespace: two containers on one kernel have different interfaces, and so hold different addresses.
enum MachineIdentity {
    static func read() -> MachineID {
        let host = text(of: "/etc/machine-id") ?? text(of: "/var/lib/dbus/machine-id")
        let start = text(of: "/proc/sys/kernel/random/boot_id")
        return MachineID(
            host: host.map(digest) ?? 0, boot: start.map { digest($0 + networkNamespace) } ?? 0)
    }

    /// Hardware addresses of the machine's own network cards, at most 32: a virtual machine that was cloned with everything, its
    /// /etc/machine-id too, has others. Empty where there is none, as in a container.
    static func cards() -> Set<UInt64> {
        let root = "/sys/class/net"
        var cards: Set<UInt64> = []
        for name in FileText.entries(of: root) where cards.count < 32 {
            // Not what somebody made up: bridges, tunnels, bonds, and addresses that were set by hand.
            guard access("\(root)/\(name)/device", F_OK) == 0,
                text(of: "\(root)/\(name)/addr_assign_type") == [UInt8(ascii: "0")],
                let hardware = text(of: "\(root)/\(name)/address"), hardware.contains(where: { $0 > 0x30 })
            else { continue }
            cards.insert(digest(hardware))
        }
        return cards
    }

    /// The first line of a small file; nil when it cannot be read, or has none.
    private static func text(of path: String) -> [UInt8]? {
        let bytes = FileText.read(path, limit: 256) ?? []
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") }
        return line.isEmpty ? nil : Array(line)
    }

    /// `net:[4026531840]`; empty where there is no /proc.
    private static var networkNamespace: [UInt8] {
        var buffer = [CChar](repeating: 0, count: 64)
        let count = readlink("/proc/self/ns/net", &buffer, buffer.count)
        return buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }
    }

    /// FNV-1a; never zero, which means unknown.
    private static func digest(_ bytes: [UInt8]) -> UInt64 {
        let hash: UInt64 = bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return hash == 0 ? 1 : hash
    }
}
