/// Which connections of a listener stay when more come than it keeps: whoever proved that it knows the secret is never
/// driven out by those who have not, and among those the oldest makes room.
///
/// A value that knows connections by number only; the listener closes what it is told to close. All listeners of fsdns
/// use it, so that one rule holds for all: a client that knows the secret shows it at once, so its place is safe after
/// one round trip, and a stranger who waits loses his place to who comes next.
package struct ConnectionSlots: Sendable {
    package struct Limits: Hashable, Sendable {
        /// Connections that have proved nothing, in all.
        package var strangers: Int
        /// Of these, from one address (IPv6: one /64).
        package var perSource: Int
        /// Connections that have proved themselves.
        package var proven: Int

        package init(strangers: Int, perSource: Int, proven: Int) {
            self.strangers = strangers
            self.perSource = perSource
            self.proven = proven
        }
    }

    private struct Stranger {
        var id: UInt64
        var source: IPAddress?
        var isExpected: Bool
    }

    private let limits: Limits
    private var nextID: UInt64 = 1
    /// The oldest first.
    private var strangers: [Stranger] = []
    private var proven: Set<UInt64> = []

    package init(_ limits: Limits) { self.limits = limits }

    package var strangerCount: Int { strangers.count }
    package var provenCount: Int { proven.count }

    /// Takes a new connection in.
    ///
    /// - Parameters:
    ///   - source: its address; nil where there is none (UNIX sockets).
    ///   - isExpected: whether a proven peer is known to have this address. Expected connections have places of their
    ///     own: strangers from elsewhere never drive them out.
    /// - Returns: the number of the connection, and those that must be closed for it.
    package mutating func admit(
        source: IPAddress?, isExpected: Bool = false
    ) -> (id: UInt64, evicted: [UInt64]) {
        let source = source.map { Self.network(of: $0) }
        var evicted: [UInt64] = []
        let rivals = strangers.filter { $0.isExpected == isExpected }
        if let oldest = Self.leaving(rivals, for: source, limits) {
            evicted.append(oldest)
            strangers.removeAll { $0.id == oldest }
        }
        let id = nextID
        nextID += 1
        strangers.append(Stranger(id: id, source: source, isExpected: isExpected))
        return (id, evicted)
    }

    /// Who must leave before one more from `source` comes: the oldest of its own address when that has its share, else
    /// the oldest of the address that has most.
    private static func leaving(_ rivals: [Stranger], for source: IPAddress?, _ limits: Limits) -> UInt64? {
        let own = rivals.filter { $0.source == source }
        if own.count >= limits.perSource { return own.first?.id }
        guard rivals.count >= limits.strangers else { return nil }
        var counts: [IPAddress?: Int] = [:]
        for rival in rivals { counts[rival.source, default: 0] += 1 }
        let most = counts.values.max() ?? 0
        return rivals.first { counts[$0.source] == most }?.id
    }

    /// The connection has shown that it knows the secret.
    ///
    /// - Returns: false when there is no place left among those that have; it stays a stranger then.
    package mutating func prove(_ id: UInt64) -> Bool {
        guard let place = strangers.firstIndex(where: { $0.id == id }) else { return proven.contains(id) }
        guard proven.count < limits.proven else { return false }
        strangers.remove(at: place)
        proven.insert(id)
        return true
    }

    /// The connection is gone, for whatever reason; unknown ones are read over.
    package mutating func leave(_ id: UInt64) {
        if proven.remove(id) == nil { strangers.removeAll { $0.id == id } }
    }

    /// What strangers are counted by: an IPv6 host has a whole /64 to choose from.
    package static func network(of ip: IPAddress) -> IPAddress {
        guard ip.family == .v6 else { return ip }
        return IPAddress(bytes: ip.bytes.prefix(8) + [UInt8](repeating: 0, count: 8)) ?? ip
    }
}
