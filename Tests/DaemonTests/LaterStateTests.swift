import Consensus
import FoundationEssentials
import GRDB
import Glibc
import NIOCore
import NIOPosix
import PeerProtocol
import Primitives
import Replication
import TestSupport
import Testing

@testable import Cluster
@testable import Daemon

/// What a node service makes of a state file that a later release wrote, and of a later node's words.
@Suite("What a later release left or says")
struct LaterStateTests {
    private let directory = TemporaryDirectory()
    private var path: String { "\(directory.path)/state.sqlite" }

    private func open() throws(ServiceFailure) -> StateFile {
        try StateFile(path: path, node: "fs1", birth: { 7 })
    }

    private var bytes: Data? { try? Data(contentsOf: URL(filePath: path)) }

    /// What is told when the file is opened and read; nothing of it may change by that.
    private func refusal(after change: String, _ arguments: StatementArguments = []) throws -> String? {
        let file = try open()
        try file.database.write { try $0.execute(sql: change, arguments: arguments) }
        try file.database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        try file.close()
        let before = bytes
        let failure = #expect(throws: ServiceFailure.self) { try open().contents() }
        #expect(bytes == before)
        return failure?.description
    }

    @Test("a state file of a newer format is refused with what to do, and not a byte of it changes")
    func newerFile() throws {
        #expect(
            try refusal(after: "PRAGMA user_version = 2")
                == "the state file has format 2, and this fsdns knows 1; "
                + "start the newer fsdns, or move the file away to join as a new member")
    }

    private let remedy =
        "nothing in it was changed. Start the newer fsdns, or move the file away to join as a new member"

    @Test("an agreed state of a newer format is refused with what to do")
    func newerState() throws {
        var state = ControlState(
            clusterID: 9, settings: ClusterSettings(cluster: "pbx", expect: 1, addresses: [], seats: []))
        state.format = 3
        let member = MemberID(name: "fs1", birth: 7)
        let snapshot = ControlSnapshot(
            epoch: Epoch(term: 1, index: 1), membership: Membership(voters: [member]),
            membershipEpoch: Epoch(term: 1, index: 1), state: state)
        #expect(
            try refusal(after: "INSERT INTO snapshot VALUES (?)", [Data(StorageCodec.encode(snapshot))])
                == "the state file \(path) was written by a newer fsdns "
                + "(the agreed state has format 3, and this fsdns knows 2); \(remedy)")
    }

    @Test("an entry of a newer version is refused with what to do")
    func newerEntry() throws {
        #expect(
            try refusal(after: "INSERT INTO log VALUES (1, ?)", [Data([2, 1, 1, 0])])
                == "the state file \(path) was written by a newer fsdns "
                + "(the frame has version 2, which is not known here); \(remedy)")
    }

    @Test("an entry with a command of an unknown kind is read, and is written again as the bytes it was")
    func unknownCommand() throws {
        let command = Array(#"{"time": {"nanoseconds":5}, "command":{"ofLater":{}}}"#.utf8)
        let bytes = Data([1, 1, 2, 1, UInt8(command.count)] + command)
        let file = try open()
        try file.database.write { database in
            try database.execute(sql: "INSERT INTO log VALUES (2, ?)", arguments: [bytes])
        }
        let entry = try #require(
            try file.database.read { database in
                try Data.fetchOne(database, sql: "SELECT entry FROM log").map {
                    try StorageCodec.decodeEntry(Array($0))
                }
            })
        try file.write([
            .store(StoreRequest(sequence: 1, truncateFrom: 1, entries: [entry]))
        ])
        #expect(try file.database.read { try Data.fetchOne($0, sql: "SELECT entry FROM log") } == bytes)
    }

    @Test("an entry with a command of a known kind that cannot be makes the file a corrupt one")
    func oddCommand() throws {
        let command = Array(#"{"command":{"admit":{}},"time":{"nanoseconds":5}}"#.utf8)
        let entry = [1, 1, 1, 1, UInt8(command.count)] + command
        #expect(
            try refusal(after: "INSERT INTO log VALUES (1, ?)", [Data(entry)])?.hasPrefix(
                "the state file \(path) is corrupt (the frame's command is malformed); nothing in it was changed"
            )
                == true)
    }

    @Test("tables of a later release are left alone")
    func newerTables() throws {
        let file = try open()
        try file.database.write { database in
            try database.execute(sql: "CREATE TABLE oflater (a)")
            try database.execute(sql: "INSERT INTO oflater VALUES (5)")
        }
        try file.close()
        let again = try open()
        #expect(try again.contents().birth == 7)
        #expect(try again.database.read { try Int.fetchOne($0, sql: "SELECT a FROM oflater") } == 5)
    }

    // MARK: - Replicas

    @Test(
        "a replica message of an unknown kind is passed over; one without meaning is told and ends the link")
    func unknownKind() throws {
        let logPath = "\(directory.path)/log"
        let log = EventLog(to: Glibc.open(logPath, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))
        func holder(_ name: String) -> Holder {
            Holder(member: MemberID(name: name, birth: 1), incarnation: 1 << 32)
        }
        let ask = ReplicaMessage.ask(asked: Instant(nanoseconds: 5)).encoded()
        func said(of frames: [[UInt8]]) throws -> String {
            try loop.submit {
                let links = try ReplicaLinks(loop: loop, key: key, me: holder("fs1"), log: log)
                let service = ReplicaService(links: links, log: log)
                links.owner?.connected(holder("fs2"))
                for frame in frames { links.owner?.received(ByteBuffer(bytes: frame), holder("fs2")) }
                service.stop()
            }.wait()
            log.flush()
            return (try? String(contentsOf: URL(filePath: logPath), encoding: .utf8)) ?? ""
        }
        #expect(try said(of: [ask, [1, 9, 1, 2, 3], [1, 255], ask]) == "")
        #expect(try said(of: [ask.dropLast()]).contains("sent a frame without meaning"))
    }
}
