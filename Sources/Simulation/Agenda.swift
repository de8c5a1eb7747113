import Cluster

/// What will happen in a world and when; what falls on one moment happens in the order it was planned.
struct Agenda: Sendable {
    private struct Item: Sendable {
        var moment: Moment
        var number: UInt64
        /// Where the occurrence lies: the heap moves small items only.
        var slot: Int

        func isBefore(_ other: Item) -> Bool {
            moment == other.moment ? number < other.number : moment < other.moment
        }
    }

    /// A binary heap.
    private var items: [Item] = []
    private var slots: [Occurrence?] = []
    private var freeSlots: [Int] = []
    private var lastNumber: UInt64 = 0

    var next: Moment? { items.first?.moment }
    var count: Int { items.count }

    mutating func add(_ occurrence: Occurrence, at moment: Moment) {
        lastNumber += 1
        let slot = freeSlots.popLast() ?? slots.count
        if slot == slots.count { slots.append(occurrence) } else { slots[slot] = occurrence }
        items.append(Item(moment: moment, number: lastNumber, slot: slot))
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard items[child].isBefore(items[parent]) else { break }
            items.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the earliest away; nil when nothing is planned.
    mutating func take() -> Occurrence? {
        guard let first = items.first else { return nil }
        items.swapAt(0, items.count - 1)
        items.removeLast()
        sink()
        let occurrence = slots[first.slot]
        slots[first.slot] = nil
        freeSlots.append(first.slot)
        return occurrence
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var smallest = parent
            for child in (2 * parent + 1)...(2 * parent + 2) where child < items.count {
                if items[child].isBefore(items[smallest]) { smallest = child }
            }
            guard smallest != parent else { return }
            items.swapAt(parent, smallest)
            parent = smallest
        }
    }
}

/// Something that happens to a machine or between machines; machines are numbered by their place in the world.
enum Occurrence: Sendable {
    case heartbeat(Heartbeat, to: Int)
    /// Over the peer link as it was connected when the message was sent.
    case message(PeerMessage, link: Link, connection: Int)
    /// For one life of a node service only.
    case event(Event, machine: Int, life: Int)
    case written(machine: Int, birth: UInt64, life: Int)
    case keeperAsked(KeeperRequest, machine: Int, life: Int)
    /// The keeper's end of the socket closed.
    case keeperOrphaned(machine: Int, life: Int)
    case keeperStarted(machine: Int, life: Int)
    /// The kernel looks at the lifetimes of the addresses.
    case lifetimesEnd(machine: Int)
    case boot(machine: Int)
    case wake(machine: Int, life: Int, Sleeper, nap: Int)
    case heal(Cut)
    case quicken(Link)
    case reconnect(Link)
    case switchTick(machine: Int)
    case switchRecovered(machine: Int)
    case diskQuickens(machine: Int)
    case cardReturns(machine: Int)
    case networkReturns(String)
    case updateArrives(ZoneUpdate, Asker, isAnswered: Bool)
    case secondaryRefreshes(Int)
    case serverRecovers(Int)
    case weather
    case fileComes
    case rollGoesOn
    /// The next machine gets another release.
    case upgradeGoesOn
    case squall
    case linkChanges(LinkChange)
    /// The two ends of the link hear each other from now on.
    case meet(Link)
    case crashes(machine: Int, life: Int, restart: Int64)
    case peerLinkHeals(Link)
    case unmutes(Link)
    case switchFails(machine: Int)
    case isToldToStop(machine: Int, life: Int)
    case copyEnds
    case operatorActs
    case operatorsPatienceEnds(request: UInt64)
    case plannerActs
    case commandEnds(StepID, CommandResult, machine: Int, life: Int)
    /// A program kills the node service that runs it.
    case serviceDies(machine: Int, life: Int)
    case calendarTurns(machine: Int)
    case calendarRead(machine: Int)
}

/// Which process of a machine sleeps.
enum Sleeper: Hashable, Sendable { case service, keeper }

/// One direction between two machines.
struct Link: Hashable, Sendable {
    var from: Int
    var to: Int
}

/// One direction begins to pass nothing, or to pass again, on the way to a view.
struct LinkChange: Hashable, Sendable {
    var link: Link
    var isBlocked: Bool
    var view: Int
}

/// Directions between machines through which nothing passes.
struct Cut: Hashable, Sendable {
    var links: [Link]
}

/// The node service that waits for an answer about the zone.
struct Asker: Hashable, Sendable {
    var machine: Int
    var life: Int
    var id: UInt64
}
