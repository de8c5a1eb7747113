import Foundation
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
        try Self.file(in: directory.path, statements)
    }

    private static func file(in directory: String, _ statements: [String]) throws -> String {
        let path = "\(directory)/core.db"
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
    func declaredAnew() throws {
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

    @Test("a recovery is rehearsed and nothing of it stays") func rehearsal() throws {
        let path = try file("CREATE TABLE recovery (\(Self.columns))")
        #expect(CoreDatabase.problem(path: path) == nil)
        let rows = try DatabaseQueue(path: path).read {
            try Int.fetchOne($0, sql: "SELECT count(*) FROM recovery")
        }
        #expect(rows == 0)
    }

    @Test(
        "a disk that is full is found, as what a recovery writes has no room",
        .enabled(if: ScratchMount.isPossible))
    func full() throws {
        let path = directory.path
        let found = ScratchMount.with(.small, at: path) { () -> [String?] in
            guard let file = try? Self.file(in: path, ["CREATE TABLE recovery (\(Self.columns))"]) else {
                return []
            }
            let room = CoreDatabase.room(path: file)
            let filler = open(path + "/filler", O_WRONLY | O_CREAT, 0o600)
            let page = [UInt8](repeating: 0x55, count: 4096)
            while write(filler, page, page.count) > 0 {}
            close(filler)
            return [room, CoreDatabase.problem(path: file)]
        }
        #expect(
            found == [
                "less than 64 MiB are left on the disk of the switch's core database: make room in \(path)",
                "the switch's core database \(path)/core.db has no room left on its disk: make room in \(path)",
            ])
    }

    @Test("a file system that is read-only is found, and told as that", .enabled(if: ScratchMount.isPossible))
    func readOnly() throws {
        let path = try file("CREATE TABLE recovery (\(Self.columns))")
        #expect(
            ScratchMount.with(.readOnly, at: directory.path) { CoreDatabase.problem(path: path) }
                == "the switch's core database \(path) is on a read-only file system: mount it writable"
        )
        #expect(CoreDatabase.problem(path: path) == nil)
    }

    @Test("a file that may not be written, or whose journal may not be made, says what to do") func rights()
        throws
    {
        let path = try file("CREATE TABLE recovery (\(Self.columns))")
        // No journal can be made there, whoever asks.
        #expect(symlink("/nowhere/journal", path + "-journal") == 0)
        #expect(CoreDatabase.problem(path: path)?.contains("let it by an ACL on db_dir") == true)
    }

    @Test("a table that somebody does not let go of is told after three seconds") func locked() throws {
        let path = try file("CREATE TABLE recovery (\(Self.columns))")
        let other = try DatabaseQueue(path: path)
        try other.writeWithoutTransaction { database in
            try database.execute(sql: "BEGIN EXCLUSIVE")
            #expect(CoreDatabase.problem(path: path)?.contains("is locked: ") == true)
            try database.execute(sql: "ROLLBACK")
        }
        #expect(CoreDatabase.problem(path: path) == nil)
    }

    @Test("a file that was replaced or taken away while it was open is not what the switch uses")
    func replaced()
        throws
    {
        func found(_ table: RecoveryTable) -> String? {
            do throws(RecoveryTable.Failure) {
                try table.rehearse()
                return nil
            } catch {
                return error.description
            }
        }
        let path = try file("CREATE TABLE recovery (\(Self.columns))")
        let table = try RecoveryTable(path: path)
        #expect(found(table) == nil)
        #expect(rename(path, path + ".old") == 0)
        #expect(found(table)?.contains("is gone: restart") == true)
        _ = try file("CREATE TABLE recovery (\(Self.columns))")
        #expect(found(table)?.contains("was replaced: restart") == true)
        #expect(rename(path + ".old", path) == 0)
        #expect(found(table) == nil)
    }

    @Test("a table that was changed since it was opened is found") func changed() throws {
        let path = try file("CREATE TABLE recovery (\(Self.columns))")
        let table = try RecoveryTable(path: path)
        try DatabaseQueue(path: path).write {
            try $0.execute(sql: "ALTER TABLE recovery DROP COLUMN metadata")
        }
        #expect(throws: RecoveryTable.Failure.self) { try table.rehearse() }
    }

    @Test(
        "a switch whose settings name another database has its calls there",
        arguments: [
            ("", nil), ("core", nil), ("/db/core.db", nil), ("/other/core.db", "core-db-name"),
            ("calls", "core-db-name"),
        ])
    func elsewhere(_ name: String, _ told: String?) {
        let answer = { (parameter: String) in
            "<configuration name=\"switch.conf\"><settings><param name=\"\(parameter)\" value=\"\(name)\"/></settings></configuration>"
        }
        #expect(
            CoreDatabase.elsewhere("/db/core.db", answer: answer("core-db-name"))
                == told.map {
                    "\($0) in switch.conf.xml moves the switch's calls out of /db/core.db: fsdns needs them there"
                })
        #expect(CoreDatabase.elsewhere("/db/core.db", answer: "can't find anything\n") == nil)
        let secret =
            "<configuration name=\"switch.conf\"><settings>"
            + "<param name=\"core-db-dsn\" value=\"pgsql://password=x\"/></settings></configuration>"
        #expect(CoreDatabase.elsewhere("/db/core.db", answer: secret)?.contains("password") == false)
    }

    @Test("a table of another version says what it lacks")
    func version() throws {
        let path = try file("CREATE TABLE recovery (runtime_uuid, uuid)")
        #expect(refusal(path)?.contains("lacks technology, profile_name") == true)
    }
}

/// A directory as a thread of its own sees it, mounted in another way; the rest of the process sees nothing of it.
private enum ScratchMount {
    enum Kind {
        case readOnly
        /// A disk of its own with hardly any room.
        case small
    }

    static let isPossible = with(.readOnly, at: "/tmp") { true } == true

    /// - Returns: nil where this user may not mount.
    static func with<Value: Sendable>(_ kind: Kind, at path: String, _ work: @escaping @Sendable () -> Value)
        -> Value?
    {
        let result = Mailbox<Value?>()
        Thread.detachNewThread {
            result.put(isMounted(kind, path) ? work() : nil)
        }
        return result.next() ?? nil
    }

    /// The C library's headers hide these calls.
    private static func isMounted(_ kind: Kind, _ path: String) -> Bool {
        typealias Unshare = @convention(c) (CInt) -> CInt
        typealias Mount =
            @convention(c) (
                UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UInt, UnsafeRawPointer?
            ) -> CInt
        guard let unshare = dlsym(nil, "unshare"), let mount = dlsym(nil, "mount") else { return false }
        let (own, put) = (unsafeBitCast(unshare, to: Unshare.self), unsafeBitCast(mount, to: Mount.self))
        let (namespace, readOnly, again, bind, deep, mine) = (0x20000, 1, 32, 4096, 0x4000, 0x40000)
        guard own(CInt(namespace)) == 0, put(nil, "/", nil, UInt(deep | mine), nil) == 0 else { return false }
        switch kind {
        case .readOnly:
            return put(path, path, nil, UInt(bind), nil) == 0
                && put(nil, path, nil, UInt(bind | again | readOnly), nil) == 0
        case .small: return "size=256k".withCString { put("tmpfs", path, "tmpfs", 0, $0) } == 0
        }
    }
}
