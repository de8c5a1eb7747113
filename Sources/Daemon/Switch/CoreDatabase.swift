import GRDB
@preconcurrency import Glibc

/// The core database of this machine's FreeSWITCH, as a preflight sees it: nothing is changed.
package enum CoreDatabase {
    private static let needed = [
        "runtime_uuid", "technology", "profile_name", "hostname", "uuid", "metadata",
    ]
    private static let patience = 2.0

    /// What keeps this user from recovering calls through it, in a sentence; nil when nothing does.
    ///
    /// - Parameter path: of `core.db`, in the directory the switch calls `db_dir`.
    package static func problem(path: String) -> String? {
        guard access(path, F_OK) == 0 else {
            return "\(path) is not there, or not to be seen by this user"
        }
        guard access(path, R_OK | W_OK) == 0 else {
            return "\(path) may not be read and written by this user"
        }
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(patience)
        do {
            let database = try DatabaseQueue(path: path, configuration: configuration)
            let columns = try database.read { database in
                try String.fetchAll(database, sql: "SELECT name FROM pragma_table_info('recovery')")
            }
            if columns.isEmpty {
                return "\(path) has no table `recovery`: it is of another program or version"
            }
            let missing = needed.filter { !columns.contains($0) }
            if missing.isEmpty { return nil }
            return
                "the table `recovery` of \(path) lacks \(missing.joined(separator: ", ")): it is of another version"
        } catch {
            return "\(path) cannot be read: \(error)"
        }
    }
}
