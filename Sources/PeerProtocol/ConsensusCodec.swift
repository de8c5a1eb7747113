import Cluster
import Consensus

/// Consensus messages, entries and snapshots as bytes; commands and states inside them are JSON.
enum ConsensusCodec {
    private enum Code {
        static let preVoteRequest: UInt8 = 1
        static let preVoteReply: UInt8 = 2
        static let voteRequest: UInt8 = 3
        static let voteReply: UInt8 = 4
        static let append: UInt8 = 5
        static let accepted: UInt8 = 6
        static let rejected: UInt8 = 7
        static let snapshot: UInt8 = 8
        static let snapshotReply: UInt8 = 9
        static let timeoutNow: UInt8 = 10
    }

    private enum PayloadCode {
        static let empty: UInt8 = 0
        static let command: UInt8 = 1
        static let membership: UInt8 = 2
    }

    // MARK: - Writing

    static func write(_ message: ControlMessage, to writer: inout FrameWriter) {
        writer.write(message.term)
        switch message.body {
        case .preVoteRequest(let lastLog):
            writer.write(byte: Code.preVoteRequest)
            writer.write(lastLog)
        case .preVoteReply(let granted):
            writer.write(byte: Code.preVoteReply)
            writer.write(byte: granted ? 1 : 0)
        case .voteRequest(let lastLog, let transfer):
            writer.write(byte: Code.voteRequest)
            writer.write(lastLog)
            writer.write(byte: transfer ? 1 : 0)
        case .voteReply(let granted):
            writer.write(byte: Code.voteReply)
            writer.write(byte: granted ? 1 : 0)
        case .append(let previous, let entries, let commit):
            writer.write(byte: Code.append)
            writer.write(previous)
            writer.write(commit)
            writer.write(count: entries.count)
            for entry in entries { write(entry, to: &writer) }
        case .appendReply(.accepted(let agreed, let durable)):
            writer.write(byte: Code.accepted)
            writer.write(agreed)
            writer.write(durable)
        case .appendReply(.rejected(let previous, let hint)):
            writer.write(byte: Code.rejected)
            writer.write(previous)
            writer.write(hint)
        case .snapshot(let snapshot):
            writer.write(byte: Code.snapshot)
            write(snapshot, to: &writer)
        case .snapshotReply(let index):
            writer.write(byte: Code.snapshotReply)
            writer.write(index)
        case .timeoutNow:
            writer.write(byte: Code.timeoutNow)
        }
    }

    static func write(_ entry: ControlEntry, to writer: inout FrameWriter) {
        writer.write(entry.term)
        writer.write(entry.index)
        switch entry.payload {
        case .empty:
            writer.write(byte: PayloadCode.empty)
        case .command(let command):
            writer.write(byte: PayloadCode.command)
            writer.write(blob: command.written ?? ControlJSON.encode(command))
        case .membership(let membership):
            writer.write(byte: PayloadCode.membership)
            write(membership, to: &writer)
        }
    }

    static func write(_ snapshot: ControlSnapshot, to writer: inout FrameWriter) {
        writer.write(snapshot.epoch)
        write(snapshot.membership, to: &writer)
        writer.write(snapshot.membershipEpoch)
        writer.write(blob: ControlJSON.encode(snapshot.state))
    }

    private static func write(_ membership: Membership, to writer: inout FrameWriter) {
        for list in [membership.voters, membership.learners] {
            writer.write(count: list.count)
            for member in list { writer.write(member) }
        }
    }

    // MARK: - Reading

    static func message(_ reader: inout FrameReader) throws(FrameFailure) -> ControlMessage {
        let term = try reader.number("term")
        return ControlMessage(term: term, body: try body(&reader))
    }

    private static func body(_ reader: inout FrameReader) throws(FrameFailure) -> ControlMessage.Body {
        switch try reader.byte() {
        case Code.preVoteRequest: return .preVoteRequest(lastLog: try reader.epoch("last log entry"))
        case Code.preVoteReply: return .preVoteReply(granted: try flag(&reader, "pre-vote"))
        case Code.voteRequest:
            let lastLog = try reader.epoch("last log entry")
            return .voteRequest(lastLog: lastLog, transfer: try flag(&reader, "transfer flag"))
        case Code.voteReply: return .voteReply(granted: try flag(&reader, "vote"))
        case Code.append:
            let previous = try reader.epoch("previous entry")
            let commit = try reader.number("commit index")
            let count = try reader.count("entries", limit: FrameLimits.peerFrame)
            var entries: [ControlEntry] = []
            for _ in 0..<count { entries.append(try entry(&reader)) }
            return .append(previous: previous, entries: entries, commit: commit)
        case Code.accepted:
            let agreed = try reader.number("agreed index")
            return .appendReply(.accepted(agreed: agreed, durable: try reader.number("durable index")))
        case Code.rejected:
            let previous = try reader.number("rejected index")
            return .appendReply(.rejected(previous: previous, hint: try reader.epoch("hint")))
        case Code.snapshot: return .snapshot(try snapshot(&reader))
        case Code.snapshotReply: return .snapshotReply(index: try reader.number("snapshot index"))
        case Code.timeoutNow: return .timeoutNow
        default: throw .malformed("consensus message kind")
        }
    }

    static func entry(_ reader: inout FrameReader) throws(FrameFailure) -> ControlEntry {
        let term = try reader.number("entry's term")
        let index = try reader.number("entry's index")
        switch try reader.byte() {
        case PayloadCode.empty: return ControlEntry(term: term, index: index, payload: .empty)
        case PayloadCode.command:
            let bytes = try reader.blob("command", limit: FrameLimits.peerFrame)
            var command = try ControlJSON.decode(StampedCommand.self, bytes, field: "command")
            // What only a later release knows is stored and handed on as it came.
            if command.command.unknownKind != nil { command.written = bytes }
            return ControlEntry(term: term, index: index, payload: .command(command))
        case PayloadCode.membership:
            return ControlEntry(term: term, index: index, payload: .membership(try membership(&reader)))
        default: throw .malformed("entry's payload kind")
        }
    }

    static func snapshot(_ reader: inout FrameReader) throws(FrameFailure) -> ControlSnapshot {
        let epoch = try reader.epoch("snapshot's epoch")
        let membership = try membership(&reader)
        let membershipEpoch = try reader.epoch("membership's epoch")
        let bytes = try reader.blob("control state", limit: FrameLimits.peerFrame)
        return ControlSnapshot(
            epoch: epoch, membership: membership, membershipEpoch: membershipEpoch,
            state: try StateCheck.read(bytes))
    }

    private static func membership(_ reader: inout FrameReader) throws(FrameFailure) -> Membership {
        let voters = try members(&reader, "voters")
        return Membership(voters: voters, learners: try members(&reader, "learners"))
    }

    private static func members(
        _ reader: inout FrameReader, _ field: String
    ) throws(FrameFailure) -> [MemberID] {
        let count = try reader.count(field, limit: 4 * ClusterLimits.nodes)
        var list: [MemberID] = []
        for _ in 0..<count { list.append(try reader.member(field)) }
        return list
    }

    static func flag(_ reader: inout FrameReader, _ field: String) throws(FrameFailure) -> Bool {
        switch try reader.byte() {
        case 0: return false
        case 1: return true
        default: throw .malformed(field)
        }
    }
}
