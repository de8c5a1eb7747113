import Primitives

/// Whether the limit service has its turn before ordinary work: it should while few clients ask, who each wait for an answer.
///
/// Many at once are served faster in batches, which is what waiting for an ordinary turn makes of them.
struct LimitTurn {
    static let window: Duration = .milliseconds(10)
    /// Clients heard in one window.
    static let many = 8
    static let few = 4

    private(set) var isFirst = true
    private var end = Instant.zero
    private var number: UInt64 = 1
    private var clients = 0

    /// - Parameter last: the window that client was last heard in; none is 0.
    mutating func heard(_ last: inout UInt64) {
        guard last != number else { return }
        last = number
        clients += 1
    }

    /// Ends a window that is over.
    ///
    /// - Returns: `isFirst`, when it changed.
    mutating func next(at now: Instant) -> Bool? {
        guard now >= end else { return nil }
        let wanted = isFirst ? clients <= Self.many : clients <= Self.few
        end = now + Self.window
        number += 1
        clients = 0
        guard wanted != isFirst else { return nil }
        isFirst = wanted
        return wanted
    }
}
