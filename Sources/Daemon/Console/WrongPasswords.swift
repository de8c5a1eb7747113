import Consensus
import Primitives

/// Remembers which addresses gave wrong passwords of late, so that guessing is slow whatever the guesser does.
///
/// A value: times are handed in. What it remembers is bounded and fades.
struct WrongPasswords {
    /// When an address may try again.
    enum Turn: Hashable {
        case now
        case after(Duration)
        /// So many of its attempts wait already that this one is not worth it.
        case never
    }

    private struct Entry {
        var address: String
        var count: Int
        /// Up to where `count` has faded.
        var since: Instant
        /// No attempt of this address is looked at before.
        var nextTurn: Instant
    }

    /// Mistakes of people, who may go on at once.
    static let tolerated = 5
    /// Between two attempts of an address with more: ten passwords a second, however many connections it has.
    static let pace: Duration = .milliseconds(100)
    static let longestWait: Duration = .seconds(2)
    /// After which one is forgotten.
    private static let fading: Duration = .seconds(10)
    private static let counted = 32
    private static let addressLimit = 4096
    /// The one that was wrong longest ago first.
    private var entries: [Entry] = []

    /// - Parameter address: see `key(of:)`.
    mutating func add(_ address: String, at now: Instant) {
        fade(address, now)
        var entry = Entry(address: address, count: 0, since: now, nextTurn: now)
        if let place = entries.firstIndex(where: { $0.address == address }) {
            entry = entries.remove(at: place)
        } else if entries.count == Self.addressLimit {
            entries.removeFirst()
        }
        entry.count = min(entry.count + 1, Self.counted)
        entries.append(entry)
    }

    /// Wrong passwords of late.
    mutating func count(_ address: String, at now: Instant) -> Int {
        fade(address, now)
        return entries.first { $0.address == address }?.count ?? 0
    }

    /// When a password of this address may be looked at; takes the turn.
    mutating func turn(_ address: String, at now: Instant) -> Turn {
        fade(address, now)
        guard let place = entries.firstIndex(where: { $0.address == address }),
            entries[place].count > Self.tolerated
        else { return .now }
        let turn = max(now, entries[place].nextTurn)
        guard turn - now <= Self.longestWait else { return .never }
        entries[place].nextTurn = turn + Self.pace
        return turn == now ? .now : .after(turn - now)
    }

    private mutating func fade(_ address: String, _ now: Instant) {
        guard let place = entries.firstIndex(where: { $0.address == address }) else { return }
        let faded = (now - entries[place].since).nanoseconds / Self.fading.nanoseconds
        guard faded > 0 else { return }
        entries[place].count -= Int(clamping: faded)
        entries[place].since = entries[place].since + Self.fading * Int(clamping: faded)
        if entries[place].count <= 0 { entries.remove(at: place) }
    }
}
