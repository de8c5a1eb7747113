import Primitives

/// What the leader knows of the zone, and what it waits for.
struct ZoneKeeper: Hashable, Sendable {
    var readings: [ServerReading] = []
    var reading: UInt64?
    var updating: UInt64?
    var nextID: UInt64 = 1
    /// Nil reads at once.
    var nextRead: Instant?
    /// Why the last update did not happen; nil once one did, or the zone is true anyway.
    var problem: ZoneTrouble?
    /// In sequence, of reading the primary and of writing to it.
    private(set) var failures = 0
    private(set) var failingSince: Instant?
    /// The operator told us to take over a zone of another writer; kept until that is done.
    var adopt = false
    /// An update of ours with unknown end may still arrive.
    var isContested = false
    /// What was wanted when the readings were found to agree with it.
    var converged: [ZoneRecord]?
    /// Troubles and notices an event told of, and whose end one will tell.
    var told: [ZoneTrouble] = []
    /// Deadlines of an answer that may never come.
    var answerDue: Instant?
    var rereads = 0
    /// What there was to publish when the zone was last looked at.
    var looked: Look?
    /// Questions of an earlier leadership are waited for (one of each kind at most), and their answers not believed.
    var isOutdated = false

    /// The wildcards must be asked for too before the zone can be judged.
    var wantsWildcards = false
    var askedWildcards = false
    /// The update on its way.
    var underway: ZoneUpdate?
    /// An update the server says it carried out, until the zone was read back.
    var accepted: Accepted?
    var untaken: Untaken?
    var rate = ZoneRate()
    /// Nil when there is nothing that had to be put off.
    var sendAt: Instant?
    var proof = ZoneProof()
    /// Servers that do not serve the new set yet, and since when.
    var behind: [Behind] = []
    /// Servers that served what was wanted at least once in this leadership.
    var seenWell: [Endpoint] = []

    struct Look: Hashable, Sendable {
        var applied: Epoch
        /// Of each seat.
        var published: [[IPAddress]]
    }

    struct Accepted: Hashable, Sendable {
        var update: ZoneUpdate
        var epoch: Epoch
        var readings = 0
    }

    struct Behind: Hashable, Sendable {
        var server: Endpoint
        var since: Instant
        /// It was never seen well in this leadership: it may have been so for longer, which a former leader knew.
        var isFound = false
    }

    mutating func failed(at now: Instant) {
        failures += 1
        failingSince = failingSince ?? now
    }

    mutating func succeeded() {
        failures = 0
        failingSince = nil
    }

    /// Waits no longer because of what failed before; whether it fails still, the next try tells.
    mutating func forgetFailures() { failures = 0 }

    /// So that the pauses between tries become no longer.
    mutating func limitFailures() { failures = min(failures, 8) }

    /// Whether time alone makes it worth another look.
    func isDue(at now: Instant) -> Bool {
        if let answerDue { return now >= answerDue }
        if let sendAt, now >= sendAt { return true }
        if now >= proof.due { return true }
        return now >= nextRead ?? now
    }

    /// Another term knows nothing of the zone yet, but remembers what it sent.
    mutating func startOver(at now: Instant) {
        var fresh = ZoneKeeper()
        fresh.nextID = nextID
        fresh.reading = reading
        fresh.updating = updating
        fresh.answerDue = answerDue
        fresh.isOutdated = reading != nil || updating != nil
        fresh.rate = rate
        fresh.proof.due = now + ZoneProof.first
        self = fresh
    }
}

/// One thing that is wrong: the same key is the same trouble, however its text changes.
package struct ZoneTrouble: Hashable, Sendable {
    package var key: String
    package var text: String
    /// Nothing fails because of it; somebody should look.
    var isNotice = false
}

/// How often updates may be sent: at most five arrive at a server in any second, whoever leads in it.
struct ZoneRate: Hashable, Sendable {
    /// A little over a second, as messages may be delayed differently.
    static let span = Duration.milliseconds(1100)
    /// Of one leader within the span; what is left up to five is for a new one.
    static let limit = 3
    static let limitOfNewLeader = 2

    private var sent: [Instant] = []
    private var elected: Instant?
    private var quietUntil: Instant?

    /// Somebody was elected, perhaps this node.
    mutating func elected(at now: Instant) {
        // Who was elected just before may have used what a new leader has.
        if let elected, now - elected < Self.span { quietUntil = now + Self.span }
        elected = now
    }

    /// Nobody of this cluster wrote the zone before, so no former leader can have sent anything.
    mutating func noteNoFormerLeader() { elected = nil }

    mutating func note(at now: Instant) {
        sent = sent.filter { now - $0 < Self.span }
        sent.append(now)
    }

    /// Whether nothing was sent within the span.
    func isIdle(at now: Instant) -> Bool {
        !sent.contains { now - $0 < Self.span } && now >= quietUntil ?? now
    }

    /// When the next update may be sent.
    func next(at now: Instant) -> Instant {
        let recent = sent.filter { now - $0 < Self.span }
        let isNew = elected.map { now - $0 < Self.span } ?? false
        let limit = isNew ? Self.limitOfNewLeader : Self.limit
        var next = max(now, quietUntil ?? now)
        if recent.count >= limit { next = max(next, recent[recent.count - limit] + Self.span) }
        return next
    }
}

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
