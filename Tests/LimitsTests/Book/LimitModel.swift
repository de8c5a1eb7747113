/// What the limit book should say, worked out slowly: sums over plain dictionaries, no tables, no kept sums.
struct LimitModel {
    struct Part {
        var counted: UInt64 = 0
        var adopted: UInt64 = 0
        /// In seconds after the start; nil when it does not end by itself.
        var end: Double?

        var total: UInt64 { counted + adopted }
    }

    struct Node {
        var life: UInt64
        var isForgotten = false
        var parts: [String: Part] = [:]
    }

    var own: [String: Part] = [:]
    var nodes: [String: Node] = [:]
    var legs: [String: [String]] = [:]
    var reachable: [String] = []
    var isSplit = false

    mutating func pass(_ now: Double) {
        for (key, part) in own {
            if let end = part.end, end <= now { own[key] = Part(adopted: part.adopted) }
            if own[key]?.total == 0 { own[key] = nil }
        }
        for (name, node) in nodes {
            nodes[name]?.parts = node.parts.filter { $0.value.end.map { $0 > now } ?? true }
        }
    }

    func sum(_ key: String) -> UInt64? {
        var users = own[key].map { [$0] } ?? []
        let others = nodes.filter { !$0.value.isForgotten && $0.value.parts[key] != nil }
        for (name, node) in others where !isSplit || reachable.contains(name) { users += [node.parts[key]!] }
        return users.isEmpty && others.isEmpty ? nil : users.reduce(0) { $0 + $1.total }
    }

    mutating func increment(_ key: String, _ now: Double) {
        var part = own[key] ?? Part()
        if part.total == 0 {
            part.end = nodes.values.compactMap { $0.parts[key]?.end }.max() ?? windowEnd(key, now)
        }
        part.counted += 1
        own[key] = part
    }

    private func windowEnd(_ key: String, _ now: Double) -> Double? {
        guard let number = key.split(separator: "_").last.flatMap({ UInt64($0) }), key.contains("_") else {
            return nil
        }
        let wall = wallStart + UInt64(now)
        let interval = (1...60).first { wall / $0 == number || (wall - 1) / $0 == number }
        return interval.map { now + Double($0) }
    }

    mutating func decrement(_ key: String) {
        guard let part = own[key], part.counted > 0 else { return }
        own[key]?.counted -= 1
        if own[key]?.total == 0 { own[key] = nil }
    }

    mutating func expire(_ key: String, _ seconds: Int, _ now: Double) {
        guard let part = own[key] else { return }
        own[key]?.end = now + Double(seconds)
        if seconds <= 0 { own[key] = part.adopted > 0 ? Part(adopted: part.adopted) : nil }
    }

    mutating func adopt(_ leg: String, _ keys: [String]) {
        release(leg)
        legs[leg] = keys
        for key in keys { own[key, default: Part()].adopted += 1 }
    }

    mutating func release(_ leg: String) {
        for key in legs.removeValue(forKey: leg) ?? [] {
            own[key]?.adopted -= 1
            if own[key]?.total == 0 { own[key] = nil }
        }
    }

    mutating func restart() {
        own = [:]
        legs = [:]
    }

    /// Whether what that life says still counts.
    mutating func hear(_ name: String, _ life: UInt64) -> Bool {
        guard let node = nodes[name] else {
            nodes[name] = Node(life: life)
            return true
        }
        if life > node.life { nodes[name] = Node(life: life) }
        return life > node.life || life == node.life && !node.isForgotten
    }

    mutating func put(_ name: String, _ life: UInt64, _ key: String, _ part: Part, _ now: Double) {
        guard hear(name, life) else { return }
        if let end = part.end, end <= now {
            nodes[name]?.parts[key] = nil
            return
        }
        nodes[name]?.parts[key] = part
        if let end = part.end, let mine = own[key], mine.counted > 0, mine.adopted == 0, mine.end == nil {
            own[key]?.end = end
        }
    }

    mutating func forget(_ name: String, _ life: UInt64) {
        if let node = nodes[name], node.life > life { return }
        nodes[name] = Node(life: life, isForgotten: true)
    }
}
