import Primitives
import Testing

@testable import Daemon

@Suite("Events that anybody can cause")
struct EventPauseTests {
    /// When attempts at that interval for so long are told, in seconds, and how many before each were not.
    private func told(every seconds: Int64, for length: Int64) -> [(at: Int64, untold: Int)] {
        var pause = EventPause()
        return stride(from: 0, to: length, by: Int(seconds)).compactMap { second in
            pause.take(at: Instant(nanoseconds: second * 1_000_000_000)).map { (second, $0) }
        }
    }

    @Test(
        "the first is told at once, the next after a minute, two, four …: a day of guessing is eleven events")
    func row() {
        let day = told(every: 1, for: 86_400)
        #expect(day.prefix(5).map(\.at) == [0, 60, 180, 420, 900])
        #expect(day.prefix(4).map(\.untold) == [0, 59, 119, 239])
        #expect(day.count == 11)
        #expect(told(every: 61, for: 86_400).count <= 11, "however slow somebody guesses")
    }

    @Test("in a month of guessing there is hardly one event a day") func month() {
        #expect(told(every: 10, for: 30 * 86_400).count <= 11 + 30)
    }

    @Test("after a day without any the next is told at once") func quiet() {
        #expect(told(every: 86_400, for: 10 * 86_400).count == 10)
    }
}
