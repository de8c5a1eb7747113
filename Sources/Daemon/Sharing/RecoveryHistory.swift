import Cluster
import ControlProtocol
import FoundationEssentials
@preconcurrency import Glibc
import NIOCore
import PeerProtocol
import Primitives
import Replication
import Switch

/// What became of the calls each time an address came to a node: kept in a file, told to all other nodes.
final class RecoveryHistory {
    /// As many recoveries of this node are remembered.
    private static let limit = 200
    /// A line of so many bytes names enough losses.
    private static let lossLimit = 200
    static let kind = RecordKind(rawValue: 16)
    private let node: String
    private let path: String
    private let log: EventLog
    private(set) var own: [RecoveryLine] = []
    /// Written to the node's own stream.
    var write: (([Write]) -> Void)?

    /// - Parameter path: of the file in the node's state directory, one JSON object a line.
    init(node: String, path: String, log: EventLog) {
        self.node = node
        self.path = path
        self.log = log
        guard let data = FileText.read(path, limit: 8 << 20) else { return }
        for line in data.split(separator: 0x0A) {
            if let entry = try? JSONDecoder().decode(RecoveryLine.self, from: Data(line)) {
                own.append(entry)
            }
        }
        own = own.suffix(Self.limit)
    }

    /// Everything remembered, for a stream that begins anew.
    var writes: [Write] { own.enumerated().map { put($1, number: $0) } }

    func add(_ summary: RecoverySummary, _ epoch: Epoch) {
        let line = RecoveryLine(
            time: WallClock.text(), address: summary.profile, node: node, epoch: "\(epoch)",
            legs: summary.recovered.count + summary.lost.count + summary.left.count,
            recovered: summary.recovered.count, lost: Self.losses(summary.lost),
            left: summary.left.isEmpty
                ? nil
                : RecoveryLine.Left(
                    why: summary.cutShort ?? "", legs: summary.left.count, open: Self.losses(summary.left)),
            stayed: summary.existed.count, milliseconds: Int(summary.duration.nanoseconds / 1_000_000))
        own.append(line)
        if own.count > Self.limit { own.removeFirst() }
        if let why = FileText.replace(path, with: own.flatMap { ControlJSON.encode($0) + [0x0A] }) {
            log.warning("history", path, "cannot be written: \(why)")
        }
        write?(writes)
    }

    private static func losses(_ legs: [RecoverySummary.Lost]) -> [RecoveryLine.Loss] {
        legs.prefix(lossLimit).map { RecoveryLine.Loss(uuid: $0.uuid, reason: $0.reason.description) }
    }

    private func put(_ line: RecoveryLine, number: Int) -> Write {
        .put(Record(kind: Self.kind, key: Array("\(number)".utf8), payload: ControlJSON.encode(line)))
    }

    static func line(_ record: Record) -> RecoveryLine? {
        record.kind == kind ? try? JSONDecoder().decode(RecoveryLine.self, from: Data(record.payload)) : nil
    }
}
