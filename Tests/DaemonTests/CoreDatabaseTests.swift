import GRDB
import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import Daemon

@Suite("Core database of a switch that is not trusted")
struct CoreDatabaseTests {
    private let directory = TemporaryDirectory()
    private static let columns = "runtime_uuid, technology, profile_name, hostname, uuid, metadata"

    private func file(_ statements: String...) throws -> String {
        let path = "\(directory.path)/core.db"
        unlink(path)
        let queue = try DatabaseQueue(path: path)
        try queue.write { database in for statement in statements { try database.execute(sql: statement) } }
        try queue.close()
        return path
    }

    private func refusal(_ path: String) -> String? {
        do throws(RecoveryTable.Failure) {
            _ = try RecoveryTable(path: path)
            return nil
        } catch {
            return error.description
        }
    }

    @Test("a plain table is used")
    func plain() throws {
        let path = try file("CREATE TABLE recovery (\(Self.columns))", "CREATE INDEX i ON recovery (uuid)")
        #expect(refusal(path) == nil)
        #expect(CoreDatabase.problem(path: path) == nil)
    }

    @Test("a view, a virtual table and a table with a trigger are not")
    func other() throws {
        let view = try file(
            "CREATE TABLE t (\(Self.columns))", "CREATE VIEW recovery AS SELECT * FROM t")
        #expect(refusal(view)?.contains("is no table") == true)
        let trigger = try file(
            "CREATE TABLE recovery (\(Self.columns))",
            "CREATE TRIGGER evil AFTER DELETE ON recovery BEGIN INSERT INTO recovery (uuid) VALUES ('x'); END"
        )
        #expect(refusal(trigger)?.contains("has the trigger evil") == true)
        #expect(CoreDatabase.problem(path: trigger)?.contains("has the trigger evil") == true)
        let missing = try file("CREATE TABLE other (a)")
        #expect(refusal(missing)?.contains("has no table `recovery`") == true)
    }

    /// As FreeSWITCH makes it (switch_core_sqldb.c: create_recovery_sql).
    private static let own = """
        CREATE TABLE recovery (
           runtime_uuid    VARCHAR(255),
           technology      VARCHAR(255),
           profile_name    VARCHAR(255),
           hostname        VARCHAR(255),
           uuid            VARCHAR(255),
           metadata        text
        );
        """

    @Test("FreeSWITCH's own declarations are used, also with a column that was added")
    func declared() throws {
        #expect(refusal(try file(Self.own, "create index recovery1 on recovery(technology)")) == nil)
        #expect(refusal(try file(Self.own, "ALTER TABLE recovery ADD COLUMN more VARCHAR(1)")) == nil)
        #expect(
            refusal(try file("CREATE TABLE r (\(Self.columns))", "ALTER TABLE r RENAME TO recovery")) == nil)
    }

    @Test(
        "what SQLite would compute when a row is written is not carried out",
        arguments: [
            ["CREATE TABLE recovery (\(columns), CHECK (length(hex(zeroblob(300000000))) > 0))"],
            ["CREATE TABLE recovery (\(columns), z text DEFAULT (hex(zeroblob(300000000))))"],
            ["CREATE TABLE recovery (\(columns), z text AS (hex(zeroblob(300000000))) STORED)"],
            ["CREATE TABLE recovery (\(columns), z text COLLATE nocase)"],
            ["CREATE TABLE recovery (\(columns), PRIMARY KEY (uuid))"],
            [
                "CREATE TABLE recovery (\(columns))",
                "CREATE INDEX x ON recovery (length(hex(zeroblob(300000000))))",
            ],
            [
                "CREATE TABLE recovery (\(columns))",
                "CREATE INDEX x ON recovery (uuid) WHERE length(uuid) > 1",
            ],
        ])
    func computed(_ statements: [String]) throws {
        let path = "\(directory.path)/computed.db"
        unlink(path)
        let queue = try DatabaseQueue(path: path)
        try queue.write { database in for statement in statements { try database.execute(sql: statement) } }
        try queue.close()
        #expect(refusal(path)?.contains("declared otherwise than FreeSWITCH") == true)
        #expect(CoreDatabase.problem(path: path)?.contains("declared otherwise than FreeSWITCH") == true)
    }

    @Test("a table that is changed while it is used is looked at again before anything is written")
    func changed() throws {
        let path = try file(Self.own)
        let table = try RecoveryTable(path: path)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { try? group.syncShutdownGracefully() }
        try table.rehearse(on: group.next()).wait()
        let other = try DatabaseQueue(path: path)
        try other.write { try $0.execute(sql: "CREATE INDEX x ON recovery (length(metadata))") }
        #expect(throws: RecoveryTable.Failure.self) { try table.rehearse(on: group.next()).wait() }
        try other.write { try $0.execute(sql: "DROP INDEX x") }
        try table.rehearse(on: group.next()).wait()
    }

    @Test("a table of another version says what it lacks")
    func version() throws {
        let path = try file("CREATE TABLE recovery (runtime_uuid, uuid)")
        #expect(refusal(path)?.contains("lacks technology, profile_name") == true)
    }
}
