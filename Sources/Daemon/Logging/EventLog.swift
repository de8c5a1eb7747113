import Cluster
import Consensus
import Dispatch
@preconcurrency import Glibc
import Logging
import Synchronization
import Wire

/// Says on standard error what happens, one line an event, without ever holding up who says it.
final class EventLog: Sendable {
    private struct Rate {
        var window: Int64 = 0
        var said = 0
        var suppressed = 0
    }

    private struct State {
        var rates: [String: Rate] = [:]
        var waiting = 0
    }

    /// Lines of one kind in one second.
    private static let linesPerSecond = 20
    /// Lines that wait to be written; a reader that blocks us loses the rest.
    private static let waitingLimit = 1000
    private static let kindLimit = 1000
    private let logger: Logger
    private let queue = DispatchQueue(label: "fsdns.log")
    private let state = Mutex(State())

    /// - Parameter descriptor: where the lines go.
    init(to descriptor: Int32 = STDERR_FILENO) {
        let writer = LineWriter(to: descriptor)
        logger = Logger(label: "fsdns", factory: { _ in LineHandler(writer: writer) })
    }

    func event(_ event: ClusterEvent) {
        let epoch = event.epoch.map { " epoch=\($0)" } ?? ""
        say(
            level(of: event.kind), kind: event.kind.rawValue,
            "\(event.kind.rawValue) \(name(event.subject))\(epoch) \"\(clean(event.text))\"")
    }

    func notice(_ kind: String, _ subject: String, _ text: String) {
        say(.notice, kind: kind, "\(kind) \(name(subject)) \"\(clean(text))\"")
    }

    /// - Parameter perSecond: how many lines of this kind and subject a second may have.
    func warning(_ kind: String, _ subject: String, _ text: String, perSecond: Int = 1) {
        let subject = name(subject)
        say(.warning, kind: "\(kind) \(subject)", limit: perSecond, "\(kind) \(subject) \"\(clean(text))\"")
    }

    /// Waits until everything said so far is written, or nobody has read for a second; for the end of the process.
    func flush() { queue.sync {} }

    private func say(_ level: Logger.Level, kind: String, limit: Int = linesPerSecond, _ line: String) {
        let second = BootClock.now().nanoseconds / 1_000_000_000
        let suppressed: Int? = state.withLock { state in
            guard state.waiting < Self.waitingLimit else { return nil }
            if state.rates.count > Self.kindLimit { state.rates = [:] }
            var rate = state.rates[kind, default: Rate()]
            defer { state.rates[kind] = rate }
            var passed = 0
            if rate.window != second {
                passed = rate.suppressed
                rate = Rate(window: second)
            }
            rate.said += 1
            guard rate.said <= limit else {
                rate.suppressed += 1
                return nil
            }
            state.waiting += 1
            return passed
        }
        guard let suppressed else { return }
        queue.async { [logger, self] in
            if suppressed > 0 {
                logger.log(level: level, "\(line) (and \(suppressed) more like it before)")
            } else {
                logger.log(level: level, "\(line)")
            }
            state.withLock { $0.waiting -= 1 }
        }
    }

    private func level(of kind: ClusterEvent.Kind) -> Logger.Level {
        switch kind {
        case .nodeHeard, .leaderChanged, .leaseWon, .drainPhase, .configuration, .playbookProgress:
            .info
        case .nodeAdmitted, .clusterFormed, .addressHeld, .addressReleased, .seatGranted, .seatMoving,
            .takeover, .recovered, .drainFinished, .maintenance, .zoneUpdated, .playbookScheduled,
            .playbookStarted, .playbookStep, .playbookFinished:
            .notice
        case .nodeSilent, .nodeFenced, .nodeRefused, .leaseLost, .addressFailed, .seatUncovered,
            .takeoverWithheld, .drainAborted, .zoneTrouble, .asleep, .trouble,
            .playbookRolledBack, .playbookSkipped:
            .warning
        }
    }

    /// Outside text can neither end the line nor drive a terminal.
    private func clean(_ text: String) -> String { VisibleText.of(text, longest: 1000) }

    /// What a line is about: a node, an address, a file; or whatever a switch calls a phone.
    private func name(_ subject: String) -> String { VisibleText.of(subject, longest: 100) }
}

/// `2026-11-21T12:00:00.000Z notice takeover master1 epoch=3.118 "…"`
struct LineHandler: LogHandler {
    let writer: LineWriter
    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        writer.write("\(WallClock.text()) \(event.level) \(event.message)")
    }
}
