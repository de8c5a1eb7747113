import Primitives

/// What this node asked its keeper for and what the keeper said, sorted by address.
struct Holdings: Hashable, Sendable {
    enum Keeper: Hashable, Sendable {
        /// Not started, or died; what it held goes by itself.
        case absent
        case ready
    }
    enum Condition: Hashable, Sendable {
        case asked, held, releasing
    }
    struct Holding: Hashable, Sendable {
        var address: ServiceAddress
        var epoch: Epoch
        var until: Instant
        var condition: Condition
        /// Since when the keeper cannot do it, and why.
        var trouble: String?
        var troubleSince: Instant?
    }

    /// After the loss of a keeper the kernel drops what it held (a lifetime of 1 to 1.5 s); the rest is allowance.
    static let afterlife: Duration = .milliseconds(2500)

    private(set) var keeper: Keeper = .absent
    /// Since when a keeper that was there is not any more.
    private(set) var lostAt: Instant?
    /// Whether what it held ends by itself.
    private var endsByItself = false
    private(set) var all: [Holding] = []

    subscript(_ address: String) -> Holding? { all.first { $0.address.name == address } }

    /// When the first of the holds that go on ends; nil without any.
    var firstEnd: Instant? { all.lazy.filter { $0.condition != .releasing }.map(\.until).min() }

    /// True only when the keeper has said that it holds nothing and was asked for nothing since.
    var isEmpty: Bool { keeper == .ready && all.isEmpty }

    var held: [HeldAddress] {
        all.filter { $0.condition == .held }.map { HeldAddress(address: $0.address.name, epoch: $0.epoch) }
    }

    mutating func keeperReady() {
        keeper = .ready
        lostAt = nil
        all = []
    }

    mutating func keeperLost(endsByItself: Bool, at now: Instant) {
        keeper = .absent
        lostAt = lostAt ?? now
        self.endsByItself = endsByItself
    }

    /// Whether the last keeper was lost and none has been ready since, for longer than another one takes to start.
    func isKeeperMissing(at now: Instant) -> Bool {
        lostAt.map { now - $0 >= Timers.keeperPatience } ?? false
    }

    /// This process was not run for so long, and perhaps the whole machine was not: kernel lifetimes count while it runs.
    mutating func excuse(_ asleep: Duration) { lostAt = lostAt.map { $0 + asleep } }

    /// Whether nothing is on the machine any more that a lost keeper put there, were it only for the kernel.
    private func isOutlived(at now: Instant) -> Bool {
        guard let lostAt, endsByItself else { return false }
        return now - lostAt >= Self.afterlife
    }

    /// What a lost keeper can hold no more, even if it stood still and goes on now.
    func outlived(at now: Instant) -> [Holding] {
        isOutlived(at: now) ? all.filter { $0.until < now } : []
    }

    /// Whether an address is certainly not on the machine: the keeper says so, or there has been none for so long that it cannot be.
    func isGone(_ address: String, at now: Instant) -> Bool {
        self[address] == nil && (keeper == .ready || isOutlived(at: now))
    }

    /// Whether the keeper must be told: a new hold, or one that runs noticeably longer.
    mutating func want(_ address: ServiceAddress, epoch: Epoch, until: Instant, step: Duration) -> Bool {
        guard keeper == .ready else { return false }
        guard let at = all.firstIndex(where: { $0.address.name == address.name }) else {
            all.append(Holding(address: address, epoch: epoch, until: until, condition: .asked))
            all.sort { $0.address.name < $1.address.name }
            return true
        }
        if all[at].condition == .releasing { return false }
        guard until - all[at].until >= step || all[at].epoch != epoch else { return false }
        all[at].until = until
        all[at].epoch = epoch
        return true
    }

    /// Whether the keeper must be told to let go.
    mutating func drop(_ address: String) -> Bool {
        guard let at = all.firstIndex(where: { $0.address.name == address }), all[at].condition != .releasing
        else { return false }
        all[at].condition = .releasing
        return true
    }

    mutating func held(_ address: String, epoch: Epoch) -> Bool {
        guard let at = all.firstIndex(where: { $0.address.name == address && $0.epoch == epoch }),
            all[at].condition == .asked
        else { return false }
        all[at].condition = .held
        all[at].trouble = nil
        all[at].troubleSince = nil
        return true
    }

    /// The keeper let go. A late word about an older hold says nothing of the present one: were it believed, the record of
    /// an address that is held would go, and asking for it again would be a renewal, which the keeper does not answer.
    mutating func released(_ address: String, epoch: Epoch) -> Bool {
        guard let at = all.firstIndex(where: { $0.address.name == address && $0.epoch == epoch }) else {
            return false
        }
        all.remove(at: at)
        return true
    }

    mutating func failed(_ address: String, epoch: Epoch, _ reason: String, at now: Instant) {
        guard let at = all.firstIndex(where: { $0.address.name == address && $0.epoch == epoch }) else {
            return
        }
        all[at].trouble = reason
        if all[at].troubleSince == nil { all[at].troubleSince = now }
        if all[at].condition == .held { all[at].condition = .asked }
    }
}
