import Primitives

/// How often updates may be sent: at most five arrive at a server in any second, whoever leads in it.
struct ZoneRate: Hashable, Sendable {
    /// A little over a second, as messages may be delayed differently.
    static let span = Duration.milliseconds(1100)
    /// Of one leader within the span; what is left up to five is for a new one.
    static let limit = 3
    static let limitOfNewLeader = 2

    private var sent: [Instant] = []
    private var elected: Instant?
    private var quietUntil: Instant?

    /// Somebody was elected, perhaps this node.
    mutating func elected(at now: Instant) {
        // Who was elected just before may have used what a new leader has.
        if let elected, now - elected < Self.span { quietUntil = now + Self.span }
        elected = now
    }

    /// Nobody of this cluster wrote the zone before, so no former leader can have sent anything.
    mutating func noteNoFormerLeader() { elected = nil }

    mutating func note(at now: Instant) {
        sent = sent.filter { now - $0 < Self.span }
        sent.append(now)
    }

    /// Whether nothing was sent within the span.
    func isIdle(at now: Instant) -> Bool {
        !sent.contains { now - $0 < Self.span } && now >= quietUntil ?? now
    }

    /// When the next update may be sent.
    func next(at now: Instant) -> Instant {
        let recent = sent.filter { now - $0 < Self.span }
        let isNew = elected.map { now - $0 < Self.span } ?? false
        let limit = isNew ? Self.limitOfNewLeader : Self.limit
        var next = max(now, quietUntil ?? now)
        if recent.count >= limit { next = max(next, recent[recent.count - limit] + Self.span) }
        return next
    }
}
