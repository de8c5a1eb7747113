import Dispatch
import GRDB
import Logging

/// The switch's `core.db`: a real SQLite file with table `recovery`, written as FreeSWITCH writes it.
///
/// Journal and synchronous are off and batches are exclusive, as in switch_core_sqldb.c; another process may read and insert.
final class RecoveryStore: Sendable {
    private let database: DatabaseQueue
    /// In order, off the event loop: another process may hold the lock.
    private let queue = DispatchQueue(label: "core.db")
    private let log: Logger

    private static let columns = "runtime_uuid, technology, profile_name, hostname, uuid, metadata"

    /// Opens or makes `core.db` in an existing directory; rows of an earlier life stay in it.
    ///
    /// - Throws: `DatabaseError` when the file cannot be opened, or is no database.
    init(directory: String, log: Logger) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { connection in
            try connection.execute(sql: "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
        }
        self.log = log
        database = try DatabaseQueue(path: directory + "/core.db", configuration: configuration)
        try database.writeWithoutTransaction { connection in
            try connection.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS recovery (
                       runtime_uuid    VARCHAR(255),
                       technology      VARCHAR(255),
                       profile_name    VARCHAR(255),
                       hostname        VARCHAR(255),
                       uuid            VARCHAR(255),
                       metadata        text
                    );
                    CREATE INDEX IF NOT EXISTS recovery1 ON recovery(technology);
                    CREATE INDEX IF NOT EXISTS recovery2 ON recovery(profile_name);
                    CREATE INDEX IF NOT EXISTS recovery3 ON recovery(uuid);
                    CREATE INDEX IF NOT EXISTS recovery4 ON recovery(runtime_uuid);
                    """)
        }
    }

    /// Writes changes in one exclusive transaction; those given first are written first.
    func apply(_ changes: [RecoveryChange]) {
        queue.async { [self] in
            attempt("write") { connection in
                for change in changes { try Self.apply(change, to: connection) }
            }
        }
    }

    private static func apply(_ change: RecoveryChange, to connection: Database) throws {
        switch change {
        case .put(let row):
            try connection.execute(
                sql: "DELETE FROM recovery WHERE runtime_uuid = ? AND uuid = ?",
                arguments: [row.runtimeUUID, row.uuid])
            try connection.execute(
                sql: "INSERT INTO recovery (\(columns)) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    row.runtimeUUID, row.technology, row.profileName, row.hostname, row.uuid, row.metadata,
                ])
        case .rewrite(let row):
            try connection.execute(
                sql: "UPDATE recovery SET metadata = ? WHERE uuid = ? AND runtime_uuid = ?",
                arguments: [row.metadata, row.uuid, row.runtimeUUID])
        case .delete(let uuid):
            try connection.execute(sql: "DELETE FROM recovery WHERE uuid = ?", arguments: [uuid])
        }
    }

    /// Rows of other processes' calls, in table order; an unreadable table has none.
    func rows(
        profiles: [String]?, notOf runtime: String, _ done: @escaping @Sendable ([RecoveryRow]) -> Void
    ) {
        queue.async { [self] in
            var rows: [RecoveryRow] = []
            attempt("read") { connection in
                let (condition, arguments) = Self.condition(profiles: profiles, notOf: runtime)
                let found = try Row.fetchAll(
                    connection, sql: "SELECT \(Self.columns) FROM recovery WHERE \(condition)",
                    arguments: arguments)
                rows = found.map { row in
                    var recovered = RecoveryRow(
                        runtimeUUID: row[0] ?? "", technology: row[1] ?? "", profileName: row[2] ?? "",
                        hostname: row[3] ?? "", uuid: row[4] ?? "", metadata: row[5] ?? "")
                    recovered.isNull = row.hasNull(atIndex: 5)
                    return recovered
                }
            }
            done(rows)
        }
    }

    /// Deletes what `rows` would read; with no runtime the switch's own rows too.
    func delete(profiles: [String]?, notOf runtime: String?) {
        queue.async { [self] in
            attempt("delete") { connection in
                let (condition, arguments) = Self.condition(profiles: profiles, notOf: runtime)
                try connection.execute(
                    sql: "DELETE FROM recovery WHERE \(condition)", arguments: arguments)
            }
        }
    }

    /// Waits until everything asked so far is done, and closes the file.
    func close() {
        queue.sync { [self] in
            do { try database.close() } catch { log.warning("core.db does not close: \(error)") }
        }
    }

    private static func condition(
        profiles: [String]?, notOf runtime: String?
    ) -> (sql: String, arguments: StatementArguments) {
        var sql = "technology = 'sofia'"
        var arguments: StatementArguments = []
        if let runtime {
            sql += " AND runtime_uuid <> ?"
            arguments += [runtime]
        }
        if let profiles {
            let marks = profiles.map { _ in "?" }.joined(separator: ",")
            sql += " AND profile_name IN (\(marks))"
            arguments += StatementArguments(profiles)
        }
        return (sql, arguments)
    }

    private func attempt(_ what: String, _ body: (Database) throws -> Void) {
        do {
            try database.writeWithoutTransaction { connection in
                try connection.inTransaction(.exclusive) {
                    try body(connection)
                    return .commit
                }
            }
        } catch { log.error("core.db: cannot \(what): \(error)") }
    }
}
