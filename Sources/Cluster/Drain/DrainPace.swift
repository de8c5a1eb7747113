import Primitives

/// How fast calls leave a drained address, as one leader saw it: for people, never for decisions.
package struct DrainPace: Hashable, Sendable {
    private struct Sample: Hashable, Sendable {
        var at: Instant
        var calls: Int
    }
    private static let interval: Duration = .seconds(5)
    /// What was seen for less says nothing of the pace.
    private static let shortestSpan: Duration = .seconds(30)
    /// Five minutes of samples.
    private static let limit = 60
    /// Without any call ending for so long, the end is not in sight.
    package static let patience: Duration = .seconds(900)
    private var samples: [Sample] = []
    private var phase: Epoch?
    private var fewest = Int.max
    private var lastFall: Instant?

    package init() {}

    package mutating func note(_ calls: Int, of phase: Epoch, at now: Instant) {
        if self.phase != phase {
            self = DrainPace()
            self.phase = phase
            lastFall = now
        }
        if calls < fewest {
            fewest = calls
            lastFall = now
        }
        if let last = samples.last, now - last.at < Self.interval { return }
        if samples.count == Self.limit { samples.removeFirst() }
        samples.append(Sample(at: now, calls: calls))
    }

    /// Calls that left in a minute; nil before half a minute was seen.
    package var perMinute: Double? {
        guard let first = samples.first, let last = samples.last, last.at - first.at >= Self.shortestSpan
        else {
            return nil
        }
        let minutes = Double((last.at - first.at).milliseconds) / 60_000
        // More than at first: calls of a taker that died came here.
        return max(0, Double(first.calls - last.calls) / minutes)
    }

    /// How long the rest takes at this pace; nil when none left lately.
    package func estimate(calls: Int) -> Duration? {
        guard let perMinute, perMinute > 0 else { return nil }
        return .seconds(Int64((Double(calls) / perMinute * 60).rounded(.up)))
    }

    /// How long no call has left; nil before any was counted.
    package func standstill(at now: Instant) -> Duration? { lastFall.map { now - $0 } }
}
