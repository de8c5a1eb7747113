/// The keys of mod_hash: what every node's `hash_dump limit` says, and the answer for our own switch's remote.
struct HashFigures: Sendable {
    var usage: UsageTable<HashUsage>
    var scale = LimitScale()
    /// Whether the origin in that place counts now.
    var counts: [Bool] = []
    /// What was found unreadable of late, so that it is not said again.
    private var toldFaults: [String] = []
    private static let toldFaultLimit = 256

    init(seed: UInt64) { usage = UsageTable(.hash, none: HashUsage(), seed: seed) }

    // MARK: - Our own switch

    /// Takes over a whole answer of our switch to `api hash_dump limit`: keys that are not in it are used no more, and
    /// no more is taken over than the allowances say. A key that is told twice counts with the larger figures.
    mutating func observe(
        _ dump: [UInt8], _ allowances: [String: LimitAllowance], _ policies: LimitPolicies,
        at now: LimitMoment
    ) -> (keys: Int, faults: [String]) {
        var isListed = [Bool](repeating: false, count: usage.table.count)
        var faults: [String] = []
        var figures: [String: HashUsage] = [:]
        var order: [String] = []
        for line in dump.split(separator: UInt8(ascii: "\n")) where line.starts(with: [76, 47]) {
            guard let (name, listed) = HashDumpLine.parse(line) else {
                tell("malformed line \(String(decoding: line.prefix(300), as: UTF8.self))", &faults)
                continue
            }
            guard let believed = believed(listed, allowances[name], at: now.wall) else { continue }
            if figures[name] == nil { order.append(name) }
            figures[name] = figures[name].map { $0.larger(believed) } ?? believed
        }
        var keys = 0
        for name in order {
            guard var own = figures[name] else { continue }
            guard let place = place(of: name, policies) else {
                tell("no room for key \(name)", &faults)
                continue
            }
            if place < isListed.count { isListed[place] = true }
            own.adopted = usage.table.values[place].own.adopted
            if own != usage.table.values[place].own { usage.set(place, own, expiry: .max) }
            keys += 1
        }
        for place in isListed.indices where !isListed[place] {
            let gone = HashUsage(adopted: usage.table.values[place].own.adopted)
            if usage.table.values[place].own != gone { usage.set(place, gone, expiry: .max) }
        }
        return (keys, faults)
    }

    /// What of a line our own calls account for; nil when that is nothing.
    private func believed(
        _ listed: HashUsage, _ allowance: LimitAllowance?, at wall: UInt64
    ) -> HashUsage? {
        guard let allowance else { return nil }
        var usage = listed
        usage.total = min(usage.total, allowance.total)
        usage.rate = min(usage.rate, allowance.rate)
        return usage.total > 0 || usage.isRateCurrent(at: wall) ? usage : nil
    }

    /// Once for each fault: the dump is asked for several times a second, and a name may stay in it for ever.
    private mutating func tell(_ fault: String, _ faults: inout [String]) {
        guard faults.count < 10, !toldFaults.contains(fault) else { return }
        if toldFaults.count >= Self.toldFaultLimit { toldFaults.removeFirst() }
        toldFaults.append(fault)
        faults.append(fault)
    }

    private mutating func place(of name: String, _ policies: LimitPolicies) -> Int? {
        if let place = usage.table.place(of: name) {
            return usage.table.values[place].own != usage.none || usage.ownKeys < LimitBounds.keysPerOrigin
                ? place : nil
        }
        guard usage.hasRoom else { return nil }
        var name = name
        return name.withUTF8 { usage.add(UnsafeRawBufferPointer($0), policies) }
    }

    /// False when there is no room for another key.
    mutating func adopt(_ name: String, _ policies: LimitPolicies) -> Bool {
        guard let place = place(of: name, policies) else { return false }
        var own = usage.table.values[place].own
        if own.adopted < LimitBounds.count { own.adopted += 1 }
        usage.set(place, own, expiry: .max)
        return true
    }

    mutating func release(_ name: String) {
        guard let place = usage.table.place(of: name), usage.table.values[place].own.adopted > 0 else {
            return
        }
        var own = usage.table.values[place].own
        own.adopted -= 1
        usage.set(place, own, expiry: .max)
    }

    mutating func forgetOwn() {
        for place in usage.table.values.indices where usage.table.values[place].own != usage.none {
            usage.set(place, usage.none, expiry: .max)
        }
    }

    // MARK: - The answer for our switch's remote

    /// Lines `L/KEY/TOTAL/RATE/INTERVAL/LAST_CHECK` of what all others use, and of our adopted legs, which our
    /// switch does not count; `-ERR no reply` when there is nothing, because an empty body keeps old figures for ever
    /// (mod_hash.c, limit_remote_thread).
    func answer(at wall: UInt64) -> [UInt8] {
        var text: [UInt8] = []
        for place in usage.table.values.indices {
            let line = merged(place, wall)
            guard line.total > 0 || line.rate > 0 else { continue }
            text += [76, 47]
            text += usage.table.keys[place]
            for number in [UInt64(line.total), UInt64(line.rate), UInt64(line.interval), line.lastCheck] {
                text.append(UInt8(ascii: "/"))
                text += String(number).utf8
            }
            text.append(UInt8(ascii: "\n"))
        }
        return text.isEmpty ? Array("-ERR no reply\n".utf8) : text
    }

    private func merged(_ place: Int, _ wall: UInt64) -> HashUsage {
        let entry = usage.table.values[place]
        var others: UInt64 = 0
        var rate: UInt64 = 0
        var line = HashUsage()
        for remote in entry.remotes where counts[remote.origin] {
            others += UInt64(remote.usage.total) + UInt64(remote.usage.adopted)
            guard remote.usage.isRateCurrent(at: wall) else { continue }
            rate += UInt64(remote.usage.rate)
            line.interval = max(line.interval, remote.usage.interval)
            line.lastCheck = max(line.lastCheck, remote.usage.lastCheck)
        }
        others += UInt64(entry.own.adopted)
        line.total = UInt32(told(others, counted: UInt64(entry.own.total), entry.policy))
        line.rate = UInt32(min(rate, LimitBounds.answer))
        return line
    }

    /// mod_hash refuses when its own count + 1 + what it is told goes over MAX: under `share` it is told so much
    /// that this is so when our side has used its part.
    private func told(_ others: UInt64, counted: UInt64, _ policy: LimitPolicy) -> UInt64 {
        guard scale.isSplit else { return min(others, LimitBounds.answer) }
        switch policy {
        case .open: return min(others, LimitBounds.answer)
        case .closed: return LimitBounds.refusal
        case .share:
            // Not a key any of us uses: it has its whole part left.
            if others + counted == 0 { return 0 }
            let next = others + counted + 1
            return min(scale.answer(next, .share) - (counted + 1), LimitBounds.answer)
        }
    }
}

/// One line of `hash_dump limit`.
enum HashDumpLine {
    /// Nil when it is not `L/KEY/TOTAL/RATE/INTERVAL/LAST_CHECK` with a fit key and numbers in their ranges.
    static func parse(_ line: ArraySlice<UInt8>) -> (name: String, usage: HashUsage)? {
        let fields = line.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard fields.count == 6, let name = String(validating: fields[1], as: UTF8.self),
            LimitKey.fault(in: name) == nil, let total = count(fields[2]), let rate = count(fields[3]),
            let interval = count(fields[4]), let lastCheck = number(fields[5])
        else { return nil }
        return (name, HashUsage(total: total, rate: rate, interval: interval, lastCheck: lastCheck))
    }

    /// mod_hash prints unsigned counters as signed numbers; one that went below zero counts as none.
    private static func count(_ field: ArraySlice<UInt8>) -> UInt32? {
        if field.first == UInt8(ascii: "-") { return number(field.dropFirst()) == nil ? nil : 0 }
        return number(field).map { UInt32(min($0, UInt64(LimitBounds.count))) }
    }

    private static func number(_ field: ArraySlice<UInt8>) -> UInt64? {
        guard !field.isEmpty, field.count <= 12 else { return nil }
        var value: UInt64 = 0
        for byte in field {
            guard byte >= 48, byte <= 57 else { return nil }
            value = value * 10 + UInt64(byte - 48)
        }
        return value
    }
}
