import Cluster
import ControlProtocol
import FoundationEssentials
@preconcurrency import Glibc
import PeerProtocol
import Synchronization

/// The audit trail on this machine's disk, each entry chained to the one before by its digest.
///
/// Entries are the cluster's own, so that two machines' files say the same; what was changed afterwards breaks the chain.
final class AuditFile: Sendable {
    private struct State {
        /// The newest last.
        var lines: [AuditLine]
        /// What a full disk did not take comes with the next entries.
        var isFileBehind = false
    }

    /// So many lines are kept; the first of them still names the digest of the one before.
    private static let limit = 10_000
    private static let byteLimit = 16 << 20
    private let path: String
    private let log: EventLog
    private let queue = WorkQueue("audit")
    private let state: Mutex<State>

    init(path: String, log: EventLog) {
        self.path = path
        self.log = log
        let found = Self.read(path)
        if let first = found.unreadable.first {
            log.warning(
                "audit", path,
                "\(found.unreadable.count) lines cannot be read, first line \(first), and are passed over; see: "
                    + "fsdns history --verify")
        }
        state = Mutex(State(lines: found.lines))
        // Half a line, written when the power went: the next one must not be glued to it.
        if let last = found.lastByte, last != 0x0A { _ = FileText.append(path, [0x0A]) }
    }

    var lines: [AuditLine] { state.withLock { $0.lines } }

    /// Tells what the file says now, and what is wrong with it: that its chain is broken, or that it is no longer what
    /// this node read and wrote. Answers on a queue of its own: a long file takes a second to read.
    func verify(_ tell: @escaping @Sendable (_ lines: [AuditLine], _ fault: String?) -> Void) {
        queue.async { [self] in
            let found = Self.read(path)
            let known = state.withLock { $0.lines }
            tell(found.lines, Self.fault(in: found, known: known))
        }
    }

    private struct Found {
        var lines: [AuditLine] = []
        /// Numbers of lines, from 1.
        var unreadable: [Int] = []
        var lastByte: UInt8?
    }

    private static func read(_ path: String) -> Found {
        var found = Found()
        let bytes = FileText.read(path, limit: byteLimit) ?? []
        found.lastByte = bytes.last
        for (place, data) in bytes.split(separator: 0x0A).enumerated() {
            if let line = try? JSONDecoder().decode(AuditLine.self, from: Data(data)) {
                found.lines.append(line)
            } else {
                found.unreadable.append(place + 1)
            }
        }
        return found
    }

    private static func fault(in found: Found, known: [AuditLine]) -> String? {
        if let fault = AuditLine.fault(in: found.lines) { return fault }
        let (there, written) = (Set(found.lines), Set(known))
        if let missing = known.first(where: { !there.contains($0) }) {
            return "entry \(missing.entry.number) is no longer in the file"
        }
        if let stranger = found.lines.first(where: { !written.contains($0) }) {
            return "entry \(stranger.entry.number) was not written by this node service"
        }
        return nil
    }

    /// Takes what is new in it; entries it has already are passed over.
    func append(_ entries: [AuditEntry]) {
        queue.async { [self] in
            var fresh: [UInt8] = []
            var isWhole = state.withLock(\.isFileBehind)
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
            guard !fresh.isEmpty || isWhole else { return }
            let why =
                isWhole ? FileText.replace(path, with: lines.flatMap(encode)) : FileText.append(path, fresh)
            state.withLock { $0.isFileBehind = why != nil }
            if let why { log.warning("audit", path, "cannot be written: \(why)") }
        }
    }

    private func encode(_ line: AuditLine) -> [UInt8] { ControlJSON.encode(line) + [0x0A] }

    func finish() { queue.flush() }
}
