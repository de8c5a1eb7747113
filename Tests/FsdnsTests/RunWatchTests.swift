import Primitives
import Testing

@testable import fsdns

@Suite struct RunWatchTests {
    private typealias Fixture = PlaybookReportFixture
    private let id = Epoch(term: 3, index: 117)

    @Test("each change of a step is said once, with the node and what it waits for") func changes() throws {
        var watch = RunWatch(id, name: "upgrade")
        #expect(
            watch.observe(try Fixture.report(waitingFor: "its end"), at: .zero) == [
                "step 1 of 3, drain master2: done (fs2)",
                "step 2 of 3, run /bin/up on fs2: under way (fs2)",
                "step 2 of 3, run /bin/up on fs2: waits for its end",
            ])
        #expect(watch.observe(try Fixture.report(waitingFor: "its end"), at: .seconds(1)).isEmpty)
        #expect(
            watch.observe(
                try Fixture.report(phase: "undoing", upgrade: "failed: exited with 1", output: "no\\nspace"),
                at: .seconds(2))
                == [
                    "undoing: fs3 failed",
                    "step 2 of 3, run /bin/up on fs2: failed: exited with 1 (fs2)",
                    "step 2 of 3, run /bin/up on fs2: | no",
                    "step 2 of 3, run /bin/up on fs2: | space",
                ])
        #expect(watch.outcome == nil)
    }

    @Test("what a step waits for is said again only after a while, when it counts") func counts() throws {
        var watch = RunWatch(id, name: "upgrade")
        _ = watch.observe(try Fixture.report(waitingFor: "9 calls"), at: .zero)
        #expect(watch.observe(try Fixture.report(waitingFor: "8 calls"), at: .seconds(1)).isEmpty)
        let later = watch.observe(try Fixture.report(waitingFor: "7 calls"), at: .seconds(5))
        #expect(later == ["step 2 of 3, run /bin/up on fs2: waits for 7 calls"])
    }

    @Test("a run that is done has ended well, one that was rolled back has not") func ends() throws {
        var watch = RunWatch(id, name: "upgrade")
        _ = watch.observe(try Fixture.ended(Fixture.done, upgrade: "done"), at: .zero)
        #expect(watch.outcome == .finished("upgrade done"))
        watch = RunWatch(id, name: "upgrade")
        _ = watch.observe(try Fixture.ended(Fixture.rolledBack, upgrade: "failed: x"), at: .zero)
        #expect(
            watch.outcome == .aborted("upgrade rolled back: step 2 failed; see: fsdns playbook history"))
        watch = RunWatch(id, name: "upgrade", isCancelled: true)
        _ = watch.observe(try Fixture.ended(Fixture.rolledBack, upgrade: "failed: x"), at: .zero)
        #expect(watch.outcome == .finished("upgrade rolled back: step 2 failed"))
    }

    @Test("another run is none of its business, and one that vanished is given up") func vanished() throws {
        var watch = RunWatch(id, name: "upgrade")
        #expect(watch.observe(try Fixture.report(id: 130), at: .seconds(1)).isEmpty)
        #expect(watch.outcome == nil)
        #expect(watch.observe(try Fixture.report(id: 130), at: .seconds(10)).isEmpty)
        #expect(
            watch.outcome
                == .aborted("nothing is known of this run any more; see: fsdns playbook history"))
    }
}
