/// A regular expression `/…/` or `/…/i` of a filter, matched byte by byte in time linear in the value: a client's pattern must not be
/// able to hold up the server, which backtracking would allow.
///
/// Knows literals, `.`, classes, `\d \w \s` and their opposites, groups, `|`, `* + ?` and `{m,n}`, `^ $`; nothing that needs a memory of
/// what was matched.
struct FilterPattern: Hashable, Sendable {
    enum Failure: Error, Hashable, CustomStringConvertible {
        case noEnd, tooLong
        /// At this byte of the pattern.
        case syntax(Int)

        var description: String {
            switch self {
            case .noEnd: "no closing slash"
            case .tooLong: "too long"
            case .syntax(let at): "not understood at character \(at + 1)"
            }
        }
    }

    private enum Step: Hashable {
        case one(ByteSet)
        /// Goes on in both places.
        case split(Int, Int)
        case jump(Int)
        case begin, end, match
    }

    static let maximumBytes = 256
    private static let maximumSteps = 512
    private var steps: [Step] = []

    init(_ text: String) throws(Failure) {
        let bytes = Array(text.utf8)
        guard bytes.first == UInt8(ascii: "/"), let close = bytes.lastIndex(of: UInt8(ascii: "/")), close > 0
        else { throw .noEnd }
        guard close <= Self.maximumBytes else { throw .tooLong }
        let flags = bytes[(close + 1)...]
        guard flags.allSatisfy({ $0 == UInt8(ascii: "i") }) else { throw .syntax(close + 1) }
        var parser = PatternParser(bytes: Array(bytes[1..<close]), ignoresCase: !flags.isEmpty)
        var budget = Self.maximumSteps * 4
        try emit(try parser.parse(), &budget)
        steps.append(.match)
    }

    /// `budget` counts down with every node, for a node that makes no step can be repeated too.
    private mutating func emit(_ node: PatternNode, _ budget: inout Int) throws(Failure) {
        budget -= 1
        guard steps.count < Self.maximumSteps, budget > 0 else { throw .tooLong }
        switch node {
        case .one(let set): steps.append(.one(set))
        case .begin: steps.append(.begin)
        case .end: steps.append(.end)
        case .sequence(let nodes): for node in nodes { try emit(node, &budget) }
        case .either(let one, let other):
            let split = steps.count
            steps.append(.jump(0))
            try emit(one, &budget)
            let jump = steps.count
            steps.append(.jump(0))
            steps[split] = .split(split + 1, steps.count)
            try emit(other, &budget)
            steps[jump] = .jump(steps.count)
        case .times(let node, let least, let most):
            for _ in 0..<least { try emit(node, &budget) }
            if let most {
                try emitOptional(node, most - least, &budget)
            } else {
                let split = steps.count
                steps.append(.jump(0))
                try emit(node, &budget)
                steps.append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
            }
        }
    }

    private mutating func emitOptional(_ node: PatternNode, _ count: Int, _ budget: inout Int) throws(Failure)
    {
        var splits: [Int] = []
        for _ in 0..<count {
            splits.append(steps.count)
            steps.append(.jump(0))
            try emit(node, &budget)
        }
        for split in splits { steps[split] = .split(split + 1, steps.count) }
    }

    /// Whether any part of the value matches.
    func matches(_ value: String) -> Bool {
        var places = PatternPlaces(count: steps.count)
        var next = PatternPlaces(count: steps.count)
        let bytes = Array(value.utf8)
        for at in 0...bytes.count {
            if reach(0, at, bytes.count, &places) { return true }
            guard at < bytes.count else { return false }
            next.removeAll()
            for place in places.list {
                guard case .one(let set) = steps[place], set.contains(bytes[at]) else { continue }
                if reach(place + 1, at + 1, bytes.count, &next) { return true }
            }
            swap(&places, &next)
        }
        return false
    }

    /// Adds a place and all that can be reached from it without a byte; true if that is the end of the pattern.
    private func reach(_ place: Int, _ at: Int, _ end: Int, _ places: inout PatternPlaces) -> Bool {
        var open = [place]
        while let place = open.popLast() {
            guard places.insert(place) else { continue }
            switch steps[place] {
            case .match: return true
            case .jump(let to): open.append(to)
            case .split(let one, let other): open += [other, one]
            case .begin: if at == 0 { open.append(place + 1) }
            case .end: if at == end { open.append(place + 1) }
            case .one: break
            }
        }
        return false
    }
}

/// A set of places in a pattern that is emptied in the time of its size.
private struct PatternPlaces {
    private(set) var list: [Int] = []
    private var isIn: [Bool]

    init(count: Int) { isIn = [Bool](repeating: false, count: count) }

    mutating func insert(_ place: Int) -> Bool {
        guard !isIn[place] else { return false }
        isIn[place] = true
        list.append(place)
        return true
    }

    mutating func removeAll() {
        for place in list { isIn[place] = false }
        list.removeAll(keepingCapacity: true)
    }
}
