import Cluster
import Consensus
import Primitives

/// One pretended machine: a clock, a disk, a keeper, a switch and, while it runs, a node service.
struct Machine: Sendable {
    let name: String
    let kind: NodeRule.Kind
    /// What this machine's copy of the cluster file says.
    var settings: ClusterSettings
    /// The program that lies there; what runs may be another.
    var release = ReleaseInfo.current
    /// It was told that this program does not start with this disk.
    var hasRefused = false
    let clock: MachineClock
    var disk: PretendDisk
    var keeper = PretendKeeper()
    var phones: PretendSwitch
    var card = PretendCard()
    var commands = PretendCommands()
    var service: Service?
    /// Counts starts of the node service; what was meant for one life does not reach the next.
    var life = 0
    /// Nothing starts it again by itself.
    var staysDown = false
    /// When `tick` is due, and when the keeper's first hold ends.
    var tickDue = Moment.never
    var holdEnd = Moment.never
    /// Ticks in a row without the world's time moving.
    var ticksNow = 0
    var lastTick = Moment.zero
    /// Counts starts of the machine itself, as far as a storm lets them be told from starts of the service.
    var boots = 0
    /// A second machine with the name and the disk of another; part of storms only.
    var isCopy = false

    var isUp: Bool { service != nil }
    /// Whether a seat could rest on it.
    var isFit: Bool { isUp && kind == .full && phones.isFit }
}

/// One running node service and what surrounds it in its process.
struct Service: Sendable {
    var node: Node
    let member: MemberID
    let life: Int
    var isAsleep = false
    var naps = 0
    /// What arrived while it slept, oldest first.
    var inbox: [Event] = []
    /// Effects a stall kept it from executing.
    var inHand: [Effect] = []
    /// The next list of effects stops being executed after so many, and the process sleeps so long.
    var stall: (effects: Int, nanoseconds: Int64)?
    var startedAt: Moment
    var observedIndex: Index = 0
    /// Questions about the zone without an answer yet.
    var openQuestions: [UInt64] = []
    var isStopping = false
    /// What it wants to know of the calendar.
    var questions: [CalendarQuestion] = []
    /// Number of the newest entry of the audit trail it told.
    var audited: UInt64 = 0

    var isRunning: Bool { !isAsleep }

    struct Handled {
        var effects: [Effect]
        /// When the node wants to be ticked.
        var deadline: Instant?
        /// The agreed state, when more of it is known than before.
        var news: (ControlState, Index)?
    }

    /// Hands an event to the node; nil when it waits in the inbox, or was meant for another life.
    mutating func take(_ event: Event, at instant: Instant, life meant: Int?) -> Handled? {
        guard meant == nil || meant == life else { return nil }
        if isAsleep {
            let isDatagram = if case .heard = event { true } else { false }
            if !isDatagram || inbox.count < Self.socketBuffer { inbox.append(event) }
            return nil
        }
        switch event {
        case .zoneRead(let id, _), .zoneUpdated(let id, _): openQuestions.removeAll { $0 == id }
        default: break
        }
        let effects = node.handle(event, at: instant)
        var news: (ControlState, Index)?
        let index = node.applied.index
        if index != observedIndex, let state = node.state {
            observedIndex = index
            news = (state, index)
        }
        return Handled(effects: effects, deadline: node.nextDeadline, news: news)
    }

    /// Heartbeats beyond this are lost while the process sleeps, as in a socket's buffer.
    static let socketBuffer = 256
}
