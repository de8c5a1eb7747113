/// Finds marks in bytes that are too many to be parsed as a whole.
struct ByteScan {
    private let bytes: [UInt8]
    private(set) var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Moves behind the next occurrence; stays when there is none.
    mutating func skip(past mark: StaticString) -> Bool {
        guard let found = find(mark, from: at) else { return false }
        at = found + mark.utf8CodeUnitCount
        return true
    }

    /// The next stretch from an opening mark to its closing one, both included, and moves behind it. A closing mark counts after a
    /// blank only, where no phone's text can have written it.
    mutating func element(_ open: StaticString, _ close: StaticString) -> Range<Int>? {
        guard let start = find(open, from: at) else { return nil }
        var from = start + open.utf8CodeUnitCount
        while let end = find(close, from: from) {
            from = end + close.utf8CodeUnitCount
            guard bytes[end - 1] <= 0x20 else { continue }
            at = from
            return start..<at
        }
        return nil
    }

    private func find(_ mark: StaticString, from start: Int) -> Int? {
        let count = mark.utf8CodeUnitCount
        guard count > 0, bytes.count - start >= count else { return nil }
        return bytes.withUnsafeBufferPointer { bytes in
            let first = mark.utf8Start[0]
            var at = start
            let last = bytes.count - count
            while at <= last {
                if bytes[at] == first, (1..<count).allSatisfy({ bytes[at + $0] == mark.utf8Start[$0] }) {
                    return at
                }
                at += 1
            }
            return nil
        }
    }
}
