import Primitives

/// A point of true time in a pretended world, which no machine in it can read.
package struct Moment: Hashable, Comparable, Sendable {
    /// Since the world began.
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static let zero = Moment(nanoseconds: 0)
    /// Later than every world lasts.
    static let never = Moment(nanoseconds: .max)

    package static func < (a: Moment, b: Moment) -> Bool { a.nanoseconds < b.nanoseconds }
    package static func + (a: Moment, b: Duration) -> Moment {
        Moment(nanoseconds: a.nanoseconds + b.nanoseconds)
    }
    package static func - (a: Moment, b: Moment) -> Duration {
        .nanoseconds(a.nanoseconds - b.nanoseconds)
    }

    func after(nanoseconds more: Int64) -> Moment { Moment(nanoseconds: nanoseconds + more) }
}

/// Nanoseconds in one microsecond and one millisecond: the hot paths of a world count in plain integers.
let microsecond: Int64 = 1000
let millisecond: Int64 = 1_000_000

/// The boot-time clock of one machine: it started at another moment than the world and runs at its own rate.
struct MachineClock: Hashable, Sendable {
    /// What it shows when the world begins.
    var offset: Int64
    /// Parts per million too fast; negative is too slow.
    var drift: Int64

    func instant(at moment: Moment) -> Instant {
        Instant(nanoseconds: offset + moment.nanoseconds + error(after: moment.nanoseconds))
    }

    /// The first moment at which this clock shows `instant` or later.
    func moment(reaching instant: Instant) -> Moment {
        let shown = instant.nanoseconds - offset
        var guess = shown
        for _ in 0..<8 { guess = shown - error(after: guess) }
        while self.instant(at: Moment(nanoseconds: guess)) < instant { guess += 1 }
        return Moment(nanoseconds: guess)
    }

    private func error(after elapsed: Int64) -> Int64 { elapsed / 1000 * drift / 1000 }
}
