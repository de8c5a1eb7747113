import Cluster
import ControlProtocol

/// One event of the cluster's story, as a line for people or for programs.
enum EventText {
    /// The keys of one line of `fsdns events --format json`.
    struct Document: Encodable {
        var sequence: UInt64
        var time: String
        var node: String
        var kind: ClusterEvent.Kind
        var subject: String
        var text: String
        var epoch: StatusDocument.Nullable<String>
    }

    static func line(_ event: EventLine, paint: Paint) -> String {
        let epoch = event.event.epoch.map { " [\($0)]" } ?? ""
        return paint(event.time, .dim) + " \(event.node) "
            + paint(event.event.kind.rawValue, style(event.event.kind))
            + " \(event.event.subject): \(event.event.text)" + paint(epoch, .dim)
    }

    static func json(_ event: EventLine) -> String {
        JSONText.compact(
            Document(
                sequence: event.sequence, time: event.time, node: event.node, kind: event.event.kind,
                subject: event.event.subject, text: event.event.text,
                epoch: .init(event.event.epoch.map { "\($0)" })))
    }

    private static func style(_ kind: ClusterEvent.Kind) -> Paint.Style {
        switch kind {
        case .nodeFenced, .leaseLost, .seatUncovered, .takeoverWithheld, .trouble, .addressFailed,
            .nodeRefused, .quorumRecovered:
            .bad
        case .nodeSilent, .takeover, .callsEnded, .drainAborted, .zoneTrouble, .asleep, .seatMoving,
            .maintenance,
            .playbookRolledBack, .playbookSkipped:
            .warn
        case .clusterFormed, .seatGranted, .leaseWon, .drainFinished, .zoneUpdated, .playbookFinished:
            .good
        case .nodeHeard, .nodeAdmitted, .nodeForgotten, .certificatesRevoked, .leaderChanged, .recovered,
            .addressHeld,
            .addressReleased,
            .drainPhase,
            .configuration, .playbookScheduled, .playbookStarted, .playbookProgress, .playbookStep:
            .plain
        }
    }
}
