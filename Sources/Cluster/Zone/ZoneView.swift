import Primitives

// What name servers should say, and whether they do.

extension ClusterView {
    /// The zone as the control state wants it; nil without DNS.
    var desiredZone: DesiredZone? {
        guard let dns = state.settings.dns else { return nil }
        let ttl = UInt32(clamping: (state.ttl?.value ?? dns.ttl).nanoseconds / 1_000_000_000)
        let writer = "\(state.settings.cluster)/\(String(state.clusterID, radix: 16))"
        var desired = DesiredZone(
            settings: dns, writer: writer, records: [], ours: state.settings.addresses.map(\.ip),
            seats: state.seats.map(\.name))
        var records: [ZoneRecord] = []
        for seat in state.seats {
            let addresses = publishedAddresses(of: seat)
            for ip in addresses {
                records += dns.services.map {
                    ZoneRecord(name: desired.serviceName($0), ttl: ttl, content: .address(ip))
                }
                if dns.seatNames {
                    records.append(
                        ZoneRecord(name: "\(seat.name).\(dns.zone)", ttl: ttl, content: .address(ip)))
                }
            }
            guard !addresses.isEmpty else { continue }
            for srv in dns.srv {
                let target =
                    dns.seatNames ? "\(seat.name).\(dns.zone)" : desired.serviceName(dns.services.first ?? "")
                let record = ZoneRecord(
                    name: "\(srv.service).\(dns.zone)", ttl: ttl,
                    content: .srv(priority: srv.priority, weight: srv.weight, port: srv.port, target: target))
                if !records.contains(record) { records.append(record) }
            }
        }
        desired.records = records.sorted()
        return desired
    }

    /// A seat is published while a live node has its address, or is about to; with a drain, both addresses while the
    /// new one is spread.
    func publishedAddresses(of seat: Seat) -> [IPAddress] {
        var names: [String] = []
        if isPublishable(seat.address) { names.append(seat.address) }
        if let drain = state.drain, drain.seat == seat.name, drain.phase.servesBoth,
            isPublishable(drain.newAddress)
        {
            names.append(drain.newAddress)
        }
        return names.compactMap { state.address($0)?.ip }
    }

    private func isPublishable(_ address: String) -> Bool {
        guard let grant = state.grant(of: address), !grant.revoked, state.isActive(grant.holder) else {
            return state.settings.policy.onExhaustion == .keep && isServed(address)
        }
        return holds(grant.holder, address) || isServed(address)
    }

    /// Whether the primary serves the address already: a move or takeover in progress does not withdraw it.
    private func isServed(_ address: String) -> Bool {
        state.address(address).map { zone.serves($0.ip) } ?? false
    }

    /// The largest TTL any server serves now for the records fsdns keeps.
    var largestServedTTL: Duration {
        guard var largest = state.servedTTL else { return .zero }
        for reading in zone.readings {
            for record in reading.records ?? [] where record.type != "TXT" {
                largest = max(largest, .seconds(Int64(record.ttl)))
            }
        }
        return largest
    }

    /// Why the zone does not say yet what was decided; nil when every server does.
    var zoneObstacle: String? {
        guard let desired = desiredZone else { return nil }
        if zone.converged == desired.records { return nil }
        let behind = zone.readings.compactMap { reading in
            desired.problem(of: reading).map { "\(reading.endpoint): \($0)" }
        }
        let why = (zone.worst.map { [$0.text] } ?? []) + behind
        return "every DNS server to serve the new set"
            + (why.isEmpty ? "" : " (\(why.joined(separator: "; ")))")
    }
}
