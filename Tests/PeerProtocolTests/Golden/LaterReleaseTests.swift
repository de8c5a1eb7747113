import Consensus
import Foundation
import Primitives
import TestSupport
import Testing

@testable import Cluster
@testable import PeerProtocol

/// What this release makes of what only a later one writes, or an earlier one did not.
@Suite("What other releases agree on")
struct LaterReleaseTests {
    private let states = Golden("state", as: .json)

    /// The recorded value with one of its keys, anywhere in it, replaced.
    private func changed(
        _ json: [UInt8], _ change: (inout [String: Any]) -> Void
    ) throws -> [UInt8] {
        var object = try #require(JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
        change(&object)
        return Array(try JSONSerialization.data(withJSONObject: object))
    }

    private func snapshot(_ state: [UInt8]) -> [UInt8] {
        var writer = FrameWriter()
        writer.write(Sample.epoch(60))
        writer.write(count: 1)
        writer.write(Sample.one.member)
        writer.write(count: 0)
        writer.write(Sample.epoch(2))
        writer.write(blob: state)
        return writer.bytes
    }

    private func entry(_ command: [UInt8]) -> [UInt8] {
        var writer = FrameWriter()
        for number in [UInt64(3), 61] { writer.write(number) }
        writer.write(byte: 1)
        writer.write(blob: command)
        return writer.bytes
    }

    /// As it stands in a frame that carries it from the leader, with nothing riding on it.
    private func frame(kind: UInt8, _ body: [UInt8], isOneOfSome: Bool) -> [UInt8] {
        var writer = FrameWriter()
        writer.write(raw: [PeerFrameCodec.version, 1])
        writer.write(UInt64(3))
        writer.write(byte: kind)
        if isOneOfSome {
            writer.write(Sample.epoch(60))
            writer.write(UInt64(59))
            writer.write(count: 1)
        }
        writer.write(raw: body + [0, 0])
        var framed = FrameWriter()
        framed.write(fixed: UInt32(writer.bytes.count))
        framed.write(raw: writer.bytes)
        return framed.bytes
    }

    // MARK: - States

    @Test(
        "a state of a newer format is refused by its number, whatever else it holds",
        arguments: [3, 300, .max])
    func newerFormat(format: Int) throws {
        let newer = try changed(states.recorded("full")) { $0["format"] = format }
        let other = Array(#"{"format": \#(format), "nodes": 5}"#.utf8)
        for state in [newer, other] {
            let bytes = snapshot(state)
            #expect(throws: FrameFailure.stateFormat(format)) {
                try StorageCodec.decodeSnapshot([StorageCodec.version] + bytes)
            }
            #expect(throws: FrameFailure.stateFormat(format)) {
                try PeerFrameCodec.decodeFrame(frame(kind: 8, bytes, isOneOfSome: false))
            }
        }
        #expect(
            "\(FrameFailure.stateFormat(3))" == "the agreed state has format 3, and this fsdns knows 2")
    }

    @Test("the format of this release is read from the same bytes; one that is no number is not")
    func format() throws {
        let recorded = try states.recorded("full")
        let bytes = snapshot(recorded)
        #expect(try StorageCodec.decodeSnapshot([StorageCodec.version] + bytes).state == Sample.state)
        let frame = try PeerFrameCodec.decodeFrame(frame(kind: 8, bytes, isOneOfSome: false))
        guard case .message(.consensus(let message, _)) = frame, case .snapshot(let read) = message.body
        else {
            Issue.record("no snapshot: \(frame)")
            return
        }
        #expect(read.state == Sample.state)
        for format in ["1", nil] as [Any?] {
            let odd = try changed(recorded) { $0["format"] = format }
            #expect(throws: FrameFailure.malformed("control state")) {
                try StorageCodec.decodeSnapshot([StorageCodec.version] + snapshot(odd))
            }
        }
    }

    @Test("a state without what was added since is read, with nothing there; without anything else it is not")
    func missing() throws {
        let recorded = try states.recorded("full")
        let keys = try #require(JSONSerialization.jsonObject(with: Data(recorded)) as? [String: Any]).keys
        var added: [String] = []
        for key in keys.sorted() {
            let older = try changed(recorded) { $0[key] = nil }
            if let state = try? ControlJSON.decode(ControlState.self, older, field: key) {
                added.append(key)
                #expect(ControlJSON.encode(state).count < recorded.count)
            }
        }
        #expect(added == ["audit", "drain", "forgotten", "givenUp", "playbooks", "revoked", "ttl"])
        var before = Sample.state
        (before.audit, before.playbooks) = (AuditTrail(), PlaybookBook())
        let older = try changed(recorded) { ($0["audit"], $0["playbooks"]) = (nil, nil) }
        #expect(try ControlJSON.decode(ControlState.self, older, field: "") == before)
    }

    @Test("an unknown key is passed over, and is gone when the state is written again")
    func unknownKey() throws {
        let recorded = try states.recorded("full")
        let later = try changed(recorded) { $0["ofLater"] = ["a": 1] }
        #expect(later.count > recorded.count)
        let state = try ControlJSON.decode(ControlState.self, later, field: "")
        #expect(ControlJSON.encode(state) == recorded)
    }

    // MARK: - Commands

    @Test(
        "a command of an unknown kind is read as one, and written as the very bytes that came, on the disk and in a frame",
        arguments: [
            #"{"ofLater": {"_0": 1}}"#: "ofLater", #"{"ofLater": [1, 2]}"#: "ofLater",
            #"{"drain": {"_0": {"ofLater": {}}}}"#: "drain ofLater",
            #"{"playbook": {"_0": {"ofLater": {"run": 5}}}}"#: "playbook ofLater",
            #"{"asked": {"_0": {"who": "", "what": "", "why": "", "command": {"ofLater": {}}}}}"#: "ofLater",
        ])
    func unknownCommand(command: String, kind: String) throws {
        let stamped = Array(#"{ "time": {"nanoseconds": 5},  "command": \#(command), "more": 1.50}"#.utf8)
        let bytes = [StorageCodec.version] + entry(stamped)
        let read = try StorageCodec.decodeEntry(bytes)
        guard case .command(let known) = read.payload else {
            Issue.record("no command: \(read)")
            return
        }
        #expect(known.command.unknownKind == kind)
        #expect(known.command.format > FormatVersion.newest)
        #expect(known.time == ClusterTime(nanoseconds: 5))
        #expect(StorageCodec.encode(read) == bytes)
        let frame = frame(kind: 5, entry(stamped), isOneOfSome: true)
        #expect(PeerFrameCodec.encode(try PeerFrameCodec.decodeFrame(frame)) == frame)
    }

    @Test("a command of an unknown kind changes nothing but the cluster's time, and says why")
    func unknownIsRefused() {
        for command in Sample.laterCommands {
            var state = ControlState(clusterID: 1, settings: Sample.plainSettings)
            var same = state
            let applied = state.apply(
                StampedCommand(time: Sample.time(200), command: command), at: Sample.epoch(61))
            #expect(applied.refusal?.contains("does not know the command") == true)
            #expect(applied.events == [])
            same.time = Sample.time(200)
            #expect(state == same)
        }
    }

    @Test(
        "a command of a known kind that cannot be is no entry, on the disk and in a frame",
        arguments: [
            #"{}"#, #"{"admit": {}}"#, #"{"ttlServed": 1}"#, #"{"ttlServed": {}, "forget": {}}"#,
            #"{"drain": {"_0": {"advance": {"from": "raising", "to": "of-later"}}}}"#, #"{"": {}}"#,
            #"{"of\u0007later": {}}"#, #"{"\#(String(repeating: "a", count: 65))": {}}"#,
        ])
    func oddCommand(command: String) {
        let stamped = Array(#"{"command": \#(command), "time": {"nanoseconds": 5}}"#.utf8)
        let failure = FrameFailure.malformed("command")
        #expect(throws: failure) { try StorageCodec.decodeEntry([StorageCodec.version] + entry(stamped)) }
        #expect(throws: failure) {
            try PeerFrameCodec.decodeFrame(frame(kind: 5, entry(stamped), isOneOfSome: true))
        }
    }

    @Test(
        "an unknown key of a command is passed over, also one beside the case itself",
        arguments: [#"{"ttlServed": {"ofLater": 1}}"#, #"{"ttlServed": {}, "ofLater": {"_0": 1}}"#])
    func unknownKeyOfCommand(command: String) throws {
        let text = #"{"command": \#(command), "ofLater": 2, "time": {"nanoseconds": 5}}"#
        let bytes = entry(Array(text.utf8))
        let known = StampedCommand(time: ClusterTime(nanoseconds: 5), command: .ttlServed)
        #expect(try StorageCodec.decodeEntry([StorageCodec.version] + bytes).payload == .command(known))
        #expect(throws: Never.self) {
            try PeerFrameCodec.decodeFrame(frame(kind: 5, bytes, isOneOfSome: true))
        }
    }

    @Test("an entry, a snapshot and a frame of another version are refused by its number")
    func version() throws {
        let entry = try Golden("entry", as: .hex).recorded("command")
        let snapshot = try Golden("snapshot", as: .hex).recorded("full")
        var frame = try Golden("frame", as: .hex).recorded("refused")
        frame[4] = 2
        #expect(throws: FrameFailure.version(2)) { try StorageCodec.decodeEntry([2] + entry.dropFirst()) }
        #expect(throws: FrameFailure.version(2)) {
            try StorageCodec.decodeSnapshot([2] + snapshot.dropFirst())
        }
        #expect(throws: FrameFailure.version(2)) { try PeerFrameCodec.decodeFrame(frame) }
    }

    @Test("a frame of an unknown kind is read as one, whatever it holds, and is no message")
    func kind() throws {
        var frame = try Golden("frame", as: .hex).recorded("refused")
        frame[5] = 9
        #expect(try PeerFrameCodec.decodeFrame(frame) == .unknown(kind: 9))
        #expect(throws: FrameFailure.malformed("message kind")) { try PeerFrameCodec.decode(frame) }
    }

    @Test(
        "a request of an unknown kind is read as one; an answer of an unknown kind says that it may have been done",
        arguments: [#"{"ofLater": {"who": 5}}"#, #"{"playbook": {"_0": {"ofLater": {}}}}"#])
    func unknownRequest(json: String) throws {
        let request = try ControlJSON.decode(OperatorRequest.self, Array(json.utf8), field: "request")
        #expect(request.unknownKind?.hasSuffix("ofLater") == true)
        #expect(try RequestCheck.plausible(request) == request)
        let reply = try ControlJSON.decode(
            OperatorReply.self, Array(#"{"ofLater": {"_0": 5}}"#.utf8), field: "response")
        guard case .unavailable(let reason) = reply else {
            Issue.record("\(reply)")
            return
        }
        #expect(reason.contains("“ofLater”") && reason.contains("it may have been done: look"))
    }
}
