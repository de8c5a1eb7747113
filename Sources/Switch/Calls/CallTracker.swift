import EventSocket
import Limits
import Primitives
import Replication

/// All legs of the calls in this node's switch, kept from its events, and what of them replicas must learn.
///
/// Events are enough; a listing with a dump of each channel begins it and mends what events were lost, and rows
/// of the switch's own recovery table add the flags of this version of FreeSWITCH.
package struct CallTracker: Sendable {
    package struct Settings: Hashable, Sendable {
        /// The most legs that are kept.
        package var legLimit = 65_536
        /// The largest variables of one leg that are replicated, in bytes; replication takes 64 KiB.
        package var legBytes = 60 << 10
        /// The variables of all legs together, in bytes: a switch that invents calls fills no node with them.
        package var allBytes = 256 << 20
        /// How far the switch's own tables lag behind its events.
        package var lag: Duration = .seconds(2)

        package init() {}
    }

    package enum Change: Hashable, Sendable {
        case put(CallLeg)
        case removed(uuid: String, profile: String)
    }

    /// One leg with what only this node knows of it.
    struct Entry {
        var leg: CallLeg
        /// False while only a listing told of it.
        var isKnown = false
        var hasRow = false
        var isTooLarge = false
        /// Bytes of its variables as they are kept.
        var size = 0
        /// A bridge that an event told of, which lasts until an event tells its end.
        var isBridged = false
        /// Keys of mod_hiredis that `limit` was run with.
        var limits: [LimitKey] = []
        /// Keys of mod_hash that `limit` was run with, or that the switch's own variables name.
        var hashKeys: Set<String> = []
        var progress = ExtensionProgress()
        /// What the caller's profile was by the newest event with variables.
        var place: CallerPlace?
        /// Who had it called.
        var caller: String?
        var sequence: UInt64 = 0
        var heard: Instant
        var started: Instant
        var answered: Instant?
    }

    package let settings: Settings
    /// The most legs that are kept, by what the switch itself admits.
    package private(set) var legLimit: Int
    /// Of the variables of all legs.
    package internal(set) var bytes = 0
    /// Core-UUID of the process the legs are in; nil before the first event or listing.
    package internal(set) var runtime: String?
    package internal(set) var switchname = ""
    /// Legs that found no room.
    package internal(set) var refused: UInt64 = 0
    var entries: [String: Entry] = [:]
    /// Ended a moment ago: late events and the switch's tables may still tell of them.
    var departed: [String: (sequence: UInt64, at: Instant)] = [:]
    var listingBegan: Instant?
    var rowsRead: Instant?
    var departures = Departures()
    var attempts = LimitAttempts()
    /// Legs of which the switch is to be asked more.
    var looks: [String: Look] = [:]
    private var dirty: Set<String> = []
    private var order: [String] = []
    /// What replicas were told last.
    private var told: [String: CallLeg] = [:]

    package init(settings: Settings = .init()) {
        self.settings = settings
        legLimit = settings.legLimit
    }

    /// The switch has no more sessions than that at a time, each of them one leg; twice as many are kept, as it may
    /// be told another number, and ends may be heard late. Zero says nothing.
    package mutating func admit(sessions: UInt32) {
        guard sessions > 0 else { return }
        legLimit = min(settings.legLimit, max(64, 2 * Int(sessions)))
    }

    /// Events to subscribe to.
    package static let eventNames = ChannelEvent.names

    // MARK: - Reading

    package var count: Int { entries.count }
    /// Every leg that is known, whatever its state; sorted by uuid.
    package var legs: [CallLeg] { entries.values.map(\.leg).sorted { $0.uuid < $1.uuid } }
    package func legs(of profile: String) -> [CallLeg] { legs.filter { $0.profile == profile } }
    package func leg(_ uuid: String) -> CallLeg? { entries[uuid]?.leg }

    // MARK: - Changes

    mutating func touch(_ uuid: String) {
        if dirty.insert(uuid).inserted { order.append(uuid) }
    }

    /// Whether `takeChanges` would give something to look at.
    package var hasChanges: Bool { !order.isEmpty }

    /// The newest state of each leg that changed since it was last taken, in the order they first changed;
    /// a leg that came and went in between is not told of.
    ///
    /// - Parameter limit: the most legs to look at.
    package mutating func takeChanges(limit: Int = .max) -> [Change] {
        var changes: [Change] = []
        let taken = order.prefix(limit)
        for uuid in taken {
            dirty.remove(uuid)
            let before = told[uuid]
            let leg = entries[uuid].flatMap { isWorthTelling($0) ? $0.leg : nil }
            if leg == before { continue }
            told[uuid] = leg
            if let before, before.profile != leg?.profile {
                changes.append(.removed(uuid: uuid, profile: before.profile))
            }
            if let leg { changes.append(.put(leg)) }
        }
        order.removeFirst(taken.count)
        return changes
    }

    /// All legs that replicas have or shall have are told of again.
    package mutating func tellEverything() {
        for uuid in Set(entries.keys).union(told.keys).sorted() { touch(uuid) }
        told = told.filter { entries[$0.key] == nil }
    }

    /// Nobody can revive a leg that rings, has no sofia profile, or is not known but by name.
    private func isWorthTelling(_ entry: Entry) -> Bool {
        entry.isKnown && entry.leg.phase != .ringing && !entry.leg.profile.isEmpty && !entry.isTooLarge
    }

    // MARK: - Ending

    mutating func remove(_ uuid: String, sequence: UInt64, at now: Instant) {
        if departed.count >= 8192 {
            let oldest = (listingBegan ?? now) - settings.lag
            departed = departed.filter { $0.value.at >= oldest }
        }
        departed[uuid] = (max(sequence, departed[uuid]?.sequence ?? 0), now)
        looks[uuid] = nil
        guard let entry = entries.removeValue(forKey: uuid) else { return }
        bytes -= entry.size
        touch(uuid)
        var isLast = true
        if let partner = entry.leg.partner, entries[partner] != nil {
            isLast = false
            if entries[partner]?.leg.partner == uuid { separate(partner) }
        }
        if entry.answered != nil, isLast { departures.note(at: now) }
    }

    mutating func separate(_ uuid: String) {
        guard entries[uuid] != nil else { return }
        entries[uuid]?.leg.partner = nil
        entries[uuid]?.leg.isOriginator = false
        entries[uuid]?.leg.flags = nil
        entries[uuid]?.isBridged = false
        touch(uuid)
    }

    /// The switch was started anew: its calls went with it. Nothing changes for the Core-UUID that is known.
    package mutating func began(runtime: String, switchname: String, at now: Instant) {
        if runtime != self.runtime {
            for uuid in entries.keys.sorted() { touch(uuid) }
            entries = [:]
            bytes = 0
            departed = [:]
            looks = [:]
            listingBegan = nil
            rowsRead = nil
        }
        self.runtime = runtime
        self.switchname = switchname
    }
}
