import Primitives

/// Decides which of the datagrams that wait are opened, and in which order, so that whoever has no key cannot make this
/// node work: first sessions that were opened before, from where they were; all others by a budget.
///
/// Deriving the key of a session and failing to open costs ten times as much as reading the datagram. So only so many
/// datagrams that nothing speaks for are tried a second: half of them from addresses where true heartbeats came from
/// (a restarted node), half from anywhere (a new one), where one address has a small share of them.
///
/// What names a known session and comes from a node's address may be forged as well, and who has the cluster key makes each
/// cost a signature: then a part is opened, as much as there is time for (`VainOpening`).
package struct HeartbeatSieve: Sendable {
    /// What becomes of one datagram.
    package enum Verdict: Hashable, Sendable {
        case open
        /// A heartbeat of this node that came back, or a copy of one that was opened.
        case ignore
        case drop(FrameFailure)
        /// Nothing speaks for it, and the budget is spent.
        case overBudget
    }

    private static let window: Duration = .milliseconds(10)
    /// In one window, from familiar addresses and from others.
    private static let share = 10
    private static let perSource: UInt8 = 2
    private static let sourceSlots = 256
    private static let familiarLimit = 512

    private let own: HeartbeatSession
    private var familiar: Set<DatagramSource>
    private var windowEnd = Instant.zero
    private var spent = (familiar: 0, other: 0)
    /// Spent by each source of the window; sources that share a place share its budget.
    private var spentBy = [UInt8](repeating: 0, count: sourceSlots)
    private var vain: VainOpening

    /// - Parameters:
    ///   - own: this node's session: what comes back of it is not heard.
    ///   - familiar: addresses the cluster file names.
    package init(own: HeartbeatSession, familiar: [IPAddress]) {
        self.own = own
        vain = VainOpening(seed: own.high ^ own.low)
        self.familiar = Set(familiar.prefix(Self.familiarLimit).map(DatagramSource.init))
    }

    /// A heartbeat that came from there was opened.
    package mutating func trust(_ source: DatagramSource) {
        // Somebody's many addresses must not drive the true ones out: beyond the limit nothing is added.
        if familiar.count < Self.familiarLimit { familiar.insert(source) }
    }

    package mutating func judge(
        _ datagram: UnsafeRawBufferPointer, from source: DatagramSource, network: Int,
        by opener: HeartbeatOpener,
        at now: Instant
    ) -> Verdict {
        switch opener.glance(at: datagram, network: network) {
        case .foreign(let failure): return .drop(failure)
        case .copy: return .ignore
        case .known:
            if !familiar.contains(source), !take(source, isFamiliar: false, at: now) { return .overBudget }
            guard let session = HeartbeatSession(namedBy: datagram) else { return .overBudget }
            return vain.mayOpen(session, over: network, at: now) ? .open : .overBudget
        case .unknown:
            if own.isNamed(by: datagram) { return .ignore }
            return take(source, isFamiliar: familiar.contains(source), at: now) ? .open : .overBudget
        }
    }

    /// A datagram was opened and is not of the node whose session it names, or is nothing.
    ///
    /// - Parameter time: what that took.
    package mutating func openedInVain(
        _ datagram: UnsafeRawBufferPointer, network: Int, taking time: Duration, at now: Instant
    ) {
        guard let session = HeartbeatSession(namedBy: datagram) else { return }
        vain.note(session, over: network, taking: time, at: now)
    }

    /// In whose names something was opened in vain of late, each network for itself.
    package var vainOpenings: Int { vain.count }

    private mutating func take(_ source: DatagramSource, isFamiliar: Bool, at now: Instant) -> Bool {
        if now >= windowEnd {
            windowEnd = now + Self.window
            spent = (0, 0)
            for place in spentBy.indices { spentBy[place] = 0 }
        }
        if isFamiliar {
            guard spent.familiar < Self.share else { return false }
            spent.familiar += 1
            return true
        }
        let mixed = (source.high ^ source.low) &* 0x9E37_79B9_7F4A_7C15
        let place = Int(mixed >> 56)
        guard spent.other < Self.share, spentBy[place] < Self.perSource else { return false }
        spent.other += 1
        spentBy[place] += 1
        return true
    }
}

/// Which datagrams of sessions in whose name forged ones come are opened: so many by chance that what is opened in vain takes
/// `share` of the time, and what else waits is read at once. Otherwise all that waits behind them is late, heartbeats of all
/// other nodes too, and a node that is late knows of no failure in time.
///
/// Each session has what it took in vain on one network, less what the others leave it of the share. From `tolerated` on the
/// chance falls, to nothing at `most`; between them it stays where as much is opened as may be. Networks count apart: a copy
/// that comes over one without a flood is opened.
struct VainOpening: Sendable {
    private struct Flood {
        var session: HeartbeatSession
        var network: Int
        var taken: Duration
    }

    /// In thousandths of the time that passes.
    static let share = 400
    static let tolerated: Duration = .milliseconds(2)
    static let most: Duration = .milliseconds(20)
    /// As many sessions as who has the cluster key can make known, over two rings.
    private static let limit = 512
    private var floods: [Flood] = []
    private var countedAt = Instant.zero
    private var generator: SeededGenerator

    var count: Int { floods.count }

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func mayOpen(_ session: HeartbeatSession, over network: Int, at now: Instant) -> Bool {
        if floods.isEmpty { return true }
        pass(to: now)
        guard let flood = floods.first(where: { $0.session == session && $0.network == network }) else {
            return true
        }
        let left = (Self.most - flood.taken).nanoseconds
        let whole = (Self.most - Self.tolerated).nanoseconds
        return left >= whole || Int64(generator.next() >> 33) % whole < left
    }

    mutating func note(_ session: HeartbeatSession, over network: Int, taking time: Duration, at now: Instant)
    {
        pass(to: now)
        // The process may have been kept from running meanwhile.
        let time = min(max(time, .zero), .milliseconds(1))
        if let place = floods.firstIndex(where: { $0.session == session && $0.network == network }) {
            floods[place].taken += time
        } else {
            if floods.count >= Self.limit,
                let least = floods.indices.min(by: { floods[$0].taken < floods[$1].taken })
            {
                floods.remove(at: least)
            }
            floods.append(Flood(session: session, network: network, taken: time))
        }
    }

    private mutating func pass(to now: Instant) {
        let passed = now - countedAt
        guard passed > .zero, !floods.isEmpty else {
            countedAt = max(countedAt, now)
            return
        }
        countedAt = now
        let part = passed * Self.share / (1000 * floods.count)
        for place in floods.indices { floods[place].taken -= part }
        floods.removeAll { $0.taken <= .zero }
    }
}

extension HeartbeatSession {
    /// The session a datagram names in its head.
    fileprivate init?(namedBy datagram: UnsafeRawBufferPointer) {
        guard let header = try? HeartbeatHeader(datagram) else { return nil }
        self = header.session
    }

    /// Whether a datagram says that it was sealed in this session; nothing but opening it proves that.
    package func isNamed(by datagram: UnsafeRawBufferPointer) -> Bool {
        HeartbeatSession(namedBy: datagram) == self
    }
}
