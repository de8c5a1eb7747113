import Primitives

/// Addresses that are no forged ones: what came from there by TCP was answered, or was signed.
///
/// A value that is told the time. They have answers by UDP of their own, which no flood of their network takes.
package struct KnownSources: Sendable {
    package static let memory: Duration = .seconds(60)
    package static let limit = 1024
    /// Of one /64, which somebody may have to himself.
    package static let perNetwork = 16
    /// Of one /48, as large as what one customer gets.
    package static let perSite = 256
    private static let site = ~UInt64(0xFFFF)

    private var seen: [DatagramSource: Instant] = [:]

    package init() {}

    package mutating func note(_ source: DatagramSource, at now: Instant) {
        if seen[source] == nil {
            let isV4 = source.high == 0
            makeRoom(Self.limit, at: now) { _ in true }
            if !isV4 {
                makeRoom(Self.perSite, at: now) { ($0.high ^ source.high) & Self.site == 0 }
                makeRoom(Self.perNetwork, at: now) { $0.high == source.high }
            }
        }
        seen[source] = now
    }

    /// The one that was seen least lately goes, and all that were not for long.
    private mutating func makeRoom(_ limit: Int, at now: Instant, of isOne: (DatagramSource) -> Bool) {
        // Only where there is no room: whoever asks by TCP without end would have all of it looked through each time.
        guard seen.count >= min(limit, Self.perNetwork) else { return }
        var those = seen.filter { isOne($0.key) }
        guard those.count >= limit else { return }
        for (source, at) in those where now - at >= Self.memory {
            seen[source] = nil
            those[source] = nil
        }
        if those.count >= limit, let oldest = those.min(by: { $0.value < $1.value }) {
            seen[oldest.key] = nil
        }
    }

    package func contains(_ source: DatagramSource, at now: Instant) -> Bool {
        seen[source].map { now - $0 < Self.memory } ?? false
    }
}
