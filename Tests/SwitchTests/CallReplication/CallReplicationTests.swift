import EventSocket
import Primitives
import Replication
import Switch
import Testing

/// When calls of an address are brought into the switch of a machine, and when they end there.
@Suite struct CallReplicationTests {
    private func machine(_ calls: [String] = [], hasTable: Bool = true) -> PretendMachine {
        let streams = PretendStreams()
        for uuid in calls { streams.put(RecoveryPlanTests.leg(uuid)) }
        var machine = PretendMachine("fs1", streams)
        machine.connect(hasTable: hasTable)
        machine.settle()
        return machine
    }

    private func give(_ address: String, to node: String, epoch: UInt64, _ machine: inout PretendMachine) {
        machine.streams.writers[address] = node
        machine.told([address: node], epoch: epoch)
    }

    // MARK: - Addresses that come here

    @Test("an address without calls leaves standby, after the rows of others are gone") func empty() {
        var machine = machine()
        give("svcA", to: "fs1", epoch: 1, &machine)
        #expect(machine.standby.contains("svcA"))
        machine.settle()
        #expect(machine.log == ["stage", "sofia profile svcA recover"])
        #expect(machine.standby == ["svcB"])
    }

    @Test(
        "without a database, or one that can be written, every profile leaves standby",
        arguments: [true, false])
    func noTable(hasTable: Bool) {
        var machine = machine(hasTable: hasTable)
        machine.tableFailure = "locked"
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.settle()
        #expect(machine.log.last == "sofia global standby off" && machine.standby == [])
    }

    @Test("calls are recovered once for each decision and each process of the switch") func once() {
        var machine = machine(["x", "y"])
        give("svcA", to: "fs1", epoch: 1, &machine)
        #expect(machine.calls.isReviving("svcA", at: machine.now) && machine.calls.isReviving)
        machine.pass(.seconds(10))
        #expect(machine.on("svcA") == ["x", "y"])
        #expect(machine.log == ["stage x y", "sofia profile svcA recover", "stage"])
        #expect(machine.settled == ["svcA"] && !machine.calls.isReviving)
        #expect(machine.announcements.first?.hasPrefix("2 of 2 legs of svcA recovered") == true)
        // The copies say from now on which process has them.
        #expect(machine.streams.legs(of: "svcA").map(\.runtime) == ["fs1-1", "fs1-1"])
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.pass(.seconds(10))
        #expect(machine.summaries.count == 1)
        // Given anew, its calls are there already.
        give("svcA", to: "fs1", epoch: 2, &machine)
        machine.pass(.seconds(10))
        #expect(machine.log.suffix(2) == ["stage", "sofia profile svcA recover"])
        #expect(machine.summaries.count == 1)
        machine.restart()
        machine.pass(.seconds(10))
        #expect(machine.summaries.map(\.recovered) == [["x", "y"], ["x", "y"]])
        #expect(machine.on("svcA") == ["x", "y"])
    }

    @Test("a switch that is reached again with its calls is not brought to them anew") func reached() {
        var machine = machine(["x"])
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.pass(.seconds(10))
        machine.disconnect()
        machine.connect()
        machine.pass(.seconds(10))
        #expect(machine.summaries.count == 1 && machine.on("svcA") == ["x"])
    }

    @Test("a switch that is started anew amid a recovery gets the calls of the present run") func restarted()
    {
        var machine = machine(["x"])
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.pass(.milliseconds(1))
        machine.restart()
        machine.pass(.seconds(20))
        #expect(machine.on("svcA") == ["x"] && machine.summaries.map(\.recovered) == [["x"]])
    }

    @Test(
        "new callers are served while calls wait for the database, and the calls come once it can be written")
    func locked() {
        var machine = machine(["x"])
        machine.tableFailure = "it is locked"
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.pass(.seconds(5))
        #expect(machine.log.contains("sofia global standby off") && machine.standby == [])
        #expect(machine.calls.databaseProblem("svcA") == "it is locked")
        #expect(!machine.calls.isReviving("svcA", at: machine.now) && machine.on("svcA") == [])
        machine.tableFailure = nil
        machine.pass(.seconds(10))
        #expect(machine.calls.databaseProblem("svcA") == nil && machine.on("svcA") == ["x"])
    }

    @Test("a switch that cannot be looked at is excused for a second, and its calls come once it can")
    func blind() {
        var machine = machine(["x"])
        machine.isBlind = true
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.pass(.milliseconds(900))
        #expect(machine.calls.isReviving("svcA", at: machine.now))
        machine.pass(.milliseconds(200))
        #expect(!machine.calls.isReviving("svcA", at: machine.now))
        machine.isBlind = false
        machine.pass(.seconds(10))
        #expect(machine.on("svcA") == ["x"])
    }

    @Test("answers to an earlier run are none to the present one") func staleAnswers() {
        var machine = machine(["x"])
        give("svcA", to: "fs1", epoch: 1, &machine)
        while machine.log.isEmpty { machine.answer() }
        let answer = machine.postponeStage()
        give("svcA", to: "fs1", epoch: 2, &machine)
        while machine.log.count(where: { $0 == "stage x" }) < 2 { machine.answer() }
        if let answer { machine.give(answer) } else { Issue.record("nothing was staged") }
        #expect(machine.calls.databaseProblem("svcA") == nil)
        machine.pass(.seconds(20))
        #expect(machine.summaries.map(\.cutShort) == ["svcA was given to this node anew", nil])
        #expect(machine.summaries.last?.recovered == ["x"] && machine.on("svcA") == ["x"])
    }

    @Test("what did not come back is given up after a minute, and not revived elsewhere later") func givenUp()
    {
        var machine = machine(["x"])
        machine.dropsRows = true
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.pass(.seconds(30))
        machine.give(.rowsAreDue)
        #expect(!machine.streams.legs(of: "svcA").isEmpty || machine.summaries.first?.lost.count == 1)
        machine.pass(.seconds(31))
        machine.give(.rowsAreDue)
        #expect(machine.streams.legs(of: "svcA").isEmpty)
    }

    @Test("a profile that is in standby is told once more, unless its calls are being revived") func release()
    {
        var machine = machine()
        #expect(!machine.calls.canRelease("svcA"))
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.settle()
        machine.standby = ["svcA"]
        #expect(machine.calls.canRelease("svcA"))
        machine.give(.release("svcA"))
        machine.settle()
        #expect(machine.standby == [])
        machine.disconnect()
        #expect(!machine.calls.canRelease("svcA"))
    }

    @Test(
        "a connection that ends amid a recovery and comes back to the same process lets it go on, though no event tells of anything",
        arguments: 0..<14)
    func reconnected(answers: Int) {
        var machine = machine(["x"])
        give("svcA", to: "fs1", epoch: 1, &machine)
        for _ in 0..<answers { machine.answer() }
        machine.disconnect()
        machine.connect()
        machine.pass(.seconds(30))
        #expect(machine.on("svcA") == ["x"] && !machine.calls.isReviving)
    }

    @Test(
        "a switch that is started anew and cannot be looked at yet is asked again, though no event tells of anything"
    )
    func startedAnewBlind() {
        var machine = machine(["x"])
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.isBlind = true
        machine.restart()
        machine.pass(.seconds(5))
        machine.isBlind = false
        machine.pass(.seconds(20))
        #expect(machine.on("svcA") == ["x"] && !machine.calls.isReviving)
    }

    // MARK: - Addresses that go elsewhere

    @Test("calls whose address went elsewhere end here, and are not taken out of the replica") func away() {
        var machine = machine()
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.settle()
        machine.call("x")
        machine.pass(.milliseconds(10))
        #expect(machine.streams.legs(of: "svcA").map(\.uuid) == ["x"])
        give("svcA", to: "fs2", epoch: 2, &machine)
        #expect(machine.log.last == "hupall MANAGER_REQUEST sofia_profile_name svcA")
        machine.pass(.seconds(1))
        #expect(machine.on("svcA") == [] && machine.calls.isSettled(at: machine.now))
        #expect(machine.streams.legs(of: "svcA").map(\.uuid) == ["x"])
    }

    @Test("nothing is hung up while `recover` makes channels, and all of it once that has ended")
    func recoverUnderWay() {
        var machine = machine(["x"])
        give("svcA", to: "fs1", epoch: 1, &machine)
        while !machine.log.contains("sofia profile svcA recover") { machine.answer() }
        machine.call("y")
        give("svcA", to: "fs2", epoch: 2, &machine)
        #expect(!machine.log.contains { $0.hasPrefix("hupall") })
        #expect(!machine.calls.isSettled(at: machine.now))
        machine.settle()
        #expect(machine.log.contains("hupall MANAGER_REQUEST sofia_profile_name svcA"))
        #expect(machine.on("svcA") == [] && machine.summaries.first?.cutShort == "svcA went to fs2")
    }

    @Test("what ended while its address was away is taken out of the replica when it is here again")
    func endedMeanwhile() {
        var machine = machine()
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.settle()
        machine.call("x")
        machine.pass(.milliseconds(10))
        // Nobody has it, so nothing ends here.
        machine.told([:], epoch: 2)
        machine.hangUp("x")
        machine.pass(.milliseconds(10))
        #expect(machine.streams.legs(of: "svcA").map(\.uuid) == ["x"])
        give("svcA", to: "fs1", epoch: 3, &machine)
        machine.settle()
        #expect(machine.streams.legs(of: "svcA") == [])
    }

    @Test("legs that another switch could not revive are hung up before their address goes by plan")
    func parting() {
        var machine = machine()
        give("svcA", to: "fs1", epoch: 1, &machine)
        machine.settle()
        machine.call("x")
        machine.ring("r")
        machine.pass(.milliseconds(10))
        machine.told(["svcA": "fs1"], epoch: 1, partings: ["svcA"])
        machine.pass(.milliseconds(200))
        #expect(machine.calls.parted.isEmpty)
        machine.pass(.seconds(1))
        #expect(machine.calls.parted.map(\.address) == ["svcA"])
        #expect(machine.on("svcA") == ["x"])
        #expect(machine.announcements.contains { $0.hasPrefix("1 legs were hung up before svcA goes") })
    }

    // MARK: - Two machines

    @Test(
        "whatever happens, only who has an address recovers its calls, and after calm they are there and nowhere else",
        arguments: 1...40)
    func laws(seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        var pair = PretendPair()
        for _ in 0..<300 { pair.happen(&chance) }
        pair.calm(&chance)
        #expect(pair.machines.flatMap(\.misplaced) == [] && pair.machines.flatMap(\.doubled) == [])
        for address in PretendPair.addresses {
            for machine in pair.machines where machine.name != pair.holders[address] {
                #expect(machine.on(address) == [], "\(machine.name) has calls of \(address)")
            }
            guard let holder = pair.holder(of: address).map({ pair.machines[$0] }) else { continue }
            #expect(!holder.standby.contains(address), "\(address) is in standby on \(holder.name)")
            #expect(holder.on(address) == pair.streams.legs(of: address).map(\.uuid))
            #expect(!holder.calls.isReviving(address, at: holder.now))
        }
    }
}
