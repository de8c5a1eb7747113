import Cluster
import Primitives
import Testing

@testable import fsdns

@Suite struct MoveWatchTests {
    private let accepted = Epoch(term: 3, index: 118)

    private func drainWatch() -> MoveWatch {
        MoveWatch(.drained(seat: "master2", from: "fs2"), accepted: accepted)
    }

    private func report(_ phase: String, calls: Int) throws -> StatusReport {
        try StatusFixture.report(drain: StatusFixture.drain(phase: phase, calls: calls), epoch: "3.119")
    }

    @Test("a drain is told phase by phase and calls at most every five seconds")
    func phases() throws {
        var watch = drainWatch()
        #expect(try watch.observe(report("raising", calls: 371), at: .seconds(1)).count == 1)
        #expect(try watch.observe(report("raising", calls: 370), at: .seconds(2)) == [])
        #expect(
            try watch.observe(report("waiting-for-calls", calls: 300), at: .seconds(3))
                == ["waiting-for-calls: 300 calls left on 10.77.0.12; waits for 300 calls on 10.77.0.12"])
        #expect(try watch.observe(report("waiting-for-calls", calls: 200), at: .seconds(7)) == [])
        #expect(try watch.observe(report("waiting-for-calls", calls: 199), at: .seconds(8)).count == 1)
        #expect(watch.outcome == nil)
        _ = try watch.observe(StatusFixture.report(fs2: "maintenance"), at: .seconds(9))
        #expect(watch.outcome == .finished("master2 is drained, fs2 is in maintenance"))
    }

    @Test("a drained node is free when its calls were handed over, though they go on elsewhere")
    func lingering() throws {
        var watch = drainWatch()
        _ = try watch.observe(report("handing-over", calls: 12), at: .seconds(1))
        #expect(watch.outcome == nil)
        _ = try watch.observe(report("lingering", calls: 12), at: .seconds(2))
        #expect(
            watch.outcome
                == .finished("fs2 is free and in maintenance; 12 calls go on at 10.77.0.12 on fs4"))
    }

    @Test("whoever waits is told how long it will take, and when it will not end by itself")
    func outlook() throws {
        var line = try #require(StatusFixture.report().maintenance.drain)
        #expect(line.outlook == nil)
        line.callsPerMinute = 12.34
        line.estimateSeconds = 1804
        #expect(line.outlook == "12.3 calls leave in a minute: about 30m4s to go")
        line.standstillSeconds = 1200
        #expect(
            line.outlook == "no call has ended for 20m: it may never end by itself; see: fsdns calls --oldest"
        )
        line.callsLeft = 0
        #expect(line.outlook == nil)
    }

    @Test("a report older than the acceptance ends nothing")
    func stale() throws {
        var watch = drainWatch()
        _ = try watch.observe(StatusFixture.report(fs2: "master", epoch: "3.117"), at: .seconds(1))
        #expect(watch.outcome == nil)
    }

    @Test("a drain that is gone while its node still serves was aborted")
    func aborted() throws {
        var watch = drainWatch()
        _ = try watch.observe(report("withdrawing", calls: 3), at: .seconds(1))
        _ = try watch.observe(StatusFixture.report(fs2: "master"), at: .seconds(2))
        #expect(watch.outcome == .aborted("the drain of master2 was aborted; see: fsdns events"))
    }

    @Test("an undone drain is told by the address it empties, and ends where the seat is then")
    func undone() throws {
        var watch = MoveWatch(.undone(seat: "master2"), accepted: accepted)
        let told = try watch.observe(report("emptying", calls: 3), at: .seconds(1))
        #expect(told.first?.hasPrefix("emptying: 3 calls left on 10.77.0.19") == true, "\(told)")
        #expect(watch.outcome == nil)
        _ = try watch.observe(StatusFixture.report(fs2: "master", epoch: "3.117"), at: .seconds(2))
        #expect(watch.outcome == nil)
        _ = try watch.observe(StatusFixture.report(fs2: "master", epoch: "3.120"), at: .seconds(3))
        #expect(watch.outcome == .finished("the drain is undone: master2 is at 10.77.0.12 on fs2"))
    }

    @Test("a switchover is done when another node holds the seat")
    func moved() throws {
        var watch = MoveWatch(.moved(seat: "master1", from: "fs1"), accepted: .zero)
        var report = try StatusFixture.report()
        _ = watch.observe(report, at: .seconds(1))
        #expect(watch.outcome == nil)
        report.seats[0].holder = "fs4"
        _ = watch.observe(report, at: .seconds(2))
        #expect(watch.outcome == .finished("master1 is active on fs4 at 10.77.0.11"))
    }

    @Test("an undrain is done when the node is a slave again")
    func returned() throws {
        var watch = MoveWatch(.returned(node: "fs2"), accepted: accepted)
        _ = try watch.observe(StatusFixture.report(fs2: "maintenance"), at: .seconds(1))
        #expect(watch.outcome == nil)
        _ = try watch.observe(StatusFixture.report(fs2: "slave"), at: .seconds(2))
        #expect(watch.outcome == .finished("fs2 is back as slave"))
    }
}
