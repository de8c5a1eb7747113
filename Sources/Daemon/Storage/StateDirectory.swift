@preconcurrency import Glibc

/// The directory with everything a node must not forget, held by one service at a time.
final class StateDirectory: Sendable {
    let path: String
    private let lock: Int32

    /// Makes the directory if only its last part is missing, and locks it.
    ///
    /// - Throws: `ServiceFailure` with what to do, also when another service holds it.
    init(path: String) throws(ServiceFailure) {
        self.path = path
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw ServiceFailure("cannot make the state directory \(path): \(errorText(errno))")
        }
        try Self.refuseForeign(path)
        let file = "\(path)/lock"
        lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw ServiceFailure("cannot open \(file): \(errorText(errno))") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(lock)
            if code == EWOULDBLOCK {
                throw ServiceFailure(
                    "the state directory \(path) is in use by another node service; "
                        + "give each its own --state-dir")
            }
            throw ServiceFailure("cannot lock \(file): \(errorText(code))")
        }
    }

    deinit { close(lock) }

    /// Who may write here may forge what this node remembers, and has the agreed state, the audit trail among it.
    private static func refuseForeign(_ path: String) throws(ServiceFailure) {
        var facts = stat()
        guard stat(path, &facts) == 0 else {
            throw ServiceFailure("cannot look at the state directory \(path): \(errorText(errno))")
        }
        guard facts.st_mode & S_IFMT == S_IFDIR else {
            throw ServiceFailure("the state directory \(path) is no directory")
        }
        guard facts.st_uid == geteuid() else {
            throw ServiceFailure(
                "the state directory \(path) belongs to uid \(facts.st_uid), and this service is uid \(geteuid()); "
                    + "mend it with: chown -R \(geteuid()) \(path)")
        }
        guard facts.st_mode & 0o022 == 0 else {
            let mode = String(facts.st_mode & 0o777, radix: 8)
            throw ServiceFailure(
                "the state directory \(path) may be written by others (mode \(mode)); "
                    + "mend it with: chmod go-w \(path)")
        }
    }

    var stateFile: String { "\(path)/state.sqlite" }
    /// What became of the calls each time an address came here.
    var historyFile: String { "\(path)/recoveries.jsonl" }
    /// Who told the cluster what.
    var auditFile: String { "\(path)/audit.jsonl" }

    // MARK: - Beginning anew

    /// Kept of what was set aside; older ones are removed.
    private static let keptAside = 3
    private static let longestReason = 400
    /// Why the state here is a new one.
    private var reasonFile: String { "\(path)/anew.txt" }

    /// Why this directory began anew; nil when it did not.
    var anew: String? {
        guard let bytes = FileText.read(reasonFile, limit: Self.longestReason), !bytes.isEmpty else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Moves the state into a directory beside it, so that the next start makes a new one. The reason is written first: a
    /// start that was interrupted here repeats it.
    ///
    /// - Returns: where it is now.
    func setAside(because reason: String) throws(ServiceFailure) -> String {
        let reason = Array(reason.utf8.prefix(Self.longestReason))
        if let failure = FileText.replace(reasonFile, with: reason) {
            throw ServiceFailure("cannot write \(reasonFile): \(failure)")
        }
        let place = try placeAside()
        for file in [stateFile + "-wal", stateFile + "-shm", auditFile, stateFile] {
            let name = file.split(separator: "/").last ?? ""
            guard rename(file, "\(place)/\(name)") != 0, errno != ENOENT else { continue }
            throw ServiceFailure("cannot move \(file) to \(place): \(errorText(errno))")
        }
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
        return place
    }

    /// `aside-1`, `aside-2`, …: the next number; makes room for it.
    private func placeAside() throws(ServiceFailure) -> String {
        let numbers = FileText.entries(of: path).compactMap { name in
            name.hasPrefix("aside-") ? Int(name.dropFirst(6)) : nil
        }.filter { $0 > 0 && $0 < 1_000_000 }.sorted()
        for number in numbers.dropLast(Self.keptAside - 1) { Self.remove("\(path)/aside-\(number)") }
        let place = "\(path)/aside-\((numbers.last ?? 0) + 1)"
        guard mkdir(place, 0o700) == 0 else {
            throw ServiceFailure("cannot make \(place): \(errorText(errno))")
        }
        return place
    }

    /// A directory of files, with nothing deeper in it.
    private static func remove(_ place: String) {
        for name in FileText.entries(of: place) { unlink("\(place)/\(name)") }
        rmdir(place)
    }
}
