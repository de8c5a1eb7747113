import Cluster
import Primitives

/// Follows a drain, its undoing, an undrain or a switchover through the cluster's reports until it ended one way or the other.
struct MoveWatch: Hashable, Sendable {
    enum Goal: Hashable, Sendable {
        /// The drain of `seat` is over and the node it left is in maintenance.
        case drained(seat: String, from: String?)
        /// The drain of `seat` is undone and has left nothing behind.
        case undone(seat: String)
        /// The node serves again as a slave or a master.
        case returned(node: String)
        /// The seat is active and no longer with `from`.
        case moved(seat: String, from: String?)
    }

    enum Outcome: Hashable, Sendable {
        case finished(String)
        case aborted(String)
    }

    /// How often a falling number of calls is worth a line.
    static let callsEvery = Duration.seconds(5)
    /// A report that never reaches the accepted epoch is judged all the same after this long.
    static let epochPatience = Duration.seconds(5)

    private(set) var goal: Goal
    private let accepted: Epoch
    private(set) var outcome: Outcome?
    private var phase: Drain.Phase?
    private var calls: Int?
    private var saidCallsAt = Duration.zero
    private var saw: StatusReport.DrainLine?

    init(_ goal: Goal, accepted: Epoch) {
        self.goal = goal
        self.accepted = accepted
    }

    /// Takes the newest report and returns what is worth saying; `elapsed` counts from the start of the wait.
    mutating func observe(_ report: StatusReport, at elapsed: Duration) -> [String] {
        guard outcome == nil else { return [] }
        let isCurrent = Self.epoch(report.epoch).map { $0 >= accepted } ?? false
        guard isCurrent || elapsed >= Self.epochPatience else { return [] }
        switch goal {
        case .drained(let seat, let from): return observeDrain(of: seat, from: from, report, at: elapsed)
        case .undone(let seat): return observeUndoing(of: seat, report, at: elapsed)
        case .returned(let node):
            let line = report.nodes.first { $0.name == node }
            if let role = line?.role, role == .slave || role == .master {
                outcome = .finished("\(node) is back as \(role.rawValue)")
            }
            return []
        case .moved(let name, let from):
            guard let seat = report.seats.first(where: { $0.name == name }), seat.state == .active,
                let holder = seat.holder, holder != from
            else { return [] }
            outcome = .finished("\(name) is active on \(holder) at \(seat.address)")
            return []
        }
    }

    private mutating func observeDrain(
        of seat: String, from: String?, _ report: StatusReport, at elapsed: Duration
    ) -> [String] {
        if let line = report.maintenance.drain, line.seat == seat {
            saw = line
            goal = .drained(seat: seat, from: line.from)
            if line.phase == .lingering {
                outcome = .finished(
                    "\(line.from) is free and in maintenance; \(line.callsLeft) calls go on at \(line.oldAddress) on "
                        + "\(line.to)")
            }
            return progress(line, at: elapsed)
        }
        let role = report.nodes.first { $0.name == from }?.role
        if saw?.phase.isUndoing != true, from != nil, role == .maintenance {
            outcome = .finished("\(seat) is drained, \(from ?? seat) is in maintenance")
        } else if saw != nil || elapsed >= Self.epochPatience {
            outcome = .aborted("the drain of \(seat) was aborted; see: fsdns events")
        }
        return []
    }

    private mutating func observeUndoing(
        of name: String, _ report: StatusReport, at elapsed: Duration
    ) -> [String] {
        if let line = report.maintenance.drain, line.seat == name { return progress(line, at: elapsed) }
        let seat = report.seats.first { $0.name == name }
        let place = seat.map { " is at \($0.address) on \($0.holder ?? "nobody")" } ?? " is no seat any more"
        outcome = .finished("the drain is undone: \(name)\(place)")
        return []
    }

    private mutating func progress(_ line: StatusReport.DrainLine, at elapsed: Duration) -> [String] {
        let isNewPhase = line.phase != phase
        let isNewCount = line.callsLeft != calls && elapsed - saidCallsAt >= Self.callsEvery
        guard isNewPhase || isNewCount else { return [] }
        phase = line.phase
        calls = line.callsLeft
        saidCallsAt = elapsed
        let emptied = line.phase.isUndoing ? line.newAddress : line.oldAddress
        var text = "\(line.phase.rawValue): \(line.callsLeft) calls left on \(emptied)"
        if let waitingFor = line.waitingFor { text += "; waits for \(waitingFor)" }
        if let outlook = line.outlook { text += "; \(outlook)" }
        return [text]
    }

    /// Reads `3.117`.
    static func epoch(_ text: String) -> Epoch? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let term = UInt64(parts[0]), let index = UInt64(parts[1]) else { return nil }
        return Epoch(term: term, index: index)
    }
}
