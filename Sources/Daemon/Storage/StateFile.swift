import Cluster
import Consensus
import FoundationEssentials
import GRDB
@preconcurrency import Glibc
import PeerProtocol

/// The SQLite file behind `Storage`: who this node is, its vote, its log and its snapshot.
final class StateFile: Sendable {
    /// What a start finds.
    struct Contents: Sendable {
        /// Drawn when the file was made.
        var birth: UInt64
        /// The newest one recorded; zero in a new file.
        var incarnation: UInt64
        var restored: Raft<StampedCommand, ControlState>.Restored
        /// Where it was used last; unknown in a new file, and in one that an earlier release wrote last.
        var machine: MachineID
    }

    /// Of the tables; a file of a newer format is refused.
    private static let format = 1
    /// "fsdn": tells our files from any other SQLite file.
    private static let applicationID = 0x6673_646E
    /// Bytes of `reserveRoom`: far more than what is agreed in a usual cluster, and its log.
    private static let room = 4 << 20
    private let path: String
    let database: DatabaseQueue

    /// Opens the file or makes a new one.
    ///
    /// - Throws: `ServiceFailure` for a file that is corrupt, newer, of another node, or cannot be written;
    ///   nothing in it was changed then.
    init(path: String, node: String, birth: () -> UInt64) throws(ServiceFailure) {
        self.path = path
        do {
            var configuration = Configuration()
            configuration.label = "fsdns.state"
            configuration.prepareDatabase { database in
                // FULL in WAL mode: a committed transaction has been written through to the disk.
                try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            }
            Self.keepPrivate(path)
            database = try DatabaseQueue(path: path, configuration: configuration)
            try database.write {
                try Self.prepare($0, node: node, birth: birth)
                // Earlier releases pass it over.
                try $0.execute(
                    sql: "CREATE TABLE IF NOT EXISTS machine (host INTEGER NOT NULL, boot INTEGER NOT NULL)")
                try $0.execute(sql: "CREATE TABLE IF NOT EXISTS card (hardware INTEGER PRIMARY KEY)")
            }
        } catch let failure as ServiceFailure {
            throw failure
        } catch {
            throw ServiceFailure(Self.explain(error, path: path))
        }
    }

    /// SQLite would make it readable for everybody, and makes its other files with the mode of this one. What cannot be
    /// opened here it cannot open either, and says why.
    private static func keepPrivate(_ path: String) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        _ = fchmod(descriptor, 0o600)
        Glibc.close(descriptor)
    }

    func close() throws { try database.close() }

    /// Takes the room that later writes need while there is some: free pages of the file, and as much of the write-ahead log.
    /// SQLite uses both again and never gives them back, so a disk that fills up later stops no decision.
    ///
    /// - Returns: why there is none.
    func reserveRoom() -> String? {
        do {
            try database.writeWithoutTransaction { database in
                let page = try Int.fetchOne(database, sql: "PRAGMA page_size") ?? 4096
                let free = (try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0)
                    .multipliedReportingOverflow(by: page)
                if !free.overflow, free.partialValue >= Self.room, Self.size(of: path + "-wal") >= Self.room {
                    return
                }
                try database.execute(sql: "CREATE TABLE IF NOT EXISTS room (bytes BLOB NOT NULL)")
                try database.execute(sql: "INSERT INTO room VALUES (zeroblob(?))", arguments: [Self.room])
                try database.execute(sql: "DELETE FROM room")
                // The next writes begin at the log's start again.
                try database.execute(sql: "PRAGMA wal_checkpoint(RESTART)")
            }
            return nil
        } catch {
            return explain(error)
        }
    }

    private static func size(of path: String) -> Int {
        var facts = stat()
        return stat(path, &facts) == 0 ? Int(facts.st_size) : 0
    }

    /// Why a write that left everything as it was may be tried again; nil when it may not.
    static func obstacle(_ error: any Error) -> String? {
        switch (error as? DatabaseError)?.extendedResultCode {
        case .SQLITE_FULL: "the disk is full"
        // What a quota refuses is no SQLITE_FULL (os_unix.c, unixWrite).
        case .SQLITE_IOERR_WRITE: "the disk takes no write (a quota?)"
        default: nil
        }
    }

    func explain(_ error: any Error) -> String { Self.explain(error, path: path) }

    private static func explain(_ error: any Error, path: String) -> String {
        if let failure = error as? ServiceFailure { return failure.description }
        if let failure = error as? FrameFailure { return explain(failure, path: path) }
        if error is RowDecodingError { return corrupt(path, "a column is not what was written") }
        guard let failure = error as? DatabaseError else { return "state file \(path): \(error)" }
        switch failure.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return corrupt(path, failure.message ?? "not a database")
        case .SQLITE_FULL: return "the disk of the state file \(path) is full; make room and start again"
        default: return "state file \(path): \(failure.message ?? failure.resultCode.description)"
        }
    }

    private static func explain(_ failure: FrameFailure, path: String) -> String {
        let isNewer =
            switch failure {
            case .stateFormat: true
            case .version(let version): version > StorageCodec.version
            default: false
            }
        guard isNewer else { return corrupt(path, failure.description) }
        return "the state file \(path) was written by a newer fsdns (\(failure)); nothing in it was changed. "
            + "Start the newer fsdns, or move the file away to join as a new member"
    }

    private static func corrupt(_ path: String, _ reason: String) -> String {
        "the state file \(path) is corrupt (\(reason)); nothing in it was changed. Move it away and start again: "
            + "the node then joins as a new member"
    }

    private static func prepare(_ database: Database, node: String, birth: () -> UInt64) throws {
        let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let format = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        if tables == 0 {
            try create(database, node: node, birth: birth())
            return
        }
        guard application == applicationID else {
            throw ServiceFailure("the state file belongs to another program; choose another --state-dir")
        }
        guard format <= Self.format else {
            throw ServiceFailure(
                "the state file has format \(format), and this fsdns knows \(Self.format); "
                    + "start the newer fsdns, or move the file away to join as a new member")
        }
        let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(1)") ?? "no answer"
        guard verdict == "ok" else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: verdict) }
        let owner = try String.fetchOne(database, sql: "SELECT node FROM identity")
        guard owner == node else {
            throw ServiceFailure(
                "the state file belongs to node \(owner ?? "?"), not to \(node); "
                    + "give each node its own --state-dir")
        }
    }

    private static func create(_ database: Database, node: String, birth: UInt64) throws {
        try database.execute(
            sql: """
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(format);
                CREATE TABLE identity (node TEXT NOT NULL, birth INTEGER NOT NULL, incarnation INTEGER NOT NULL);
                CREATE TABLE vote (term INTEGER NOT NULL, name TEXT, birth INTEGER);
                CREATE TABLE log (place INTEGER PRIMARY KEY, entry BLOB NOT NULL);
                CREATE TABLE snapshot (bytes BLOB NOT NULL);
                """)
        try database.execute(
            sql: "INSERT INTO identity VALUES (?, ?, 0)",
            arguments: [node, Int64(bitPattern: birth)])
        try database.execute(sql: "INSERT INTO vote VALUES (0, NULL, NULL)")
    }
}

// MARK: - Reading

extension StateFile {
    /// - Throws: `ServiceFailure` when anything in it cannot be what was written.
    func contents() throws(ServiceFailure) -> Contents {
        do {
            let contents = try database.read { database in
                guard
                    let identity = try Row.fetchOne(database, sql: "SELECT birth, incarnation FROM identity"),
                    let vote = try Row.fetchOne(database, sql: "SELECT term, name, birth FROM vote")
                else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a row is missing") }
                return Contents(
                    birth: UInt64(bitPattern: try identity.decode(Int64.self, forColumn: "birth")),
                    incarnation: UInt64(
                        bitPattern: try identity.decode(Int64.self, forColumn: "incarnation")),
                    restored: .init(
                        hardState: try Self.hardState(vote), snapshot: try Self.snapshot(database),
                        entries: try Self.entries(database)),
                    machine: try Self.machine(database))
            }
            if let fault = contents.restored.fault {
                throw ServiceFailure(Self.corrupt(path, fault))
            }
            return contents
        } catch let failure as ServiceFailure {
            throw failure
        } catch {
            throw ServiceFailure(explain(error))
        }
    }

    /// Unknown in a file that an earlier release wrote last.
    static func machine(_ database: Database) throws -> MachineID {
        guard try database.tableExists("machine"),
            let row = try Row.fetchOne(database, sql: "SELECT host, boot FROM machine")
        else { return .unknown }
        return MachineID(
            host: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "host")),
            boot: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "boot")))
    }

    static func cards(_ database: Database) throws -> Set<UInt64> {
        guard try database.tableExists("card") else { return [] }
        return Set(
            try Int64.fetchAll(database, sql: "SELECT hardware FROM card").map(UInt64.init(bitPattern:)))
    }

    /// A row's subscript would end the process where a column is not what was written; `decode` throws.
    private static func hardState(_ row: Row) throws -> HardState {
        let name = try row.decode(String?.self, forColumn: "name")
        let birth = try row.decode(Int64?.self, forColumn: "birth")
        var vote: MemberID?
        if let name, let birth { vote = MemberID(name: name, birth: UInt64(bitPattern: birth)) }
        return HardState(term: UInt64(bitPattern: try row.decode(Int64.self, forColumn: "term")), vote: vote)
    }

    private static func snapshot(_ database: Database) throws -> ControlSnapshot? {
        guard let bytes = try Data.fetchOne(database, sql: "SELECT bytes FROM snapshot") else {
            return nil
        }
        return try StorageCodec.decodeSnapshot(Array(bytes))
    }

    private static func entries(_ database: Database) throws -> [ControlEntry] {
        try Data.fetchAll(database, sql: "SELECT entry FROM log ORDER BY place")
            .map { try StorageCodec.decodeEntry(Array($0)) }
    }
}

// MARK: - Writing

extension StateFile {
    /// Remembers a start and where it was; durable on return.
    ///
    /// - Parameter cards: added to those known; one that is not there at this start may be at the next.
    func recordStart(_ incarnation: UInt64, on machine: MachineID, cards: Set<UInt64> = []) throws {
        try database.write { database in
            try database.execute(
                sql: "UPDATE identity SET incarnation = ?", arguments: [Int64(bitPattern: incarnation)])
            try database.execute(sql: "DELETE FROM machine")
            try database.execute(
                sql: "INSERT INTO machine VALUES (?, ?)",
                arguments: [Int64(bitPattern: machine.host), Int64(bitPattern: machine.boot)])
            for card in cards {
                try database.execute(
                    sql: "INSERT OR IGNORE INTO card VALUES (?)", arguments: [Int64(bitPattern: card)])
            }
        }
    }

    /// All of it in one transaction, durable on return; after an error nothing of it was written.
    func write(_ jobs: [Storage.Job]) throws {
        try database.write { database in
            for job in jobs {
                switch job {
                case .store(let request): try Self.apply(request, to: database)
                case .recordIncarnation(let incarnation):
                    try database.execute(
                        sql: "UPDATE identity SET incarnation = ?",
                        arguments: [Int64(bitPattern: incarnation)])
                }
            }
        }
    }

    /// In the order `StoreRequest` gives.
    private static func apply(
        _ request: StoreRequest<StampedCommand, ControlState>, to database: Database
    ) throws {
        if let snapshot = request.snapshot {
            try database.execute(sql: "DELETE FROM snapshot")
            try database.execute(
                sql: "INSERT INTO snapshot VALUES (?)", arguments: [Data(StorageCodec.encode(snapshot))])
        }
        if let first = request.truncateFrom {
            try database.execute(
                sql: "DELETE FROM log WHERE place >= ?", arguments: [Int64(bitPattern: first)])
        }
        if let first = request.firstIndexKept {
            try database.execute(
                sql: "DELETE FROM log WHERE place < ?", arguments: [Int64(bitPattern: first)])
        }
        for entry in request.entries {
            try database.execute(
                sql: "INSERT INTO log VALUES (?, ?)",
                arguments: [Int64(bitPattern: entry.index), Data(StorageCodec.encode(entry))])
        }
        if let hardState = request.hardState {
            try database.execute(
                sql: "UPDATE vote SET term = ?, name = ?, birth = ?",
                arguments: [
                    Int64(bitPattern: hardState.term), hardState.vote?.name,
                    hardState.vote.map { Int64(bitPattern: $0.birth) },
                ])
        }
    }
}
