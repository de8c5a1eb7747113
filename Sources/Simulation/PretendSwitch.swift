import Cluster
import Primitives

/// Pretends one machine's FreeSWITCH: its health, and what a drain asked of it. The calls are the world's.
struct PretendSwitch: Hashable, Sendable {
    var health: SwitchReport.Health
    /// What its node last told it to be there, sorted.
    var addresses: [String] = []
    var duty: DrainDuty?
    /// Addresses of others that the node asks.
    var asks: [Ask] = []
    var isRefusing = false
    var arePhonesTold = false
    /// Addresses that go elsewhere by plan: what nobody could revive is to end.
    var partings: [HeldAddress] = []
    var parted: [HeldAddress] = []
    /// By an order: it takes no new calls, and keeps those it has.
    var isPaused = false
    /// It does not end what it is told to end.
    var isStubborn = false
    /// What was told last.
    var told: SwitchReport?

    init(health: SwitchReport.Health) { self.health = health }

    var isFit: Bool { health == .healthy || health == .none }

    mutating func surveyed(_ survey: Survey) {
        addresses = survey.placements.filter(\.isHere).map(\.address.name).sorted()
        duty = survey.duty
        asks = survey.asks
        partings = survey.placements.filter { survey.partings.contains($0.address.name) }.map {
            HeldAddress(address: $0.address.name, epoch: $0.epoch)
        }
        parted.removeAll { !partings.contains($0) }
        if duty?.movesRegistrations != true { arePhonesTold = false }
    }

    /// It does what it was told a moment ago.
    mutating func obey() {
        guard health == .healthy else { return }
        isRefusing = duty?.refusesCalls ?? false
        arePhonesTold = duty?.movesRegistrations ?? false
    }
}

/// Calls that really are up, by address, and until when callers may still know an address.
struct PretendCalls: Hashable, Sendable {
    struct Line: Hashable, Sendable {
        var address: String
        var calls = 0
        /// Until then somebody may remember the address from DNS.
        var rememberedUntil = Moment.zero
        /// Calls neither come nor go by themselves.
        var isSteady = false
        /// Of its calls, how many no other switch could revive.
        var hopeless = 0
    }
    private(set) var lines: [Line]

    init(_ addresses: [ServiceAddress]) { lines = addresses.map { Line(address: $0.name) } }

    subscript(address: String) -> Int {
        get { lines.first { $0.address == address }?.calls ?? 0 }
        set {
            if let at = lines.firstIndex(where: { $0.address == address }) { lines[at].calls = newValue }
        }
    }

    func isRemembered(_ address: String, at now: Moment) -> Bool {
        lines.first { $0.address == address }.map { now <= $0.rememberedUntil } ?? false
    }

    mutating func served(_ address: String, until: Moment) {
        guard let at = lines.firstIndex(where: { $0.address == address }) else { return }
        lines[at].rememberedUntil = max(lines[at].rememberedUntil, until)
    }

    mutating func setHopeless(_ address: String, calls: Int) {
        guard let at = lines.firstIndex(where: { $0.address == address }) else { return }
        lines[at].hopeless = calls
    }

    /// - Returns: how many calls ended that no other switch could revive.
    mutating func endHopeless(_ address: String) -> Int {
        guard let at = lines.firstIndex(where: { $0.address == address }) else { return 0 }
        let ended = min(lines[at].hopeless, lines[at].calls)
        lines[at].calls -= ended
        lines[at].hopeless = 0
        return ended
    }

    mutating func setSteady(_ address: String, calls: Int) {
        guard let at = lines.firstIndex(where: { $0.address == address }) else { return }
        lines[at].calls = calls
        lines[at].isSteady = true
    }

    /// A moment passes on an address that is up: some calls end, and some come when `mayCome`.
    ///
    /// - Returns: whether a caller wanted in.
    mutating func pass(
        _ address: String, mayCome: Bool, isRefusing: Bool, using chance: inout SeededGenerator
    ) -> Bool {
        guard let at = lines.firstIndex(where: { $0.address == address }), !lines[at].isSteady else {
            return false
        }
        let ending = lines[at].calls / 3 + (lines[at].calls > 0 ? 1 : 0)
        lines[at].calls -= min(lines[at].calls, chance.draw(0...ending))
        let coming = mayCome ? chance.draw(0...4) : 0
        if !isRefusing { lines[at].calls = min(50, lines[at].calls + coming) }
        return coming > 0
    }
}
