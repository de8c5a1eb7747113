/// A set of byte values.
struct ByteSet: Hashable, Sendable {
    private var words: [UInt64] = [0, 0, 0, 0]

    init() {}
    init(_ bytes: some Sequence<UInt8>) { for byte in bytes { insert(byte) } }

    func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] & 1 << UInt64(byte & 63) != 0 }
    mutating func insert(_ byte: UInt8) { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
    mutating func formUnion(_ other: ByteSet) {
        for index in words.indices { words[index] |= other.words[index] }
    }
    var inverted: ByteSet {
        var result = self
        for index in words.indices { result.words[index] = ~words[index] }
        return result
    }
    /// With each letter in both cases.
    var folded: ByteSet {
        var result = self
        for letter in UInt8(ascii: "a")...UInt8(ascii: "z") where contains(letter) || contains(letter - 32) {
            result.insert(letter)
            result.insert(letter - 32)
        }
        return result
    }
}

/// A parsed pattern.
indirect enum PatternNode {
    case one(ByteSet)
    case begin, end
    case sequence([PatternNode])
    case either(PatternNode, PatternNode)
    /// At least and at most so often.
    case times(PatternNode, Int, Int?)
}

/// Reads the patterns that `FilterPattern` knows.
struct PatternParser {
    private static let maximumDepth = 16
    private static let maximumTimes = 255
    private let bytes: [UInt8]
    private let ignoresCase: Bool
    private var at = 0
    private var depth = 0

    init(bytes: [UInt8], ignoresCase: Bool) {
        self.bytes = bytes
        self.ignoresCase = ignoresCase
    }

    private var error: FilterPattern.Failure { .syntax(at) }
    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    mutating func parse() throws(FilterPattern.Failure) -> PatternNode {
        let node = try alternatives()
        guard at == bytes.count else { throw error }
        return node
    }

    private mutating func alternatives() throws(FilterPattern.Failure) -> PatternNode {
        var node = try sequence()
        while take(UInt8(ascii: "|")) { node = .either(node, try sequence()) }
        return node
    }

    private mutating func sequence() throws(FilterPattern.Failure) -> PatternNode {
        var nodes: [PatternNode] = []
        while let byte = next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
            nodes.append(try repetition(of: try atom()))
        }
        return .sequence(nodes)
    }

    private mutating func atom() throws(FilterPattern.Failure) -> PatternNode {
        guard let byte = next else { throw error }
        at += 1
        switch byte {
        case UInt8(ascii: "^"): return .begin
        case UInt8(ascii: "$"): return .end
        case UInt8(ascii: "."): return .one(ByteSet([UInt8(ascii: "\n")]).inverted)
        case UInt8(ascii: "["): return .one(try set())
        case UInt8(ascii: "\\"): return .one(folding(try escape()))
        case UInt8(ascii: "("):
            depth += 1
            guard depth <= Self.maximumDepth else { throw error }
            if take(UInt8(ascii: "?")), !take(UInt8(ascii: ":")) { throw error }
            let node = try alternatives()
            guard take(UInt8(ascii: ")")) else { throw error }
            depth -= 1
            return node
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
            at -= 1
            throw error
        default: return .one(folding(ByteSet([byte])))
        }
    }

    private func folding(_ set: ByteSet) -> ByteSet { ignoresCase ? set.folded : set }

    private mutating func repetition(of node: PatternNode) throws(FilterPattern.Failure) -> PatternNode {
        var node = node
        switch next {
        case UInt8(ascii: "*"): node = .times(node, 0, nil)
        case UInt8(ascii: "+"): node = .times(node, 1, nil)
        case UInt8(ascii: "?"): node = .times(node, 0, 1)
        case UInt8(ascii: "{"):
            at += 1
            let least = try number()
            var most: Int? = least
            if take(UInt8(ascii: ",")) { most = next == UInt8(ascii: "}") ? nil : try number() }
            guard next == UInt8(ascii: "}"), most.map({ $0 >= least }) ?? true else { throw error }
            node = .times(node, least, most)
        default: return node
        }
        at += 1
        // Matching only asks whether, so a lazy or possessive sign would change nothing or the outcome.
        _ = take(UInt8(ascii: "?"))
        return node
    }

    private mutating func number() throws(FilterPattern.Failure) -> Int {
        var value: Int?
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
            value = (value ?? 0) * 10 + Int(byte - UInt8(ascii: "0"))
            guard value! <= Self.maximumTimes else { throw error }
            at += 1
        }
        guard let value else { throw error }
        return value
    }

    private mutating func escape() throws(FilterPattern.Failure) -> ByteSet {
        guard let byte = next else { throw error }
        let digits = ByteSet(UInt8(ascii: "0")...UInt8(ascii: "9"))
        var word = digits
        word.formUnion(ByteSet(UInt8(ascii: "a")...UInt8(ascii: "z")))
        word.formUnion(ByteSet(UInt8(ascii: "A")...UInt8(ascii: "Z")))
        word.insert(UInt8(ascii: "_"))
        let space = ByteSet([0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D])
        let set: ByteSet
        switch byte {
        case UInt8(ascii: "d"): set = digits
        case UInt8(ascii: "D"): set = digits.inverted
        case UInt8(ascii: "w"): set = word
        case UInt8(ascii: "W"): set = word.inverted
        case UInt8(ascii: "s"): set = space
        case UInt8(ascii: "S"): set = space.inverted
        case UInt8(ascii: "n"): set = ByteSet([0x0A])
        case UInt8(ascii: "r"): set = ByteSet([0x0D])
        case UInt8(ascii: "t"): set = ByteSet([0x09])
        // Other letters and digits mean what this matcher does not have.
        case _ where word.contains(byte): throw error
        default: set = ByteSet([byte])
        }
        at += 1
        return set
    }

    /// What follows `[`, up to its `]`.
    private mutating func set() throws(FilterPattern.Failure) -> ByteSet {
        var result = ByteSet()
        let isInverted = take(UInt8(ascii: "^"))
        var isFirst = true
        while let byte = next, isFirst || byte != UInt8(ascii: "]") {
            isFirst = false
            at += 1
            if byte == UInt8(ascii: "\\") {
                result.formUnion(try escape())
                continue
            }
            // Named classes such as [:alpha:].
            if byte == UInt8(ascii: "["), next == UInt8(ascii: ":") { throw error }
            guard next == UInt8(ascii: "-"), at + 1 < bytes.count, bytes[at + 1] != UInt8(ascii: "]") else {
                result.insert(byte)
                continue
            }
            let last = bytes[at + 1]
            guard last >= byte, last != UInt8(ascii: "\\") else { throw error }
            at += 2
            result.formUnion(ByteSet(byte...last))
        }
        guard take(UInt8(ascii: "]")) else { throw error }
        return isInverted ? folding(result).inverted : folding(result)
    }
}
