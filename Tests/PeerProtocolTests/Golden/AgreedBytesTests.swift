import Cluster
import PeerProtocol
import Primitives
import TestSupport
import Testing

/// What every node applies and keeps, as bytes that were recorded.
@Suite("Recorded bytes of what is agreed on")
struct AgreedBytesTests {
    @Test("every command is the JSON that was recorded, and is read from it")
    func commands() throws {
        let samples = Sample.commands.map { ($0.name, Sample.stamped($0.value)) }
        #expect(
            try Golden("command", as: .json).faults(
                samples, write: ControlJSON.encode,
                read: { try ControlJSON.decode(StampedCommand.self, $0, field: "command") }) == [])
    }

    @Test("every state is the JSON that was recorded, and is read from it")
    func states() throws {
        #expect(
            try Golden("state", as: .json).faults(
                Sample.states, write: ControlJSON.encode,
                read: { try ControlJSON.decode(ControlState.self, $0, field: "control state") }) == [])
    }

    @Test("what came with format 2 is the JSON that was recorded then, and is read from it")
    func second() throws {
        let commands = Sample.commandsOfSecond.map { ($0.name, Sample.stamped($0.value)) }
        #expect(
            try Golden("command", as: .json, version: 2).faults(
                commands, write: ControlJSON.encode,
                read: { try ControlJSON.decode(StampedCommand.self, $0, field: "command") }) == [])
        #expect(
            try Golden("state", as: .json, version: 2).faults(
                Sample.statesOfSecond, write: ControlJSON.encode,
                read: { try ControlJSON.decode(ControlState.self, $0, field: "control state") }) == [])
    }

    @Test("no command that was recorded for one format needs a newer one")
    func formats() {
        #expect(Sample.commands.allSatisfy { $0.value.format == 1 })
        #expect(Sample.commandsOfSecond.allSatisfy { $0.value.format == 2 })
    }

    @Test("entries and a snapshot are the bytes of the state file that were recorded, and are read from them")
    func stored() throws {
        let payloads: [(name: String, value: ControlEntry.Payload)] = [
            ("empty", .empty), ("command", .command(Sample.stamped(.ttlServed))),
            ("membership", .membership(Sample.membership)),
        ]
        let entries = payloads.map { ($0.name, ControlEntry(term: 3, index: 300, payload: $0.value)) }
        #expect(
            try Golden("entry", as: .hex).faults(
                entries, write: StorageCodec.encode, read: StorageCodec.decodeEntry) == [])
        #expect(
            try Golden("snapshot", as: .hex).faults(
                [("full", Sample.snapshot)], write: StorageCodec.encode,
                read: StorageCodec.decodeSnapshot) == [])
    }

    @Test("the words of drains are those that were recorded")
    func words() throws {
        let words: [(name: String, bytes: [UInt8])] = [
            ("phases", ControlJSON.encode(Drain.Phase.allCases)),
            ("on-deadline", ControlJSON.encode(Drain.OnDeadline.allCases)),
        ]
        #expect(try Golden("drain", as: .json).faults(words) == [])
    }

    @Test("no case, and no field, is without recorded bytes")
    func coverage() {
        let samples: [Any] =
            Sample.commands.map { Sample.stamped($0.value) } + Sample.states.map(\.value)
            + [
                Sample.laterCommand, Sample.laterCommands, Sample.commandsOfSecond.map(\.value),
                Sample.snapshot, Drain.Phase.allCases,
                Drain.OnDeadline.allCases,
            ]
        #expect(Coverage(samples, leaves: [IPAddress.self]).gaps == [])
    }
}
