import Cluster
@preconcurrency import Glibc
import Logging
import Primitives
import Synchronization

/// Says on standard error what happens, one line an event, without ever holding up who says it.
final class EventLog: Sendable {
    private struct Rate {
        var end = Instant.zero
        /// Hashes of the lines said since it began; each is said once.
        var said: Set<Int> = []
        var count = 0
        var suppressed = 0
    }

    /// How often kinds and subjects of all sorts are told of together.
    private struct Bound {
        let burst: Double
        let perSecond: Double
        private var left: Double
        private var countedAt = Instant.zero
        /// Not said because there were too many.
        var withheld = 0

        init(burst: Double, perSecond: Double) {
            (self.burst, self.perSecond, left) = (burst, perSecond, burst)
        }

        /// Takes one.
        mutating func take(at now: Instant) -> Bool {
            let passed = max(Double((now - countedAt).nanoseconds) / 1e9, 0)
            countedAt = now
            left = min(left + passed * perSecond, burst)
            guard left >= 1 else { return false }
            left -= 1
            return true
        }
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
        var warnings = Bound(burst: 60, perSecond: 2)
        /// Apart, so that strangers leave room for everything else, and however many sorts of mischief they find.
        var strangersLines = Bound(burst: 20, perSecond: 0.2)
        var waiting = 0
    }

    /// Events of one kind in one second.
    private static let linesPerSecond = 20
    /// Different warnings of one kind and subject in `warningPause`, in which none is said twice: what fails is tried again
    /// every second, and fails again.
    private static let warningsAtOnce = 3
    private static let warningPause: Duration = .seconds(10)
    private static let strangersPause: Duration = .seconds(60)
    private static let strangerKinds = 64
    private static let sourcesRemembered = 256
    /// Lines that wait to be written; a reader that blocks us loses the rest.
    private static let waitingLimit = 1000
    private static let kindLimit = 1000
    private let logger: Logger
    private let queue = WorkQueue("log")
    private let clock: @Sendable () -> Instant
    private let state = Mutex(State())

    /// - Parameter descriptor: where the lines go.
    init(
        to descriptor: Int32 = STDERR_FILENO, clock: @escaping @Sendable () -> Instant = { Instant.now() }
    ) {
        self.clock = clock
        let writer = LineWriter(to: descriptor)
        logger = Logger(label: "fsdns", factory: { _ in LineHandler(writer: writer) })
    }

    func event(_ event: ClusterEvent) {
        let epoch = event.epoch.map { " epoch=\($0)" } ?? ""
        say(
            level(of: event.kind), kind: event.kind.rawValue, .events,
            "\(event.kind.rawValue) \(name(event.subject))\(epoch) \"\(clean(event.text))\"")
    }

    func notice(_ kind: String, _ subject: String, _ text: String) {
        say(.notice, kind: kind, .events, "\(kind) \(name(subject)) \"\(clean(text))\"")
    }

    /// - Parameter atOnce: how many different lines of this kind and subject there may be in ten seconds.
    func warning(_ kind: String, _ subject: String, _ text: String, atOnce: Int = EventLog.warningsAtOnce) {
        let subject = name(subject)
        say(
            .warning, kind: "\(kind) \(subject)", .warnings(atOnce: atOnce),
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
        let now = clock()
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
        let name = name(subject)
        say(.warning, kind: "\(kind) \(name)", .strangers, "\(kind) \(name) \"\(clean(text + more))\"")
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

    /// What bounds a line, beside the others of its kind.
    private enum Manner {
        /// What the cluster decided, or an operator is to read, has no other bound.
        case events
        case warnings(atOnce: Int)
        /// Each sort of these has its own pause.
        case strangers
    }

    private func say(_ level: Logger.Level, kind: String, _ manner: Manner, _ line: String) {
        let now = clock()
        let suppressed: Int? = state.withLock { state in
            guard state.waiting < Self.waitingLimit else { return nil }
            if state.rates[kind] == nil { Self.makeRoom(in: &state) }
            var rate = state.rates[kind, default: Rate()]
            defer { state.rates[kind] = rate }
            var passed = 0
            if now >= rate.end {
                passed = rate.suppressed
                var pause = Duration.seconds(1)
                if case .warnings = manner { pause = Self.warningPause }
                rate = Rate(end: now + pause)
            }
            guard Self.isRoom(in: &rate, manner, line) else {
                rate.suppressed += 1
                return nil
            }
            switch manner {
            case .events: break
            case .warnings: passed = Self.take(passed, from: &state.warnings, at: now) ?? -1
            case .strangers: passed = Self.take(passed, from: &state.strangersLines, at: now) ?? -1
            }
            guard passed >= 0 else { return nil }
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

    private static func isRoom(in rate: inout Rate, _ manner: Manner, _ line: String) -> Bool {
        rate.count += 1
        guard case .warnings(let atOnce) = manner else { return rate.count <= linesPerSecond }
        return rate.said.count < atOnce && rate.said.insert(line.hashValue).inserted
    }

    /// How many lines this one speaks for besides; nil when it is not said either.
    private static func take(_ passed: Int, from bound: inout Bound, at now: Instant) -> Int? {
        guard bound.take(at: now) else {
            bound.withheld += passed + 1
            return nil
        }
        defer { bound.withheld = 0 }
        return passed + bound.withheld
    }

    /// The kind that was said longest ago is forgotten; what it still had to tell is added to what all had.
    private static func makeRoom(in state: inout State) {
        guard state.rates.count >= kindLimit,
            let oldest = state.rates.min(by: { $0.value.end < $1.value.end })
        else { return }
        state.warnings.withheld += oldest.value.suppressed
        state.rates[oldest.key] = nil
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
