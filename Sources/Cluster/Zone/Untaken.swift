import Primitives

/// What a server did not do although it said NOERROR: retried seldom, as it will hardly do it the next time.
struct Untaken: Hashable, Sendable {
    /// Without the epoch record, sorted.
    var add: [ZoneRecord]
    var delete: [ZoneRecord]
    /// The epoch record was not written either.
    var hasEpoch: Bool
    var text: String
    var attempts = 0
    var lastTry: Instant
    var nextTry: Instant
    /// Of the zone when it was found out.
    var serial: UInt32?

    /// Between two tries; it doubles each time.
    static let shortestPause = Duration.seconds(1)
    static let longestPause = Duration.seconds(300)
    /// When somebody else changed the zone it may be worth trying earlier, but no more often than this.
    static let shortestRetry = Duration.seconds(15)

    /// When an update may be sent that does no more than what was not done before; nil for one that does more.
    func postpones(_ update: ZoneUpdate, serial now: UInt32?) -> Instant? {
        func isEpoch(_ record: ZoneRecord) -> Bool { record.name == update.epochName && record.type == "TXT" }
        let added = update.add.filter { !isEpoch($0) && !update.delete.contains($0) }
        let deleted = update.delete.filter { record in
            !isEpoch(record)
                && !update.add.contains { $0.name == record.name && $0.content == record.content }
        }
        guard added.allSatisfy(add.contains), deleted.allSatisfy(delete.contains) else { return nil }
        if added.isEmpty, deleted.isEmpty, !hasEpoch { return nil }
        return now == serial ? nextTry : min(nextTry, lastTry + Self.shortestRetry)
    }
}

extension ZoneUpdate {
    /// What of it is not so in a zone that was read after it.
    package func leftover(in found: [ZoneRecord]) -> (delete: [ZoneRecord], add: [ZoneRecord]) {
        let gone = delete.filter { record in
            !add.contains { $0.name == record.name && $0.content == record.content }
                && found.contains { $0.name == record.name && $0.content == record.content }
        }
        let missing = add.filter { record in
            // The TTL of the epoch record means nothing.
            record.name == epochName && record.type == "TXT"
                ? !found.contains { $0.name == record.name && $0.content == record.content }
                : !found.contains(record)
        }
        return (gone, missing)
    }
}
