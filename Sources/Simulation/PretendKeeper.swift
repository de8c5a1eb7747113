import Cluster
import Primitives

/// What a node service asks of the keeper on its machine.
enum KeeperRequest: Hashable, Sendable {
    case hold(ServiceAddress, until: Instant, epoch: Epoch)
    case release(ServiceAddress, epoch: Epoch)
}

/// Pretends one machine's keeper process and the kernel's address list below it.
///
/// An awake keeper lets go of ended holds at once and before all else. When it sleeps or is dead, the kernel
/// removes an address two seconds after its lifetime was last renewed.
struct PretendKeeper: Hashable, Sendable {
    struct Held: Hashable, Sendable {
        var address: ServiceAddress
        var epoch: Epoch
        /// By the machine's own clock.
        var until: Instant
        /// When the kernel removes it; nil while an awake keeper renews its lifetime.
        var lifetimeEnd: Moment?
    }

    enum Condition: Hashable, Sendable { case absent, awake, asleep }

    private(set) var condition = Condition.absent
    /// What is on the machine, sorted by name.
    private(set) var held: [Held] = []
    /// The life of the node service it belongs to.
    private(set) var life = 0
    /// Counts sleeps, so that a wake-up belongs to one of them.
    private(set) var naps = 0
    /// What arrived while it slept, oldest first.
    var waiting: [KeeperRequest] = []
    private(set) var isOrphaned = false
    /// Sabotage: ended holds are kept, and so are those of a dead node service.
    var ignoresExpiry = false
    /// The kernel refuses to add addresses until then.
    var refusesUntil = Moment.zero
    /// Addresses in whose network it has no interface.
    var refuses: Set<String> = [] {
        didSet { held.removeAll { refuses.contains($0.address.name) } }
    }
    /// It is at work until then and reads nothing; holds that end are ended all the same.
    var busyUntil = Moment.zero
    /// It notices only then that its node service is gone.
    var lingersUntil = Moment.zero

    var isAwake: Bool { condition == .awake }

    /// When the first hold ends, by the machine's clock.
    var nextEnd: Instant? {
        guard isAwake, !ignoresExpiry else { return nil }
        var first: Instant?
        for one in held { first = min(first ?? one.until, one.until) }
        return first
    }

    func holding(_ name: String) -> Held? { held.first { $0.address.name == name } }

    /// A new keeper process, which removes what a dead one left before it says that it is ready.
    mutating func start(life: Int) {
        self.life = life
        condition = .awake
        isOrphaned = false
        waiting = []
        held = []
    }

    mutating func sleep(lifetimesEnd end: Moment) {
        guard condition == .awake else { return }
        condition = .asleep
        naps += 1
        expectEnd(end)
    }

    /// The process is gone; what it held goes by its lifetime.
    mutating func die(lifetimesEnd end: Moment) {
        guard condition != .absent else { return }
        condition = .absent
        waiting = []
        expectEnd(end)
    }

    private mutating func expectEnd(_ end: Moment) {
        for i in held.indices where held[i].lifetimeEnd == nil { held[i].lifetimeEnd = end }
    }

    /// The machine lost its power.
    mutating func vanish() {
        condition = .absent
        waiting = []
        held = []
    }

    mutating func wake() {
        guard condition == .asleep else { return }
        condition = .awake
        for i in held.indices { held[i].lifetimeEnd = nil }
    }

    /// The node service's end of the socket closed; an awake keeper lets go of everything and ends.
    mutating func orphan() -> [Held] {
        isOrphaned = true
        guard isAwake, !ignoresExpiry else { return [] }
        condition = .absent
        let gone = held
        held = []
        return gone
    }

    /// Removes what the kernel's lifetimes ended.
    mutating func endLifetimes(at moment: Moment) -> [Held] {
        remove { held in held.lifetimeEnd.map { $0 <= moment } ?? false }
    }

    /// Removes what may be held no longer.
    mutating func endHolds(at now: Instant) -> [Held] {
        guard isAwake, !ignoresExpiry else { return [] }
        return remove { $0.until <= now }
    }

    private mutating func remove(where ends: (Held) -> Bool) -> [Held] {
        guard held.contains(where: ends) else { return [] }
        let gone = held.filter(ends)
        held.removeAll(where: ends)
        return gone
    }

    enum Answer: Hashable, Sendable {
        case none
        case added, renamed
        case removed
        case refused(String)
    }

    mutating func handle(_ request: KeeperRequest, at now: Instant, _ moment: Moment) -> Answer {
        switch request {
        case .release(let address, _):
            held.removeAll { $0.address.name == address.name }
            return .removed
        case .hold(let address, let until, let epoch):
            guard let i = held.firstIndex(where: { $0.address.name == address.name }) else {
                if until <= now { return .refused("the hold ended before it was read") }
                if moment < refusesUntil { return .refused("the kernel does not add the address") }
                if refuses.contains(address.name) { return .refused("no interface has its network") }
                let position = held.firstIndex { address.name < $0.address.name } ?? held.endIndex
                let new = Held(address: address, epoch: epoch, until: until, lifetimeEnd: nil)
                held.insert(new, at: position)
                return .added
            }
            let isNew = held[i].epoch != epoch
            held[i].until = until
            held[i].epoch = epoch
            return isNew ? .renamed : .none
        }
    }
}
