import DNSMessages

/// What an authoritative server says to a question (RFC 1034 §4.3.2, without wildcards).
extension Zone {
    /// Longest chain of aliases followed within the zone.
    private static let aliasLimit = 8

    /// Answers a query of one question; names outside the zone are refused.
    package func answer(_ query: DNSMessage) -> DNSMessage {
        guard query.questions.count == 1, let question = query.questions.first else {
            return query.reply(.formErr)
        }
        if let edns = query.edns, edns.version > 0 { return query.reply(.badVers) }
        guard question.recordClass == .in || question.recordClass == .any,
            question.name.isSubdomain(of: origin), question.type == .any || !question.type.isMeta
        else { return query.reply(.refused) }

        var reply = query.reply(.noError)
        reply.isAuthoritative = true
        var name = question.name
        for _ in 0...Self.aliasLimit {
            if let cut = delegation(above: name) {
                refer(to: cut, in: &reply)
                return reply
            }
            let found = matches(name, question.type)
            if !found.isEmpty {
                reply.answerSection += found.map { RawRecord($0) }
                addAddresses(for: found, to: &reply)
                return reply
            }
            guard let alias = records(name, .cname, owner: name).first, case .cname(let target) = alias.data
            else {
                deny(name, in: &reply)
                return reply
            }
            reply.answerSection.append(RawRecord(alias))
            guard target.isSubdomain(of: origin) else { return reply }
            name = target
        }
        return query.reply(.servFail)
    }

    /// For ANY the first set alone, as RFC 8482 §4.1 allows: a small answer helps no flood.
    private func matches(_ name: DNSName, _ type: RecordType) -> [DNSRecord] {
        guard type == .any else { return records(name, type, owner: name) }
        return types(of: name).first.map { records(name, $0, owner: name) } ?? []
    }

    /// The highest name at or above `name`, below the top, that is handed to other servers.
    private func delegation(above name: DNSName) -> DNSName? {
        var cut: DNSName?
        var next: DNSName? = name
        while let candidate = next, candidate != origin {
            if self[candidate, .ns] != nil { cut = candidate }
            next = candidate.parent
        }
        return cut
    }

    private func refer(to cut: DNSName, in reply: inout DNSMessage) {
        if reply.answerSection.isEmpty { reply.isAuthoritative = false }
        let servers = records(cut, .ns)
        reply.authoritySection = servers.map { RawRecord($0) }
        addAddresses(for: servers, to: &reply)
    }

    /// NXDOMAIN or no data, with the SOA whose TTL says how long that may be kept (RFC 2308 §3).
    private func deny(_ name: DNSName, in reply: inout DNSMessage) {
        if !exists(name) { reply.code = .nxDomain }
        let soa = soa
        reply.authoritySection = records(origin, .soa).map { record in
            var record = record
            record.ttl = min(record.ttl, soa.minimum)
            return RawRecord(record)
        }
    }

    /// Addresses of the targets named in NS and SRV records, as far as this zone has them.
    private func addAddresses(for records: [DNSRecord], to reply: inout DNSMessage) {
        var seen: [DNSName] = []
        for record in records {
            let target: DNSName
            switch record.data {
            case .ns(let name), .srv(_, _, _, let name): target = name
            default: continue
            }
            if seen.contains(target) { continue }
            seen.append(target)
            for type in [RecordType.a, .aaaa] {
                reply.additionalSection += self.records(target, type).map { RawRecord($0) }
            }
        }
    }
}
