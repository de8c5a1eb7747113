import Primitives

/// Calls that were hung up here without a word to their peers, because another node has their address now.
///
/// They are not over: should the address come back before another switch revived them, they are revived here, once
/// their old channels are gone. What becomes of those old channels says nothing about the calls.
package struct ForgottenCalls: Sendable {
    /// Hanging up hundreds of channels takes a busy switch seconds.
    package static let patience: Duration = .seconds(8)

    private struct Address {
        /// Told to hang up, and not destroyed yet.
        var leaving: Set<String> = []
        var until = Instant.zero
        /// All that were told, until it is known what became of them.
        var legs: Set<String> = []
    }
    private var addresses: [String: Address] = [:]

    package init() {}

    /// - Returns: whether there is any leg that was not told to hang up within the patience.
    package mutating func forget(_ legs: [String], of address: String, at now: Instant) -> Bool {
        var entry = addresses[address] ?? Address()
        let isNew = now >= entry.until || legs.contains { !entry.leaving.contains($0) }
        guard isNew, !legs.isEmpty else { return false }
        entry.leaving.formUnion(legs)
        entry.legs.formUnion(legs)
        entry.until = now + Self.patience
        addresses[address] = entry
        return true
    }

    /// Whether events of this leg are those of its old channel.
    package func isLeaving(_ leg: String, of address: String) -> Bool {
        addresses[address]?.leaving.contains(leg) == true
    }

    /// Whether old channels of the address still end, so that nothing may be revived yet.
    package func isLeaving(_ address: String, at now: Instant) -> Bool {
        guard let entry = addresses[address] else { return false }
        return !entry.leaving.isEmpty && now < entry.until
    }

    /// Whether any old channel still ends: were its address taken now, its BYE would reach the peer.
    package func isLeaving(at now: Instant) -> Bool {
        addresses.values.contains { !$0.leaving.isEmpty && now < $0.until }
    }

    /// Whether the leg was hung up here, and is to be revived though its record tells of this very switch.
    package func contains(_ leg: String, of address: String) -> Bool {
        addresses[address]?.legs.contains(leg) == true
    }

    /// The channel is gone.
    ///
    /// - Returns: the address when it was the last one that was waited for.
    package mutating func destroyed(_ leg: String) -> String? {
        for address in addresses.keys.sorted() {
            guard addresses[address]?.leaving.remove(leg) != nil else { continue }
            return addresses[address]?.leaving.isEmpty == true ? address : nil
        }
        return nil
    }

    /// These came back, or never will.
    package mutating func settle(_ legs: [String], of address: String) {
        addresses[address]?.legs.subtract(legs)
        if addresses[address]?.legs.isEmpty == true { addresses[address] = nil }
    }

    /// Another process has none of these channels.
    package mutating func restarted() { addresses = [:] }
}
