import Dispatch
import GRDB
import Logging

/// The profiles' `sofia_reg_NAME.db`: registrations outlive the process, as with the real switch.
final class RegistrationStore: Sendable {
    private let databases: [String: DatabaseQueue]
    private let queue = DispatchQueue(label: "sofia_reg")
    private let log: Logger

    private static let columns = [
        "call_id", "sip_user", "sip_host", "contact", "status", "rpid", "expires", "nominal", "user_agent",
        "network_ip", "network_port", "sip_username", "sip_realm", "mwi_account",
    ]

    /// - Throws: `DatabaseError` when a file cannot be opened, or is no database.
    init(directory: String, profiles: [String], log: Logger) throws {
        self.log = log
        var opened: [String: DatabaseQueue] = [:]
        for profile in profiles {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { connection in
                try connection.execute(sql: "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
            }
            let database = try DatabaseQueue(
                path: directory + "/sofia_reg_\(profile).db", configuration: configuration)
            let columns = Self.columns.map { "\($0) VARCHAR(255)" }.joined(separator: ", ")
            try database.writeWithoutTransaction { connection in
                try connection.execute(
                    sql: "CREATE TABLE IF NOT EXISTS sip_registrations (id INTEGER PRIMARY KEY, \(columns))")
            }
            opened[profile] = database
        }
        databases = opened
    }

    /// Oldest first.
    func load(_ profile: String) -> [(id: UInt64, row: SwitchRegistration)] {
        do {
            let names = Self.columns.joined(separator: ", ")
            let rows = try databases[profile]?.read { connection in
                try Row.fetchAll(connection, sql: "SELECT id, \(names) FROM sip_registrations ORDER BY id")
            }
            return (rows ?? []).map { row in
                func text(_ name: String) -> String { row[name] ?? "" }
                return (
                    UInt64(row["id"] as Int64? ?? 1),
                    SwitchRegistration(
                        user: text("sip_user"), host: text("sip_host"), contact: text("contact"),
                        callID: text("call_id"), status: text("status"), rpid: text("rpid"),
                        expires: Int64(text("expires")) ?? 0, nominal: Int64(text("nominal")) ?? 0,
                        networkIP: text("network_ip"), networkPort: text("network_port"),
                        username: text("sip_username"), realm: text("sip_realm"),
                        userAgent: text("user_agent"),
                        mwiAccount: text("mwi_account"), isLocal: false)
                )
            }
        } catch {
            log.error("sofia_reg_\(profile).db: cannot read: \(error)")
            return []
        }
    }

    func apply(_ changes: [RegistrationChange], on profile: String) {
        guard let database = databases[profile] else { return }
        queue.async { [log] in
            do {
                try database.writeWithoutTransaction { connection in
                    try connection.inTransaction(.exclusive) {
                        for change in changes { try Self.apply(change, to: connection) }
                        return .commit
                    }
                }
            } catch { log.error("sofia_reg_\(profile).db: cannot write: \(error)") }
        }
    }

    private static func apply(_ change: RegistrationChange, to connection: Database) throws {
        switch change {
        case .remove(let id):
            try connection.execute(
                sql: "DELETE FROM sip_registrations WHERE id = ?", arguments: [Int64(clamping: id)])
        case .put(let id, let row):
            let marks = columns.map { _ in "?" }.joined(separator: ", ")
            try connection.execute(
                sql: "INSERT OR REPLACE INTO sip_registrations (id, \(columns.joined(separator: ", "))) "
                    + "VALUES (?, \(marks))",
                arguments: [
                    Int64(clamping: id), row.callID, row.user, row.host, row.contact, row.status, row.rpid,
                    "\(row.expires)", "\(row.nominal)", row.userAgent, row.networkIP, row.networkPort,
                    row.username, row.realm, row.mwiAccount,
                ])
        }
    }

    /// Waits until everything asked so far is done, and closes the files.
    func close() {
        queue.sync {
            for (name, database) in databases.sorted(by: { $0.key < $1.key }) {
                do { try database.close() } catch {
                    log.warning("sofia_reg_\(name).db does not close: \(error)")
                }
            }
        }
    }
}
