import Cluster
import Consensus
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

    /// What strangers cause, of one kind: told once, then in a summary a minute.
    private struct Strangers {
        var kind: String
        var sort: String
        var nextLine: Instant
        var count = 0
        /// Hashes of the addresses seen since the last line, as many as are remembered.
        var sources: Set<Int> = []
    }

    private struct State {
        var rates: [String: Rate] = [:]
        var strangers: [Strangers] = []
        /// Warnings that may be said now, and when that was counted.
        var warnings = Double(EventLog.warningBurst)
        var countedAt = Instant.zero
        /// Not said because there were too many together.
        var withheld = 0
        var waiting = 0
    }

    /// Lines of one kind in one second.
    private static let linesPerSecond = 20
    /// All warnings together: so many at once, then so many a second.
    private static let warningBurst = 60
    private static let warningsPerSecond = 2.0
    private static let strangersPause: Duration = .seconds(60)
    private static let strangerKinds = 64
    private static let sourcesRemembered = 256
    /// Lines that wait to be written; a reader that blocks us loses the rest.
    private static let waitingLimit = 1000
    private static let kindLimit = 1000
    private let logger: Logger
    private let queue = WorkQueue("log")
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
        say(
            .warning, kind: "\(kind) \(subject)", limit: perSecond, isBounded: true,
            "\(kind) \(subject) \"\(clean(text))\"")
    }

    /// Says what somebody without the key or the password caused. However many they are and wherever they seem to come
    /// from, they cause one line, and then one a minute with the newest of them and the number of the others.
    func stranger(_ kind: String, _ source: String, _ text: String) {
        stranger(kind, source.hashValue, sort: "") { (source, text) }
    }

    /// As the other, for what comes so often that a text for each would be a load.
    ///
    /// - Parameters:
    ///   - source: tells addresses apart.
    ///   - sort: tells apart what must not hide one another, for example reasons; of a small fixed set.
    ///   - line: subject and text, asked for only when they are said.
    func stranger(_ kind: String, _ source: some Hashable, sort: String, _ line: () -> (String, String)) {
        let now = BootClock.now()
        let others: (count: Int, sources: Int)? = state.withLock { state in
            let place = Self.place(of: kind, sort, in: &state.strangers)
            guard now >= state.strangers[place].nextLine else {
                state.strangers[place].count += 1
                if state.strangers[place].sources.count < Self.sourcesRemembered {
                    state.strangers[place].sources.insert(source.hashValue)
                }
                return nil
            }
            let known = state.strangers[place]
            state.strangers[place] = Strangers(kind: kind, sort: sort, nextLine: now + Self.strangersPause)
            return (known.count, known.sources.count)
        }
        guard let others else { return }
        let (subject, text) = line()
        let few = others.sources < Self.sourcesRemembered
        let more =
            others.count == 0
            ? ""
            : " (and \(others.count) more since the last such line, from \(few ? "" : "at least ")\(others.sources)"
                + " addresses)"
        warning(kind, subject, text + more, perSecond: Self.linesPerSecond)
    }

    private static func place(
        of kind: String, _ sort: String, in strangers: inout [Strangers]
    ) -> Int {
        if let place = strangers.firstIndex(where: { $0.sort == sort && $0.kind == kind }) { return place }
        if strangers.count >= strangerKinds,
            let oldest = strangers.indices.min(by: { strangers[$0].nextLine < strangers[$1].nextLine })
        {
            strangers.remove(at: oldest)
        }
        strangers.append(Strangers(kind: kind, sort: sort, nextLine: .zero))
        return strangers.count - 1
    }

    /// Waits until everything said so far is written, or nobody has read for a second; for the end of the process.
    func flush() { queue.flush() }

    /// - Parameter isBounded: whether all such lines together have a bound; what the cluster decided has none.
    private func say(
        _ level: Logger.Level, kind: String, limit: Int = linesPerSecond, isBounded: Bool = false,
        _ line: String
    ) {
        let now = BootClock.now()
        let second = now.nanoseconds / 1_000_000_000
        let suppressed: Int? = state.withLock { state in
            guard state.waiting < Self.waitingLimit else { return nil }
            if state.rates[kind] == nil { Self.makeRoom(in: &state) }
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
            if isBounded, !Self.mayWarn(&state, at: now) {
                state.withheld += passed + 1
                return nil
            }
            if isBounded {
                passed += state.withheld
                state.withheld = 0
            }
            state.waiting += 1
            return passed
        }
        guard let suppressed else { return }
        queue.async { [logger, self] in
            if suppressed > 0 {
                logger.log(level: level, "\(line) (and \(suppressed) more lines before)")
            } else {
                logger.log(level: level, "\(line)")
            }
            state.withLock { $0.waiting -= 1 }
        }
    }

    /// The kind that was said longest ago is forgotten; what it still had to tell is added to what all had.
    private static func makeRoom(in state: inout State) {
        guard state.rates.count >= kindLimit,
            let oldest = state.rates.min(by: { $0.value.window < $1.value.window })
        else { return }
        state.withheld += oldest.value.suppressed
        state.rates[oldest.key] = nil
    }

    /// Takes one of the warnings that all kinds have together.
    private static func mayWarn(_ state: inout State, at now: Instant) -> Bool {
        let passed = max(Double((now - state.countedAt).nanoseconds) / 1e9, 0)
        state.countedAt = now
        state.warnings = min(state.warnings + passed * warningsPerSecond, Double(warningBurst))
        guard state.warnings >= 1 else { return false }
        state.warnings -= 1
        return true
    }

    private func level(of kind: ClusterEvent.Kind) -> Logger.Level {
        switch kind {
        case .nodeHeard, .leaderChanged, .leaseWon, .drainPhase, .configuration, .playbookProgress:
            .info
        case .nodeAdmitted, .nodeForgotten, .certificatesRevoked, .clusterFormed, .addressHeld,
            .addressReleased, .seatGranted,
            .seatMoving,
            .takeover, .recovered, .callsEnded, .drainFinished, .maintenance, .zoneUpdated,
            .playbookScheduled,
            .playbookStarted, .playbookStep, .playbookFinished:
            .notice
        case .nodeSilent, .nodeFenced, .nodeRefused, .quorumRecovered, .leaseLost, .addressFailed,
            .seatUncovered,
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
