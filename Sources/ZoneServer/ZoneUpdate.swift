import DNSMessages

/// How a dynamic update changes a zone (RFC 2136 §3).
extension Zone {
    /// Carries out a whole update or nothing of it; the serial moves on when anything changed.
    ///
    /// Anything but `noError` leaves the zone as it was.
    package mutating func apply(_ update: DNSUpdate) -> ResponseCode {
        guard update.zone == origin else { return .notAuth }
        let code = check(update.prerequisites)
        return code == .noError ? carryOut(update.operations) : code
    }

    /// Whether all prerequisites hold, in the order of RFC 2136 §3.2.5: values are compared last.
    package func check(_ prerequisites: [Prerequisite]) -> ResponseCode {
        for prerequisite in prerequisites {
            guard prerequisite.name.isSubdomain(of: origin) else { return .notZone }
            switch prerequisite {
            case .exists(let name, let type): if self[name, type] == nil { return .nxRRSet }
            case .absent(let name, let type): if self[name, type] != nil { return .yxRRSet }
            case .nameInUse(let name): if types(of: name).isEmpty { return .nxDomain }
            case .nameNotInUse(let name): if !types(of: name).isEmpty { return .yxDomain }
            case .equals: continue
            }
        }
        for case .equals(let name, let data) in prerequisites {
            guard let type = data.first?.type, let set = self[name, type], Set(set.data) == Set(data) else {
                return .nxRRSet
            }
        }
        return .noError
    }

    /// Carries out the operations of an update whose prerequisites hold (RFC 2136 §3.4).
    package mutating func carryOut(_ operations: [UpdateOperation]) -> ResponseCode {
        guard operations.allSatisfy({ $0.name.isSubdomain(of: origin) }) else { return .notZone }
        for case .add(let record) in operations where !Self.serves(record) { return .refused }
        var changed = self
        var hasChanged = false
        for operation in operations where changed.carryOut(operation) {
            hasChanged = true
            guard !changed.isOverLimit else { return .servFail }
        }
        // What was deleted and added again in one update is no change: the zone counts, not the operations (RFC 2136 §3.7).
        if hasChanged, differs(changed, at: Set(operations.map(\.name))) {
            if changed.serial == serial { changed.advanceSerial() }
            self = changed
        }
        return .noError
    }

    /// Whether any of these names has other records there.
    private func differs(_ other: Zone, at names: Set<DNSName>) -> Bool {
        names.contains { name in
            let types = types(of: name)
            guard types == other.types(of: name) else { return true }
            return types.contains { type in
                let (mine, others) = (self[name, type], other[name, type])
                return mine?.ttl != others?.ttl || Set(mine?.data ?? []) != Set(others?.data ?? [])
            }
        }
    }

    private mutating func advanceSerial() {
        guard var set = self[origin, .soa] else { return }
        var soa = soa
        soa.serial = soa.serial.next
        set.data = [.soa(soa)]
        self[origin, .soa] = set
    }

    /// Returns whether anything changed.
    private mutating func carryOut(_ operation: UpdateOperation) -> Bool {
        switch operation {
        case .add(let record): return add(record)
        case .deleteSet(let name, let type):
            if name == origin, type == .soa || type == .ns { return false }
            return deleteSet(name, type)
        case .deleteName(let name):
            let kept: [RecordType] = name == origin ? [.soa, .ns] : []
            var hasChanged = false
            for type in types(of: name) where !kept.contains(type) && deleteSet(name, type) {
                hasChanged = true
            }
            return hasChanged
        case .delete(let name, let data):
            if data.type == .soa { return false }
            guard var set = self[name, data.type], let place = set.data.firstIndex(of: data) else {
                return false
            }
            // A zone keeps its last name server (RFC 2136 §3.4.2.4).
            if name == origin, data.type == .ns, set.data.count == 1 { return false }
            set.data.remove(at: place)
            self[name, data.type] = set
            return true
        }
    }

    private mutating func deleteSet(_ name: DNSName, _ type: RecordType) -> Bool {
        guard self[name, type] != nil else { return false }
        self[name, type] = nil
        return true
    }

    /// Adds one record; what RFC 2136 §3.4.2.2 says to ignore is ignored silently.
    private mutating func add(_ record: DNSRecord) -> Bool {
        let new = RecordSet(ttl: record.ttl, data: [record.data])
        let old = self[record.name, record.type]
        switch record.data {
        case .soa(let soa):
            guard record.name == origin, soa.serial.isNewer(than: serial) else { return false }
            self[origin, .soa] = new
            return true
        case .cname:
            guard types(of: record.name).allSatisfy({ $0 == .cname }), old != new else { return false }
            self[record.name, .cname] = new
            return true
        default:
            guard self[record.name, .cname] == nil else { return false }
            var set = old ?? new
            set.ttl = record.ttl
            if !set.data.contains(record.data) { set.data.append(record.data) }
            guard set.data.count != old?.data.count || set.ttl != old?.ttl else { return false }
            self[record.name, record.type] = set
            return true
        }
    }
}
