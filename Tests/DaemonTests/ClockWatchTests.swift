import Cluster
import Primitives
import Testing

@testable import Daemon

/// Wall clocks that differ, told from clocks that only seem to.
@Suite("Clocks of others") struct ClockWatchTests {
    private var watch = ClockWatch()
    private let boot = Instant.zero + .seconds(100)

    private func at(_ milliseconds: Int) -> Instant { boot + .milliseconds(milliseconds) }

    /// Each of them speaks every 100 ms, and is heard `late` milliseconds later.
    private mutating func hear(
        _ ahead: [(peer: String, ahead: Int64)], from start: Int, to end: Int, late: Int64 = 1,
        here: Int64 = 0
    ) {
        for time in stride(from: start, to: end, by: 100) {
            for one in ahead {
                watch.hear(
                    one.peer, says: Int64(time) - late + one.ahead, here: Int64(time) + here, at: at(time))
            }
        }
    }

    private func troubles(of me: String = "fs1", at time: Int) -> [PathTrouble] {
        watch.troubles(of: me, heardWithin: .seconds(1), at: at(time))
    }

    @Test("one that differs from most is named by all, itself too, with how much and whether it is ahead")
    mutating func one() {
        hear([("fs2", 0), ("fs3", 4000)], from: 0, to: 10_000)
        #expect(
            troubles(at: 10_000) == [
                PathTrouble(.clock, detail: "4 s ahead of the others", peers: ["fs3"])
            ])
        watch = ClockWatch()
        hear([("fs1", -4000), ("fs2", -4000)], from: 0, to: 10_000)
        #expect(
            troubles(of: "fs3", at: 10_000) == [
                PathTrouble(.clock, detail: "4 s ahead of the others", peers: ["fs3"])
            ])
        watch = ClockWatch()
        hear([("fs2", 0), ("fs3", -40 * 86_400_000)], from: 0, to: 10_000)
        #expect(troubles(at: 10_000).map(\.detail) == ["40 days behind the others"])
    }

    @Test("of two nobody knows which is wrong: the one that is behind says it of the one that is ahead")
    mutating func two() {
        hear([("fs2", 90_000)], from: 0, to: 10_000)
        #expect(
            troubles(at: 10_000) == [PathTrouble(.clock, detail: "90 s ahead of fs1", peers: ["fs2"])])
        watch = ClockWatch()
        hear([("fs1", -90_000)], from: 0, to: 10_000)
        #expect(troubles(of: "fs2", at: 10_000) == [])
    }

    @Test(
        "where as many agree on one time as on another, nobody is judged wrong: each side tells of the other as a whole",
        arguments: [2001, 4000])
    mutating func halves(apart: Int64) {
        // What is measured of clocks that agree differs by some milliseconds.
        hear([("fs2", 3), ("fs3", apart - 4), ("fs4", apart + 9)], from: 0, to: 10_000)
        let seconds = "\((apart + 500) / 1000) s"
        #expect(
            troubles(at: 10_000) == [
                PathTrouble(.clock, detail: "\(seconds) ahead of fs1", peers: ["fs3", "fs4"])
            ])
        watch = ClockWatch()
        hear([("fs1", -apart), ("fs2", -apart - 3), ("fs3", 4)], from: 0, to: 10_000)
        #expect(
            troubles(of: "fs4", at: 10_000) == [
                PathTrouble(.clock, detail: "\(seconds) behind fs4", peers: ["fs1", "fs2"])
            ])
    }

    @Test("three against two are a majority, and the two are named", arguments: [2100, -2100])
    mutating func minority(ahead: Int64) {
        hear([("fs2", 3), ("fs3", -3), ("fs4", ahead), ("fs5", ahead)], from: 0, to: 10_000)
        let word = ahead > 0 ? "ahead of" : "behind"
        #expect(
            troubles(at: 10_000)
                == ["fs4", "fs5"].map {
                    PathTrouble(.clock, detail: "2 s \(word) the others", peers: [$0])
                })
    }

    @Test("two seconds are allowed, and heartbeats that are under way for long are no slow clock")
    mutating func allowed() {
        hear([("fs2", 1900), ("fs3", -1900)], from: 0, to: 20_000)
        #expect(troubles(at: 20_000) == [])
        // Most are late, one of a window is not.
        watch = ClockWatch()
        for time in stride(from: 0, to: 20_000, by: 100) {
            for peer in ["fs2", "fs3"] {
                let late: Int64 = time % 3000 == 0 ? 1 : 5000
                watch.hear(peer, says: Int64(time) - late, here: Int64(time), at: at(time))
            }
        }
        #expect(troubles(at: 20_000) == [])
    }

    @Test(
        "a pause here or there, and a clock that is set, make no noise; what was told ends when it is mended")
    mutating func pauses() {
        let good: [(peer: String, ahead: Int64)] = [("fs2", 0), ("fs3", 0)]
        hear(good, from: 0, to: 10_000)
        // This process stood still for 30 s; all that waited is read in one moment.
        for said in stride(from: 10_000, to: 40_000, by: 100) {
            for peer in ["fs2", "fs3"] {
                watch.hear(peer, says: Int64(said), here: 40_000, at: at(40_000))
            }
        }
        #expect(troubles(at: 40_000) == [])
        hear(good, from: 40_000, to: 50_000)
        #expect(troubles(at: 50_000) == [])
        // Ours was 10 s behind and is set, in the middle of a window.
        hear(good, from: 50_000, to: 62_000, here: -10_000)
        #expect(troubles(at: 62_000).map(\.peers) == [["fs1"]])
        var told: [Int] = []
        for start in stride(from: 62_000, to: 80_000, by: 1000) {
            hear(good, from: start, to: start + 1000)
            if !troubles(at: start + 1000).isEmpty { told.append(start) }
        }
        #expect(told.allSatisfy { $0 < 72_000 }, "\(told)")
        // Who is not heard is not told of.
        hear([("fs2", 0), ("fs3", 9000)], from: 80_000, to: 95_000)
        #expect(troubles(at: 95_000).map(\.peers) == [["fs3"]])
        #expect(troubles(at: 97_000) == [])
    }

    @Test("no time that somebody says is too wild, and more names than there are nodes are forgotten")
    mutating func wild() {
        for time in [Int64.min, -1, 0, .max] {
            for here in [Int64.min, 0, .max] {
                for step in 0..<60 {
                    watch.hear("fs2", says: time, here: here, at: at(step * 200))
                }
                _ = troubles(at: 12_000)
            }
        }
        for number in 0..<1000 { hear([("n\(number)", 5000)], from: 20_000, to: 30_000) }
        #expect(troubles(at: 30_000).count <= 2 * ClusterLimits.nodes)
    }
}
