import GRDB
import GRDBSQLite
@preconcurrency import Glibc
import Primitives
import Switch

/// The core database of this machine's FreeSWITCH, as a preflight sees it: nothing of what it tries stays.
package enum CoreDatabase {
    private static let needed = [
        "runtime_uuid", "technology", "profile_name", "hostname", "uuid", "metadata",
    ]
    /// The longest value that is read or written: a row with metadata that are read, and some room.
    private static let valueLimit: Int32 = 4 << 20

    package static func path(in directory: String) -> String { directory + "/core.db" }

    /// What keeps this user from recovering calls through it, found out as a node finds it out; nil when nothing does.
    ///
    /// - Parameter path: of `core.db`, in the directory the switch calls `db_dir`.
    package static func problem(path: String) -> String? {
        do throws(RecoveryTable.Failure) {
            try RecoveryTable(path: path).rehearse()
            return nil
        } catch {
            return error.description
        }
    }

    /// That there is little room for the rows of a recovery, in a sentence; nil when there is enough.
    package static func room(path: String) -> String? {
        let directory = directory(of: path)
        return DiskRoom(of: directory).trouble.map {
            "\($0) of the switch's core database: make room in \(directory)"
        }
    }

    static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    /// That the switch has its calls in another database than this file, which may still be there from before.
    ///
    /// - Parameter answer: to `SwitchParameters.command("switch.conf")`.
    package static func elsewhere(_ path: String, answer: String) -> String? {
        guard let parameters = SwitchParameters.read(answer) else { return nil }
        // switch_core_sqldb.c: _switch_core_db_handle; switch_core_db.c: db_pick_path.
        let same = ["", "core", path]
        for name in ["core-db-dsn", "core-db-name"] {
            guard let value = parameters[name], !same.contains(value) else { continue }
            // Such a name may hold a password.
            return
                "\(name) in switch.conf.xml moves the switch's calls out of \(path): fsdns needs them there"
        }
        return nil
    }

    /// The file is the switch's: nothing that its schema says is carried out as this user beyond plain tables.
    static func distrust(_ database: Database) throws {
        try database.execute(sql: "PRAGMA trusted_schema = OFF")
        try database.execute(sql: "PRAGMA cell_size_check = ON")
        if let connection = database.sqliteConnection {
            sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, valueLimit)
        }
    }

    /// What keeps calls from being recovered through the table, in a sentence; nil when nothing does.
    static func problem(in database: Database, _ path: String) throws -> String? {
        let columns = try String.fetchAll(database, sql: "SELECT name FROM pragma_table_info('recovery')")
        if columns.isEmpty { return "\(path) has no table `recovery`: it is of another program or version" }
        let missing = needed.filter { !columns.contains($0) }
        guard missing.isEmpty else {
            return
                "the table `recovery` of \(path) lacks \(missing.joined(separator: ", ")): it is of another version"
        }
        // Neither a view nor a virtual table, which have no root page, and nothing hangs on it.
        let tables = try Int.fetchOne(
            database,
            sql: """
                SELECT count(*) FROM sqlite_master
                WHERE type = 'table' AND rootpage > 0 AND name = 'recovery' COLLATE NOCASE
                """)
        guard tables == 1 else { return "`recovery` of \(path) is no table: FreeSWITCH made none such" }
        let trigger = try String.fetchOne(
            database,
            sql:
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'recovery' COLLATE NOCASE"
        )
        if let trigger {
            return "the table `recovery` of \(path) has the trigger \(VisibleText.of(trigger, longest: 64)): "
                + "FreeSWITCH made none, so it is not written to"
        }
        return try odd(in: database, path)
    }

    /// What is declared for the table that FreeSWITCH did not declare.
    private static func odd(in database: Database, _ path: String) throws -> String? {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT type, CAST(name AS TEXT), CAST(substr(sql, 1, 8192) AS TEXT) FROM sqlite_master
                WHERE tbl_name = 'recovery' COLLATE NOCASE AND type IN ('table', 'index')
                """)
        for row in rows {
            let isTable = (row[0] as String?) == "table"
            let sql: String = row[2] ?? ""
            if isTable ? PlainDeclaration.isTable(sql) : PlainDeclaration.isIndex(sql) { continue }
            let name = VisibleText.of(row[1] ?? "", longest: 64)
            return isTable
                ? "the table `recovery` of \(path) is declared otherwise than FreeSWITCH declares it, so it is not written to"
                : "the table `recovery` of \(path) has the index \(name), declared otherwise than FreeSWITCH's, "
                    + "so it is not written to"
        }
        return nil
    }
}
