import GRDB
@preconcurrency import Glibc
import NIOCore
import Switch
import Synchronization

/// The `recovery` table of the local switch's core database, read and written beside the running switch.
///
/// FreeSWITCH keeps it in SQLite and locks it only for moments, so a busy timeout is enough (switch_core_sqldb.c;
/// its columns are those of `create_recovery_sql`). Everything happens on a thread of its own.
final class RecoveryTable: Sendable {
    /// Why the table cannot be used, in a sentence that says what to do.
    struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        var description: String
    }

    /// What FreeSWITCH calls SIP in its table.
    private static let technology = "sofia"
    private static let patience = Duration.seconds(3)
    /// With callers waiting it is said soon, and tried again (`RecoveryRun`).
    private static let patienceWithCalls = Duration.seconds(1)
    /// More legs than any switch carries.
    private static let rowLimit = 100_000
    /// Of the metadata: where the flags are.
    private static let headLength = 2000
    let path: String
    /// The file that is open.
    let identity: Identity
    private let queue = WorkQueue("recovery-table")
    private let database: DatabaseQueue
    /// Of the schema that was looked at last: the switch, or whoever has it, may change it at any time.
    private let schema = Mutex<Int?>(nil)

    /// Tells one file at a path from the next.
    struct Identity: Hashable, Sendable {
        private var device: dev_t
        private var number: ino_t

        /// Nil when there is no file to be seen.
        init?(path: String) {
            var facts = stat()
            guard stat(path, &facts) == 0 else { return nil }
            device = facts.st_dev
            number = facts.st_ino
        }
    }

    /// - Parameter path: of `core.db`, in the directory the switch calls `db_dir`.
    /// - Throws: `Failure` when there is no such file, when it is no database, or when it is one of another version.
    init(path: String) throws(Failure) {
        self.path = path
        do {
            var configuration = Configuration()
            configuration.label = "fsdns.core-db"
            configuration.busyMode = .timeout(Self.patience / .seconds(1))
            // The switch would not survive a loss of power with its calls either.
            configuration.prepareDatabase { database in
                try database.execute(sql: "PRAGMA synchronous = OFF")
                try CoreDatabase.distrust(database)
            }
            guard let identity = Identity(path: path) else {
                throw Failure(
                    description:
                        "the switch's core database \(path) is not there; core-db-dsn or core-db-name in "
                        + "switch.conf.xml moved it: fsdns needs the SQLite file in db_dir")
            }
            self.identity = identity
            database = try DatabaseQueue(path: path, configuration: configuration)
            if let problem = try database.read({ try CoreDatabase.problem(in: $0, path) }) {
                throw Failure(description: problem)
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Self.explain(error, path)
        }
    }

    private static func explain(_ error: any Error, _ path: String) -> Failure {
        guard let failure = error as? DatabaseError else {
            return Failure(description: "the switch's core database \(path): \(error)")
        }
        // Removed, or another file is at its path: what is written into the one that is open nobody would find.
        if failure.extendedResultCode == .SQLITE_READONLY_DBMOVED { return replaced(path) }
        let what =
            switch failure.resultCode {
            case _ where isReadOnly(path): "is on a read-only file system: mount it writable"
            case .SQLITE_BUSY, .SQLITE_LOCKED:
                "is locked: the switch or another program does not let go of it (fuser \(path))"
            case .SQLITE_CORRUPT, .SQLITE_NOTADB:
                "is corrupt (\(failure.message ?? "no database")); stop the switch, move the file away, start it again"
            case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_AUTH:
                "may not be opened by this user; let it by an ACL on db_dir, see docs/freeswitch.md"
            case .SQLITE_FULL:
                "has no room left on its disk: make room in \(CoreDatabase.directory(of: path))"
            default: failure.message ?? failure.resultCode.description
            }
        return Failure(description: "the switch's core database \(path) \(what)")
    }

    private static func isReadOnly(_ path: String) -> Bool {
        var facts = statvfs()
        return statvfs(path, &facts) == 0 && facts.f_flag & UInt(ST_RDONLY) != 0
    }

    // MARK: - Rehearsal

    /// Does what a recovery would do, and takes it back: nothing of it stays. Not to be called on an event loop.
    func rehearse() throws(Failure) {
        do {
            // It may have become another one since it was opened.
            guard let now = Identity(path: path) else {
                throw Failure(
                    description:
                        "the switch's core database \(path) is gone: \(Self.anew)"
                )
            }
            guard now == identity else { throw Self.replaced(path) }
            try perform(.immediate, keepsChanges: false) { database in
                try database.execute(
                    sql: """
                        INSERT INTO recovery (runtime_uuid, technology, profile_name, hostname, uuid, metadata)
                        VALUES (?, ?, ?, ?, ?, ?)
                        """, arguments: ["fsdns", "fsdns", "fsdns", "fsdns", "fsdns", ""])
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Self.explain(error, path)
        }
    }

    private static let anew = "restart FreeSWITCH, which has the former file open"

    static func replaced(_ path: String) -> Failure {
        Failure(
            description:
                "the switch's core database \(path) was replaced: \(anew)")
    }

    func rehearse(on loop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = loop.makePromise(of: Void.self)
        queue.async {
            do throws(Failure) {
                try self.rehearse()
                promise.succeed()
            } catch {
                promise.fail(error)
            }
        }
        return promise.futureResult
    }

    // MARK: - On its own thread

    /// The rows of legs this process runs; of their metadata only the beginning, which has the flags.
    ///
    /// Cast to text in every query: SQLite keeps what another program wrote, of whatever kind, and a row of this library ends the
    /// process when it is asked for a text and has none.
    func rows(runtime: String, on loop: any EventLoop) -> EventLoopFuture<[RecoveryRow]> {
        run(.deferred, on: loop) { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT CAST(profile_name AS TEXT), CAST(hostname AS TEXT), CAST(uuid AS TEXT),
                        CAST(substr(metadata, 1, ?) AS TEXT) FROM recovery
                    WHERE technology = ? AND runtime_uuid = ? LIMIT ?
                    """, arguments: [Self.headLength, Self.technology, runtime, Self.rowLimit])
            return rows.map { row in
                RecoveryRow(
                    runtimeUUID: runtime, profileName: row[0] ?? "", hostname: row[1] ?? "",
                    uuid: row[2] ?? "", metadata: row[3] ?? "")
            }
        }
    }

    /// The whole rows of these legs, which this process runs.
    func rows(
        of uuids: [String], runtime: String, on loop: any EventLoop
    ) -> EventLoopFuture<[RecoveryRow]> {
        run(.deferred, on: loop) { database in
            let statement = try database.makeStatement(
                sql: """
                    SELECT CAST(profile_name AS TEXT), CAST(hostname AS TEXT), CAST(metadata AS TEXT) FROM recovery
                    WHERE technology = ? AND runtime_uuid = ? AND uuid = ? AND length(metadata) <= ?
                    """)
            return try uuids.compactMap { uuid in
                let row = try Row.fetchOne(
                    statement,
                    arguments: [Self.technology, runtime, uuid, RecoveryMetadata.byteLimit])
                return row.map {
                    RecoveryRow(
                        runtimeUUID: runtime, profileName: $0[0] ?? "", hostname: $0[1] ?? "", uuid: uuid,
                        metadata: $0[2] ?? "")
                }
            }
        }
    }

    /// In one transaction: rows of that profile that other processes left go, these come.
    func stage(
        _ rows: [RecoveryRow], profile: String, runtime: String, on loop: any EventLoop
    ) -> EventLoopFuture<Void> {
        run(.immediate, waiting: Self.patienceWithCalls, on: loop) { database in
            try database.execute(
                sql: "DELETE FROM recovery WHERE technology = ? AND profile_name = ? AND runtime_uuid <> ?",
                arguments: [Self.technology, profile, runtime])
            let insert = try database.makeStatement(
                sql: """
                    INSERT INTO recovery (runtime_uuid, technology, profile_name, hostname, uuid, metadata)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """)
            for row in rows {
                try insert.execute(arguments: [
                    row.runtimeUUID, row.technology, row.profileName, row.hostname, row.uuid, row.metadata,
                ])
            }
        }
    }

    /// What processes before this one left: an unlucky `sofia recover` would call people who talk elsewhere.
    ///
    /// - Returns: how many rows went.
    func deleteStale(runtime: String, on loop: any EventLoop) -> EventLoopFuture<Int> {
        run(.immediate, on: loop) { database in
            try database.execute(
                sql: "DELETE FROM recovery WHERE technology = ? AND runtime_uuid <> ?",
                arguments: [Self.technology, runtime])
            return database.changesCount
        }
    }

    private func run<Value: Sendable>(
        _ kind: Database.TransactionKind, waiting patience: Duration = patience, on loop: any EventLoop,
        _ work: @escaping @Sendable (Database) throws -> Value
    ) -> EventLoopFuture<Value> {
        let promise = loop.makePromise(of: Value.self)
        queue.async {
            do {
                promise.succeed(try self.perform(kind, waiting: patience, work))
            } catch let failure as Failure {
                promise.fail(failure)
            } catch {
                promise.fail(Self.explain(error, self.path))
            }
        }
        return promise.futureResult
    }

    /// - Parameter kind: immediate for whoever writes: a reader that turns writer could meet the switch halfway.
    private func perform<Value>(
        _ kind: Database.TransactionKind, waiting patience: Duration = patience, keepsChanges: Bool = true,
        _ work: (Database) throws -> Value
    ) throws -> Value {
        var value: Value?
        try database.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA busy_timeout = \(patience.nanoseconds / 1_000_000)")
            try database.inTransaction(kind) {
                try check(database)
                value = try work(database)
                return keepsChanges ? .commit : .rollback
            }
        }
        guard let value else { preconditionFailure("a finished transaction has a result") }
        return value
    }

    /// Before anything is written: what the schema says would be carried out by whoever writes.
    private func check(_ database: Database) throws {
        let version = try Int.fetchOne(database, sql: "PRAGMA schema_version")
        if let version, schema.withLock({ $0 == version }) { return }
        if let problem = try CoreDatabase.problem(in: database, path) { throw Failure(description: problem) }
        schema.withLock { $0 = version }
    }
}
