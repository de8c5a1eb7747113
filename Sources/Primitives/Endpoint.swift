/// Where something listens: an address and a port.
package struct Endpoint: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package var ip: IPAddress
    package var port: UInt16

    /// The format: a property with another name keeps its key.
    enum CodingKeys: String, CodingKey { case ip, port }

    package init(ip: IPAddress, port: UInt16) {
        self.ip = ip
        self.port = port
    }

    /// Reads `10.0.0.1:53` or `[2001:db8::1]:53`.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        if host.first == "[" {
            guard host.last == "]" else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard let ip = IPAddress(host) else { return nil }
        self.init(ip: ip, port: port)
    }

    package var description: String { ip.family == .v4 ? "\(ip):\(port)" : "[\(ip)]:\(port)" }

    package static func < (a: Endpoint, b: Endpoint) -> Bool {
        a.ip == b.ip ? a.port < b.port : a.ip < b.ip
    }
}
