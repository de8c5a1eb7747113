import GRDB
import Glibc
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

    @Test("a table of another version says what it lacks")
    func version() throws {
        let path = try file("CREATE TABLE recovery (runtime_uuid, uuid)")
        #expect(refusal(path)?.contains("lacks technology, profile_name") == true)
    }
}
