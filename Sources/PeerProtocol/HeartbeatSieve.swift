import Primitives

/// Decides which of the datagrams that wait are opened, and in which order, so that whoever has no key cannot make this
/// node work: first sessions that were opened before, from where they were; all others by a budget.
///
/// Deriving the key of a session and failing to open costs ten times as much as reading the datagram. So only so many
/// datagrams that nothing speaks for are tried a second: half of them from addresses where true heartbeats came from
/// (a restarted node), half from anywhere (a new one), where one address has a small share of them.
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

    /// - Parameters:
    ///   - own: this node's session: what comes back of it is not heard.
    ///   - familiar: addresses the cluster file names.
    package init(own: HeartbeatSession, familiar: [IPAddress]) {
        self.own = own
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
            let isFamiliar = familiar.contains(source)
            return isFamiliar || take(source, isFamiliar: false, at: now) ? .open : .overBudget
        case .unknown:
            if own.isNamed(by: datagram) { return .ignore }
            return take(source, isFamiliar: familiar.contains(source), at: now) ? .open : .overBudget
        }
    }

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

extension HeartbeatSession {
    /// Whether a datagram says that it was sealed in this session; nothing but opening it proves that.
    package func isNamed(by datagram: UnsafeRawBufferPointer) -> Bool {
        guard let header = try? HeartbeatHeader(datagram) else { return false }
        return header.session == self
    }
}
