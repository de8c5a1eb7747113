import Cluster
import Primitives

/// How well one peer is heard over one path: what is missing, how even it comes, since when it is silent.
struct PathStatistics: Hashable, Sendable {
    /// Arrivals remembered for gaps and for loss.
    private static let window = 64

    private(set) var holder: Holder
    private(set) var lastHeard: Instant
    /// Counters seen among the last 64: bit `n` is the newest minus `n`.
    private var seen: UInt64 = 1
    private var newest: UInt64
    /// How many counters `seen` can speak of: not those before the first heard.
    private var known = 1
    private var gaps: [Duration] = []
    private var nextGap = 0

    init(holder: Holder, counter: UInt64, at now: Instant) {
        self.holder = holder
        newest = counter
        lastHeard = now
    }

    /// A new incarnation counts from its beginning.
    mutating func hear(_ holder: Holder, counter: UInt64, at now: Instant) {
        if holder != self.holder {
            guard holder.incarnation > self.holder.incarnation || now - lastHeard > .seconds(1) else {
                return
            }
            self = PathStatistics(holder: holder, counter: counter, at: now)
            return
        }
        if counter > newest {
            let step = counter - newest
            seen = step < 64 ? seen << step | 1 : 1
            known = step < 64 ? min(known + Int(step), 64) : 64
            newest = counter
        } else {
            let back = newest - counter
            guard back < 64, seen & (1 << back) == 0 else { return }
            seen |= 1 << back
            known = max(known, Int(back) + 1)
        }
        let gap = now - lastHeard
        lastHeard = now
        if gaps.count < Self.window {
            gaps.append(gap)
        } else {
            gaps[nextGap] = gap
            nextGap = (nextGap + 1) % Self.window
        }
    }

    /// Missing among the last sixty-four, in per mille.
    var lossPerMille: Int { (known - min(seen.nonzeroBitCount, known)) * 1000 / known }

    /// In milliseconds, to a hundredth; nil before the second arrival.
    var gapMedian: Double? {
        gaps.isEmpty ? nil : Self.milliseconds(gaps.sorted()[gaps.count / 2])
    }

    var gapMax: Double? { gaps.max().map(Self.milliseconds) }

    /// `no faults`, or what is wrong.
    func condition(at now: Instant, silentAfter: Duration) -> String {
        let silence = now - lastHeard
        if silence > silentAfter { return "silent for \(silence.nanoseconds / 1_000_000) ms" }
        let loss = lossPerMille
        return loss == 0 ? "no faults" : "loses \(loss) of 1000"
    }

    private static func milliseconds(_ duration: Duration) -> Double {
        Double(duration.nanoseconds / 10_000) / 100
    }
}
