import EventSocket
import Primitives
import Replication
import Switch
import Testing

/// A takeover's recovery, from the first row to the summary.
@Suite struct RecoveryRunTests {
    private func call(_ name: String, answered: Int = 100) -> [CallLeg] {
        [
            RecoveryPlanTests.leg("\(name)-a", partner: "\(name)-b", answered: answered),
            RecoveryPlanTests.leg(
                "\(name)-b", partner: "\(name)-a", answered: answered, direction: .outbound),
        ]
    }

    private func run(_ legs: [CallLeg], batch: Int = 100) -> RecoveryRun {
        var settings = RecoveryRun.Settings(plan: .init(serviceAddress: "10.77.0.50"))
        settings.plan.firstBatchLegs = min(batch, 20)
        settings.plan.batchLegs = batch
        return RecoveryRun(legs: legs, profile: "svcA", settings: settings, sequence: .some, at: .zero)
    }

    @Test("rows, recover, look, sum up") func plain() throws {
        var run = run(call("x") + [RecoveryPlanTests.leg("park")])
        var pretend = PretendSwitch()
        let summary = try pretend.carry(&run)
        #expect(pretend.log == ["stage park x-a x-b", "sofia profile svcA recover", "show channels as json"])
        #expect(summary.recovered == ["park", "x-a", "x-b"] && summary.lost == [] && summary.calls == 2)
        #expect(summary.description == "3 of 3 legs of svcA recovered (2 calls)")
        #expect(run.isFinished && run.nextDeadline == nil)
        #expect(pretend.rows == [])
        #expect(
            summary.duration < .seconds(1), "the wait for legs that hang is no part of what callers noticed")
    }

    @Test("batches wait for each other: recover deletes every row it finds") func batches() throws {
        var run = run(call("x", answered: 1) + call("y", answered: 2) + call("z", answered: 3), batch: 4)
        var pretend = PretendSwitch()
        let summary = try pretend.carry(&run)
        #expect(
            pretend.log == [
                "stage x-a x-b y-a y-b", "sofia profile svcA recover", "stage z-a z-b",
                "sofia profile svcA recover", "show channels as json",
            ])
        #expect(summary.recovered.count == 6)
    }

    @Test("legs that did not come are tried once more from our copy, and no more than once") func retry()
        throws
    {
        var run = run(call("x"))
        var pretend = PretendSwitch()
        pretend.weather.dropped = 100
        let summary = try pretend.carry(&run)
        #expect(pretend.log.filter { $0 == "sofia profile svcA recover" }.count == 2)
        #expect(summary.lost.map(\.reason) == [.notRevived, .notRevived])
        #expect(
            summary.description
                == "0 of 2 legs of svcA recovered (0 calls); lost 2: the switch did not revive it")
    }

    @Test("one leg that came without its other one is hung up, not revived again") func stuck() throws {
        // Of a hundred seeds, those where exactly one of the two legs is dropped.
        var seen = 0
        for seed in 0..<100 {
            var run = run(call("x"))
            var pretend = PretendSwitch(seed: UInt64(seed))
            pretend.weather.dropped = 40
            let summary = try pretend.carry(&run)
            guard summary.lost.contains(where: { $0.reason == .stuck }) else { continue }
            seen += 1
            #expect(pretend.killed.count == 1 && summary.recovered == [] && pretend.channels.isEmpty)
            #expect(
                summary.lost.map(\.reason.description).sorted() == [
                    "its other leg did not come back", "the switch did not revive it",
                ])
        }
        #expect(seen > 10)
    }

    @Test("a uuid the switch has is not staged") func exists() throws {
        var run = run(call("x") + [RecoveryPlanTests.leg("park")])
        var pretend = PretendSwitch()
        pretend.channels = ["x-a": "CS_EXECUTE", "x-b": "CS_EXCHANGE_MEDIA"]
        let summary = try pretend.carry(&run)
        #expect(pretend.log.first == "stage park")
        #expect(summary.existed == ["x-a", "x-b"] && summary.recovered == ["park"])
        #expect(summary.description.hasSuffix("(1 calls), 2 stayed up") && !summary.isOfNothing)
    }

    @Test("where every leg stayed up, that is said, and no recovery of nothing") func allExist() throws {
        var run = run(call("x"))
        var pretend = PretendSwitch()
        pretend.channels = ["x-a": "CS_EXECUTE", "x-b": "CS_EXCHANGE_MEDIA"]
        let summary = try pretend.carry(&run)
        #expect(summary.isOfNothing)
        #expect(summary.description == "nothing to recover for svcA: 2 legs stayed up")
    }

    @Test("a refusal is waited out, and told when it does not end") func refusal() throws {
        var run = run(call("x"))
        var pretend = PretendSwitch()
        pretend.state = "DOWN"
        let first = run.handle(.local(pretend.local), at: .zero)
        #expect(first == [.report(.waiting(.profileNotRunning("svcA", state: "DOWN")))])
        #expect(run.handle(.local(pretend.local), at: .zero + .milliseconds(1)) == [])
        var patient = run
        pretend.state = "RUNNING (0)"
        #expect(try pretend.carry(&patient, from: .zero + .seconds(2)).recovered.count == 2)
        var asked = 0
        while let deadline = run.nextDeadline, run.handle(.tick, at: deadline) == [.inspect] { asked += 1 }
        // Every 250 ms for a minute, and then it gives up.
        #expect(asked == 239 && run.isFinished)
        var impatient = RecoveryRun(
            legs: call("x"), profile: "svcA", settings: .init(), sequence: .some, at: .zero)
        pretend.state = "DOWN"
        let summary = try pretend.carry(&impatient)
        #expect(summary.lost.map(\.reason.description).first == "the SIP profile svcA is DOWN, not RUNNING")
    }

    @Test("a switch that is restarted in the middle revives what is not up in its new life") func restart()
        throws
    {
        var run = run(call("x", answered: 1) + call("y", answered: 2), batch: 2)
        var pretend = PretendSwitch()
        var effects = run.handle(.local(pretend.local), at: .zero)
        guard case .stage(let stage)? = effects.last else {
            Issue.record("nothing is staged")
            return
        }
        effects = run.handle(.staged(stage.number, failure: nil), at: .zero)
        _ = run.handle(.event(pretend.event("CHANNEL_CREATE", "x-a")), at: .zero)
        _ = run.handle(.event(pretend.event("CHANNEL_CREATE", "x-b")), at: .zero)
        _ = run.handle(.event(pretend.event("CHANNEL_HANGUP", "x-a", "NORMAL_CLEARING")), at: .zero)
        _ = run.handle(.event(pretend.event("CHANNEL_HANGUP", "x-b", "NORMAL_CLEARING")), at: .zero)
        let facts = pretend.restart()
        #expect(
            run.handle(.event(pretend.event("CHANNEL_CREATE", "other")), at: .zero)
                == [.report(.restarted), .inspect])
        #expect(run.runtime == nil && facts.count == 1)
        // The call that ended by itself stays ended.
        let summary = try pretend.carry(&run)
        #expect(pretend.log.contains("stage y-a y-b") && !pretend.log.contains { $0.hasPrefix("stage x") })
        #expect(summary.recovered.count == 4)
    }

    @Test("a peer that hangs up ends a recovered call, one that refuses loses it") func hangups() throws {
        var run = run(call("x") + call("y"))
        var pretend = PretendSwitch()
        pretend.weather.refused = 100
        let summary = try pretend.carry(&run)
        #expect(summary.lost.count == 4)
        #expect(summary.lost[0].reason.description == "the peer did not take it back (CALL_REJECTED)")
    }

    @Test("when the address goes, the rows go, and what is not back is no loss but left to the next holder")
    func withdrawn() throws {
        var run = run(call("x"))
        let pretend = PretendSwitch()
        _ = run.handle(.local(pretend.local), at: .zero)
        let effects = run.handle(.withdrawn("svcA went to fs3"), at: .zero)
        guard case .stage(let stage)? = effects.first, case .finished(let summary)? = effects.last else {
            Issue.record("it does not end")
            return
        }
        #expect(stage.rows == [] && stage.runtime == "slave-1")
        #expect(summary.lost == [] && summary.left.map(\.reason) == [.underWay, .underWay])
        #expect(
            summary.description
                == "0 of 2 legs of svcA recovered (0 calls) before svcA went to fs3; "
                + "left 2 to the next holder: it was not back yet")
        #expect(run.handle(.tick, at: .zero + .seconds(100)) == [])
    }

    /// Of the calls of `run` when the address goes.
    private func cutShort(_ run: inout RecoveryRun) throws -> RecoverySummary {
        let effects = run.handle(.withdrawn("svcA went to fs3"), at: .zero + .seconds(3))
        guard case .finished(let summary)? = effects.last else { throw PretendSwitch.Endless() }
        return summary
    }

    @Test("when the address goes, what answered is recovered, what is there is left, and what ended is over")
    func cutShort() throws {
        var run = run(
            call("x") + ["busy", "open", "shut"].map { RecoveryPlanTests.leg($0) }
                + [RecoveryPlanTests.leg("other", profile: "svcB")])
        let pretend = PretendSwitch()
        guard case .stage(let stage)? = run.handle(.local(pretend.local), at: .zero).last else {
            Issue.record("nothing is staged")
            return
        }
        _ = run.handle(.staged(stage.number, failure: nil), at: .zero)
        for uuid in ["x-a", "x-b", "busy", "open", "shut"] {
            _ = run.handle(.event(pretend.event("CHANNEL_CREATE", uuid)), at: .zero)
        }
        for uuid in ["x-a", "x-b"] {
            var answer = pretend.event("CALL_UPDATE", uuid)
            answer.headers["variable_sip_cseq"] = "123073903"
            _ = run.handle(.event(answer), at: .zero)
        }
        _ = run.handle(.event(pretend.event("CHANNEL_HANGUP", "busy", "USER_BUSY")), at: .zero)
        _ = run.handle(.event(pretend.event("CHANNEL_HANGUP", "shut", "SYSTEM_SHUTDOWN")), at: .zero)
        let summary = try cutShort(&run)
        #expect(summary.recovered == ["x-a", "x-b"] && summary.calls == 1)
        #expect(summary.left.map(\.uuid) == ["open"] && summary.left.map(\.reason) == [.unconfirmed])
        #expect(summary.lost.map(\.uuid) == ["busy", "other", "shut"])
        #expect(
            summary.lost.last?.reason.description
                == "the switch was stopped and hung it up (SYSTEM_SHUTDOWN)")
    }

    @Test("a run that waited for its switch says why, when the address goes") func cutShortWaiting() throws {
        var run = run(call("x"))
        #expect(try cutShort(&run).left.map(\.reason) == [.unbegun, .unbegun])
        var waiting = self.run(call("x"))
        var pretend = PretendSwitch()
        pretend.isPaused = true
        _ = waiting.handle(.local(pretend.local), at: .zero)
        let summary = try cutShort(&waiting)
        #expect(summary.left.map(\.reason) == [.refused(.paused), .refused(.paused)] && summary.lost == [])
    }

    @Test("a run whose legs were all back when the address went is a plain one") func cutShortLate() throws {
        var run = run([])
        #expect(try cutShort(&run).description == "nothing to recover for svcA: no call was left")
    }

    @Test("no legs, no work") func empty() throws {
        var run = run([])
        var pretend = PretendSwitch()
        #expect(try pretend.carry(&run).description == "nothing to recover for svcA: no call was left")
        #expect(pretend.log == [])
    }

    @Test("rows that cannot be written for as long as anybody waits are told with the reason") func locked()
        throws
    {
        var run = run(call("x"))
        var pretend = PretendSwitch()
        pretend.weather.failedStages = 100
        let reason = RecoveryLoss.refused(.database("the database is locked"))
        #expect(try pretend.carry(&run).lost.map(\.reason) == [reason, reason])
        #expect(pretend.log == [])
    }

    @Test(
        "rows that cannot be written yet are written once they can be, and meanwhile it is known what is waited for"
    )
    func lockedForAWhile() throws {
        var run = run(call("x") + call("y"), batch: 2)
        var pretend = PretendSwitch()
        pretend.weather.failedStages = 100
        var now = Instant.zero
        func stage(_ effects: [RecoveryRun.Effect]) throws -> Int {
            try #require(
                effects.compactMap { if case .stage(let stage) = $0 { stage.number } else { nil } }.first)
        }
        for attempt in 1...30 {
            let number = try stage(run.handle(.local(pretend.local), at: now))
            let effects = run.handle(.staged(number, failure: "it is locked"), at: now + .seconds(1))
            #expect(effects == (attempt == 1 ? [.report(.waiting(.database("it is locked")))] : []))
            #expect(run.waitsFor == .database("it is locked"))
            now = now + .milliseconds(1250)
            #expect(run.handle(.tick, at: now) == [.inspect])
        }
        pretend.weather.failedStages = 0
        let summary = try pretend.carry(&run)
        #expect(summary.lost == [] && summary.calls == 2)
        #expect(pretend.stagedTwice == [])
    }

    @Test("a call counts as recovered when its peers answer, not when its channels are there") func silent()
        throws
    {
        var run = run(call("a") + [RecoveryPlanTests.leg("p")])
        var pretend = PretendSwitch()
        pretend.weather.silent = 100
        let summary = try pretend.carry(&run)
        #expect(summary.recovered == [] && summary.calls == 0)
        #expect(summary.lost.map(\.reason) == [.unanswered, .unanswered, .unanswered])
        #expect(pretend.channels.count == 3 && pretend.killed == [])
        // An event may tell of the answer before anybody asks.
        var other = self.run([RecoveryPlanTests.leg("q")])
        _ = other.handle(.local(pretend.local), at: .zero)
        var answer = pretend.event("CHANNEL_CREATE", "q")
        _ = other.handle(.event(answer), at: .zero)
        answer.headers["Event-Name"] = "CALL_UPDATE"
        answer.headers["variable_sip_cseq"] = "123073903"
        _ = other.handle(.event(answer), at: .zero)
        #expect(try pretend.carry(&other).recovered == ["q"])
    }

    @Test(
        "in any weather it ends, tells of every leg once, and stages nothing the switch has",
        arguments: 0..<200)
    func weather(seed: UInt64) throws {
        var chance = SeededGenerator(seed: seed &* 77 &+ 5)
        var legs: [CallLeg] = []
        for number in 0..<Int.random(in: 0...30, using: &chance) {
            legs +=
                Bool.random(using: &chance)
                ? call("c\(number)", answered: number) : [RecoveryPlanTests.leg("p\(number)")]
        }
        var pretend = PretendSwitch(seed: seed)
        func percent(_ most: Int) -> Int {
            Bool.random(using: &chance) ? 0 : Int.random(in: 0...most, using: &chance)
        }
        pretend.weather = .init(
            lostEvents: percent(60), lostAnswers: percent(40), failedStages: percent(40),
            dropped: percent(40),
            refused: percent(20), restarts: percent(10))
        var run = run(legs, batch: Int.random(in: 2...20, using: &chance))
        let summary = try pretend.carry(&run)
        #expect(pretend.stagedTwice == [])
        let told = summary.recovered + summary.existed + summary.lost.map(\.uuid)
        #expect(told.sorted() == legs.map(\.uuid).sorted())
        let calm = pretend.weather.restarts == 0
        if calm { for uuid in summary.recovered { #expect(pretend.channels[uuid] != nil) } }
        // What the switch has is told as recovered, whatever answers and events were lost.
        let waiting = summary.lost.filter { $0.reason == .unanswered }.map(\.uuid)
        if calm { #expect(pretend.channels.keys.allSatisfy((summary.recovered + waiting).contains)) }
        if pretend.weather.dropped + pretend.weather.failedStages + pretend.weather.refused
            + pretend.weather.restarts + pretend.weather.lostAnswers == 0
        {
            #expect(summary.lost == [])
        }
    }
}
