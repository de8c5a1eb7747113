import Cluster
import Consensus
import ControlProtocol
import FoundationEssentials
import GRDB
import PeerProtocol
import Primitives
import Replication
import Switch
import TestSupport
import Testing

@testable import Daemon
@testable import Switch

/// What the node service keeps in files of its own, and its kinds of records, as JSON that was recorded.
@Suite("Recorded bytes of files and records of the node service")
struct KeptBytesTests {
    private let directory = TemporaryDirectory()

    private func read(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

    @Test("the audit trail is the lines that were recorded, and its chain is whole when they are read")
    func audit() throws {
        let entries = try [
            #"{"wall": {"seconds": 1795485600}, "who": "ann@ops", "number": 1"#, #"{"who": "", "number": 2"#,
        ]
        .map { head in
            try JSONDecoder().decode(
                AuditEntry.self,
                from: Data(
                    """
                    \(head), "epoch": {"term": 3, "index": 40}, "time": {"nanoseconds": 60000000250},
                    "what": "drain master1", "why": "kernel/update", "outcome": "agreed"}
                    """.utf8))
        }
        let file = AuditFile(path: directory.path + "/audit", log: .silent)
        file.append(entries)
        file.finish()
        let golden = Golden("audit", as: .text)
        #expect(
            try golden.faults([("two-entries", Array(read(directory.path + "/audit").dropLast()))]) == [])
        let recorded = directory.path + "/recorded"
        try Data(try golden.recorded("two-entries") + [0x0A]).write(to: URL(filePath: recorded))
        let lines = AuditFile(path: recorded, log: .silent).lines
        #expect(lines.map(\.entry) == entries)
        #expect(AuditLine.fault(in: lines) == nil)
    }

    private static let pragmas = ["application_id", "user_version"]

    @Test("the tables of a state file are those that were recorded, and a file of these is read")
    func stateFile() throws {
        let file = try StateFile(path: directory.path + "/state.sqlite", node: "fs1", birth: { 7 })
        #expect(file.reserveRoom() == nil)
        let text = try file.database.read { database in
            let numbers = try Self.pragmas.map { name in
                "PRAGMA \(name) = \(try Int.fetchOne(database, sql: "PRAGMA \(name)") ?? 0);"
            }
            let tables = try String.fetchAll(
                database, sql: "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
            return (numbers + tables.map { $0 + ";" }).joined(separator: "\n")
        }
        let golden = Golden("tables", as: .text)
        #expect(try golden.faults([("state", Array(text.utf8))]) == [])

        let snapshot = try Golden("snapshot", as: .hex, of: "PeerProtocolTests").recorded("full")
        let path = directory.path + "/recorded.sqlite"
        let tables = String(decoding: try golden.recorded("state"), as: UTF8.self)
        let recorded = try DatabaseQueue(path: path)
        try recorded.write { database in
            try database.execute(sql: tables)
            try database.execute(sql: "INSERT INTO identity VALUES ('fs1', -2, 4294967301)")
            try database.execute(sql: "INSERT INTO vote VALUES (3, 'fs2', -3)")
            try database.execute(sql: "INSERT INTO machine VALUES (-4, 5)")
            try database.execute(sql: "INSERT INTO snapshot VALUES (?)", arguments: [Data(snapshot)])
        }
        try recorded.close()
        let contents = try StateFile(path: path, node: "fs1", birth: { 7 }).contents()
        #expect(contents.birth == 0xFFFF_FFFF_FFFF_FFFE)
        #expect(contents.incarnation == 1 << 32 | 5)
        #expect(contents.machine == MachineID(host: 0xFFFF_FFFF_FFFF_FFFC, boot: 5))
        #expect(
            contents.restored.hardState
                == HardState(term: 3, vote: MemberID(name: "fs2", birth: 0xFFFF_FFFF_FFFF_FFFD)))
        #expect(try contents.restored.snapshot == StorageCodec.decodeSnapshot(snapshot))
    }

    private let recovery = RecoveryLine(
        time: "2026-11-21T12:00:00.000Z", address: "alpha", node: "fs2", epoch: "3.41", legs: 4, recovered: 3,
        lost: [.init(uuid: "0bf2d8e5", reason: "no media")],
        left: .init(
            why: "alpha went to fs3", legs: 1, open: [.init(uuid: "3c11a0b2", reason: "not back yet")]),
        stayed: 1,
        milliseconds: 420)

    @Test("a recovery is the line that was recorded; a file and a record of it are read")
    func recoveries() throws {
        let golden = Golden("recovery", as: .json)
        #expect(
            try golden.faults(
                [("full", recovery)], write: ControlJSON.encode,
                read: { try JSONDecoder().decode(RecoveryLine.self, from: Data($0)) }) == [])
        let path = directory.path + "/recoveries.jsonl"
        try Data(try golden.recorded("full") + [0x0A]).write(to: URL(filePath: path))
        let history = RecoveryHistory(node: "fs2", path: path, log: .silent)
        #expect(history.own == [recovery])
        guard case .put(let record) = try #require(history.writes.first) else { return }
        #expect(record.kind.rawValue == 16)
        #expect(record.payload == (try golden.recorded("full")))
        #expect(RecoveryHistory.line(record) == recovery)
        #expect(Coverage([recovery]).gaps == [])
    }

    @Test("a registration that counts no more is the JSON that was recorded, and is read from it")
    func retired() throws {
        let retired = RetiredRegistration(
            Retirement(
                Registration(
                    profile: "alpha", user: "1001", host: "voice.example.net", contact: "sip:1001@10.0.0.9",
                    callID: "7a31c2d4", expires: Instant(nanoseconds: 400_000_000_000)),
                number: 0xF102_0304_0506_0708, at: Instant(nanoseconds: 100_000_000_000), isFinal: false))
        var echo = retired
        (echo.isFinal, echo.isEcho) = (true, true)
        #expect(RetiredRegistration.kind.rawValue == 17)
        #expect(
            try Golden("retired", as: .json).faults(
                [("retired", retired), ("echo", echo)], write: ControlJSON.encode,
                read: {
                    try #require(
                        RetiredRegistration(Record(kind: RetiredRegistration.kind, key: [1], payload: $0)))
                }) == [])
        #expect(Coverage([retired, echo]).gaps == [])
    }

    @Test("settings of a profile are the JSON that was recorded, and are read from it")
    func settings() throws {
        let settings = ProfileSettings(
            [
                "sip-port": "5080", "tls": "true", "context": "public", "dialplan": "XML",
                "inbound-codec-prefs": "OPUS,PCMA",
            ], mediaPorts: "16384-32768", domains: ["voice.example.net"])
        #expect(
            try Golden("settings", as: .json).faults(
                [("full", settings)], write: ControlJSON.encode,
                read: { try JSONDecoder().decode(ProfileSettings.self, from: Data($0)) }) == [])
        #expect(Coverage([settings]).gaps == [])
    }
}
