import Primitives

/// What the kernel's files say of interfaces and of routes to the networks they are in; nil where they do not say.
struct LinkFacts: Sendable {
    var hasCarrier: @Sendable (String) -> Bool?
    /// `full`, `half` or `unknown`.
    var duplex: @Sendable (String) -> String?
    /// Whether a route other than the default leads to that address by that interface.
    var isRouted: @Sendable (IPAddress, String) -> Bool?

    static let machine = LinkFacts(
        hasCarrier: { interface in
            file("/sys/class/net/\(interface)/carrier").flatMap { ["0": false, "1": true][$0] }
        },
        duplex: { file("/sys/class/net/\($0)/duplex") },
        isRouted: { ip, interface in
            let path = ip.family == .v4 ? "/proc/net/route" : "/proc/net/ipv6_route"
            guard let text = Local.text(path, limit: largestTable) else { return nil }
            return text.split(separator: "\n").contains {
                route(String($0), leadsTo: ip, by: interface)
            }
        })

    /// In bytes; a machine with more routes is a router, and not told of.
    private static let largestTable = 4 << 20

    private static func file(_ path: String) -> String? {
        Local.text(path, limit: 4096)?.split(separator: "\n").first.map(String.init)
    }

    /// One line of /proc/net/route, or of /proc/net/ipv6_route.
    static func route(_ line: String, leadsTo ip: IPAddress, by interface: String) -> Bool {
        let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
        guard ip.family == .v4 else {
            // destination, its length, source, its length, next hop, metric, references, uses, flags, interface
            guard words.count >= 10, words[9] == interface, let length = Int(words[1], radix: 16), length > 0,
                let bytes = bytes(words[0]), let destination = IPAddress(bytes: bytes),
                let flags = UInt32(words[8], radix: 16)
            else { return false }
            // Neither one that rejects nor this machine's own address (linux/ipv6_route.h).
            return flags & 0x8000_0200 == 0 && ip.isInNetwork(of: destination, prefixLength: length)
        }
        // interface, destination, gateway, flags, references, uses, metric, mask: numbers in the machine's order
        guard words.count >= 8, words[0] == interface, let mask = bytes(words[7]), let to = bytes(words[1]),
            let destination = IPAddress(bytes: Array(to.reversed())), let flags = UInt32(words[3], radix: 16)
        else { return false }
        let length = mask.reduce(0) { $0 + $1.nonzeroBitCount }
        return length > 0 && flags & 0x0200 == 0 && ip.isInNetwork(of: destination, prefixLength: length)
    }

    private static func bytes(_ hex: String) -> [UInt8]? {
        guard hex.utf8.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        var rest = hex[...]
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
