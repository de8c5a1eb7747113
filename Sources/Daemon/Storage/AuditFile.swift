import Cluster
import Consensus
import Dispatch
import FoundationEssentials
@preconcurrency import Glibc
import Synchronization
import Wire

/// The audit trail on this machine's disk, each entry chained to the one before by its digest.
///
/// Entries are the cluster's own, so that two machines' files say the same; what was changed afterwards breaks the chain.
final class AuditFile: Sendable {
    private struct State {
        /// The newest last.
        var lines: [AuditLine]
    }

    /// So many lines are kept; the first of them still names the digest of the one before.
    private static let limit = 10_000
    private static let byteLimit = 16 << 20
    private let path: String
    private let log: EventLog
    private let queue = DispatchQueue(label: "fsdns.audit")
    private let state: Mutex<State>

    init(path: String, log: EventLog) {
        self.path = path
        self.log = log
        var lines: [AuditLine] = []
        var unreadable = 0
        let bytes = FileText.read(path, limit: Self.byteLimit) ?? []
        for data in bytes.split(separator: 0x0A) {
            if let line = try? JSONDecoder().decode(AuditLine.self, from: Data(data)) {
                lines.append(line)
            } else {
                unreadable += 1
            }
        }
        if unreadable > 0 {
            log.warning(
                "audit", path,
                "\(unreadable) lines cannot be read and are passed over; see: fsdns history --verify")
        }
        state = Mutex(State(lines: lines))
        // Half a line, written when the power went: the next one must not be glued to it.
        if let last = bytes.last, last != 0x0A { _ = FileText.append(path, [0x0A]) }
    }

    var lines: [AuditLine] { state.withLock { $0.lines } }

    /// Takes what is new in it; entries it has already are passed over.
    func append(_ entries: [AuditEntry]) {
        queue.async { [self] in
            var fresh: [UInt8] = []
            var isWhole = false
            state.withLock { state in
                for entry in entries where entry.number > state.lines.last?.entry.number ?? 0 {
                    let line = AuditLine(entry, after: state.lines.last)
                    state.lines.append(line)
                    fresh += encode(line)
                }
                if state.lines.count > Self.limit * 2 {
                    state.lines.removeFirst(state.lines.count - Self.limit)
                    isWhole = true
                }
            }
            guard !fresh.isEmpty else { return }
            let why =
                isWhole ? FileText.replace(path, with: lines.flatMap(encode)) : FileText.append(path, fresh)
            if let why { log.warning("audit", path, "cannot be written: \(why)") }
        }
    }

    private func encode(_ line: AuditLine) -> [UInt8] { ControlJSON.encode(line) + [0x0A] }

    func finish() { queue.sync {} }
}
