/// Takes values from DER (X.690) of unknown origin, one after the other; nil for what is none. As far as certificates need it.
struct DERReader {
    enum Tag {
        static let boolean: UInt8 = 0x01
        static let integer: UInt8 = 0x02
        static let bitString: UInt8 = 0x03
        static let octetString: UInt8 = 0x04
        static let identifier: UInt8 = 0x06
        static let sequence: UInt8 = 0x30
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// What the next value is, without taking it; nil at the end.
    var nextTag: UInt8? { rest.first }

    /// The content of the next value, whatever it is.
    mutating func next() -> (tag: UInt8, content: ArraySlice<UInt8>)? {
        var ahead = rest
        guard let tag = ahead.popFirst(), tag & 0x1F != 0x1F, let first = ahead.popFirst() else {
            return nil
        }
        var length = Int(first)
        if first >= 0x80 {
            // Three bytes of length are more than any certificate here has.
            let count = Int(first & 0x7F)
            guard (1...3).contains(count), ahead.count >= count else { return nil }
            length = ahead.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            ahead = ahead.dropFirst(count)
        }
        guard length <= ahead.count else { return nil }
        rest = ahead.dropFirst(length)
        return (tag, ahead.prefix(length))
    }

    /// The content of the next value, which must be one of these.
    mutating func next(_ tag: UInt8) -> ArraySlice<UInt8>? {
        guard nextTag == tag else { return nil }
        return next()?.content
    }

    /// The values within the next sequence.
    mutating func sequence() -> DERReader? { next(Tag.sequence).map { DERReader($0) } }
}
