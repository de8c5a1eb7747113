import Primitives

/// When something that anybody can cause, and cause again, is worth another event: events are few, everybody follows them, and
/// the newest push out the oldest.
///
/// A value that is told the time. The first is told at once; each later one of a row only after twice the pause of the one
/// before, and what is quiet for the longest pause begins anew.
struct EventPause {
    static let first: Duration = .seconds(60)
    static let longest: Duration = .seconds(86_400)
    private var pause = first
    private var next: Instant?
    private var last = Instant.zero
    /// Not told since the last that was.
    private var untold = 0

    /// How many were not told before this one; nil when this one is not told either.
    mutating func take(at now: Instant) -> Int? {
        if next != nil, now - last >= Self.longest { (next, pause) = (nil, Self.first) }
        last = now
        if let next, now < next {
            untold += 1
            return nil
        }
        if next != nil { pause = min(pause * 2, Self.longest) }
        next = now + pause
        defer { untold = 0 }
        return untold
    }
}
