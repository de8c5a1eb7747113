import Primitives
import Switch
import Testing

/// Callers for whom something rings when their address is about to go elsewhere by plan.
@Suite struct ParkedCallerTests {
    private static let transfer = "uuid_transfer x 500 XML default"

    /// A machine whose address goes elsewhere soon, with a caller who was answered and for whom something rings.
    private func parting(parkAnswer: String = "+OK\n") -> PretendMachine {
        let streams = PretendStreams()
        streams.writers["svcA"] = "fs1"
        var machine = PretendMachine("fs1", streams)
        machine.parkAnswer = parkAnswer
        machine.connect()
        machine.told(["svcA": "fs1"], epoch: 1)
        machine.settle()
        machine.call("x")
        machine.ring("r", for: "x")
        machine.pass(.seconds(1))
        machine.told(["svcA": "fs1"], epoch: 1, partings: ["svcA"])
        while !machine.log.contains("uuid_park x"), let due = machine.calls.nextDeadline {
            machine.pass(due - machine.now)
        }
        return machine
    }

    private func stays(_ machine: inout PretendMachine) {
        machine.told(["svcA": "fs1"], epoch: 1)
        machine.settle()
    }

    @Test("he is marked and parked, what rings is hung up, and his copy stays as it is") func parked() {
        var machine = parting()
        #expect(machine.marks == ["x": "svcA"])
        let copy = machine.streams.legs(of: "svcA")
        machine.pass(.seconds(1))
        #expect(machine.on("svcA") == ["x"] && machine.calls.parted.map(\.address) == ["svcA"])
        #expect(
            machine.announcements == [
                "1 callers wait for an answer: what rings for them is cancelled and rings anew where svcA goes"
            ])
        #expect(machine.streams.legs(of: "svcA") == copy)
        // Whoever has the address next calls anew for him: here he ends without a word.
        machine.told(["svcA": "fs2"], epoch: 2)
        machine.pass(.seconds(1))
        #expect(machine.on("svcA") == [] && !machine.log.contains(Self.transfer))
    }

    @Test("he enters his extension anew when his address stays after all") func calledOff() {
        var machine = parting()
        machine.pass(.seconds(1))
        stays(&machine)
        #expect(machine.log.contains(Self.transfer) && machine.marks == [:])
        machine.give(.looksAreDue)
        machine.settle()
        #expect(machine.log.count { $0 == Self.transfer } == 1)
    }

    @Test("what rings for him is hung up even when he is back in his extension before that") func atOnce() {
        var machine = parting()
        stays(&machine)
        #expect(machine.log.contains(Self.transfer))
        machine.pass(.seconds(1))
        #expect(machine.on("svcA") == ["x"])
    }

    @Test("where he cannot be parked his mark is taken back, and what rings is hung up at once")
    func refused() {
        var machine = parting(parkAnswer: "-ERR No such channel!\n")
        machine.settle()
        #expect(machine.marks == [:] && machine.on("svcA") == ["x"])
        stays(&machine)
        #expect(!machine.log.contains(Self.transfer))
    }

    @Test(
        "a connection that ends before the answer leaves him parked, as his channel tells, and he enters anew"
    )
    func cut() {
        var machine = parting()
        machine.disconnect()
        stays(&machine)
        #expect(!machine.log.contains(Self.transfer))
        machine.pass(.seconds(3))
        machine.connect()
        machine.settle()
        machine.give(.looksAreDue)
        machine.settle()
        #expect(machine.log.contains(Self.transfer) && machine.marks == [:])
    }

    @Test("he is known by the name his channel has by then") func renamed() {
        var machine = parting()
        machine.pass(.seconds(1))
        machine.rename("x", to: "y")
        stays(&machine)
        #expect(machine.log.contains("uuid_transfer y 500 XML default"))
    }
}
