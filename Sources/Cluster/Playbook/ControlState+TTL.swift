import Consensus

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
        let former = max(servedTTL ?? value, ttl?.forgottenAt.map { $0 <= time } ?? true ? .zero : dns.ttl)
        ttl = TTLOverride(value: value, since: time, former: former, forgottenAt: nil)
        return .done(
            ClusterEvent(
                .zoneUpdated, dns.zone, "the TTL is \(value.milliseconds / 1000) s for a while",
                epoch: epoch))
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
