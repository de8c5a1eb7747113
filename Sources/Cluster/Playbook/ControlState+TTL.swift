import Primitives

/// Another TTL than the cluster file's, served for a while: a drain after it is shorter.
package struct TTLOverride: Hashable, Sendable, Codable {
    package var value: Duration
    package var since: ClusterTime
    /// What clients may still remember.
    package var former: Duration
    /// When the last client has forgotten the former one; nil until every server serves the new one.
    package var forgottenAt: ClusterTime?
}

extension ControlState {
    /// What the zone's records should say; nil without a zone.
    package var servedTTL: Duration? { ttl?.value ?? settings.dns?.ttl }

    /// What was asked for instead of the cluster file's; nil when that one is served.
    var loweredTTL: Duration? { ttl?.value == settings.dns?.ttl ? nil : ttl?.value }

    /// When the last client that learnt an address with a larger TTL than now is served has forgotten it; nil without one.
    var formerTTLEnd: ClusterTime? { ttl.map { $0.forgottenAt ?? time + $0.former } }

    /// Serves every record with this TTL; nil is the cluster file's again.
    mutating func setTTL(_ value: Duration?, at epoch: Epoch) -> Applied {
        guard let dns = settings.dns else { return .refused("the cluster file names no DNS zone") }
        guard let value else {
            guard ttl != nil else { return .refused("the TTL is the cluster file's already") }
            ttl = nil
            return .done(ClusterEvent(.zoneUpdated, dns.zone, "the TTL is the cluster file's", epoch: epoch))
        }
        guard value >= .seconds(1), value <= dns.ttl else {
            return .refused("a TTL can be lowered to between 1 and \(dns.ttl.milliseconds / 1000) s")
        }
        lower(to: value, from: dns.ttl)
        return .done(
            ClusterEvent(
                .zoneUpdated, dns.zone, "the TTL is \(value.milliseconds / 1000) s for a while",
                epoch: epoch))
    }

    /// A lower TTL in a new cluster file shortens a drain as late as one lowered for a while: clients remember the former.
    mutating func fileTTLChanged(from former: Duration?) {
        guard let former, let new = settings.dns?.ttl else {
            ttl = nil
            return
        }
        guard new != former else { return }
        let served = ttl?.value ?? former
        let value = served < former ? min(served, new) : new
        if value < served || formerTTLEnd.map({ $0 > time }) ?? false {
            lower(to: value, from: former)
        } else if value == new {
            ttl = nil
        }
    }

    private mutating func lower(to value: Duration, from highest: Duration) {
        let isForgotten = formerTTLEnd.map { $0 <= time } ?? true
        let served = ttl?.value ?? highest
        let former = isForgotten ? served : max(served, highest, ttl?.former ?? .zero)
        ttl = TTLOverride(value: value, since: time, former: former, forgottenAt: nil)
    }

    /// Every server serves the lowered TTL: from now on clients forget the former one.
    mutating func noteTTLServed(at epoch: Epoch) -> Applied {
        guard let current = ttl, current.forgottenAt == nil else {
            return .refused("no TTL is being lowered")
        }
        ttl?.forgottenAt = time + current.former
        return .done()
    }
}
