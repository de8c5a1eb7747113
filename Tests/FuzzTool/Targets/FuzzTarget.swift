/// One reader of foreign bytes, and what has to be true of whatever it makes of them.
struct FuzzTarget: Sendable {
    let name: String
    let summary: String
    /// Of an input, in bytes: longer ones cost time and reach nothing new.
    let maximumLength: Int
    /// Inputs to begin with: from recordings and from the encoders.
    let seeds: @Sendable () -> [[UInt8]]
    /// Traps when the reader breaks a promise; a trap within the reader is a finding too.
    let run: @Sendable (inout FuzzInput) -> Void

    init(
        _ name: String, _ summary: String, maximumLength: Int = 4096,
        seeds: @escaping @Sendable () -> [[UInt8]], run: @escaping @Sendable (inout FuzzInput) -> Void
    ) {
        self.name = name
        self.summary = summary
        self.maximumLength = maximumLength
        self.seeds = seeds
        self.run = run
    }

    /// One execution.
    func callAsFunction(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        run(&input)
    }

    static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// What an input means: the text that is read comes from its front, the choices (where a stream is cut, what happens
/// between two pieces) from its end. A recorded stream is therefore an input as it is.
struct FuzzInput {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    var isEmpty: Bool { bytes.isEmpty }

    /// A choice out of so many; the first when the input is used up.
    mutating func choice(_ count: Int) -> Int {
        precondition(count > 0)
        guard let last = bytes.popLast() else { return 0 }
        guard count > 256, let more = bytes.popLast() else { return Int(last) % count }
        return (Int(last) << 8 | Int(more)) % count
    }

    mutating func flag() -> Bool { choice(2) == 1 }

    mutating func number() -> UInt64 {
        (0..<8).reduce(0) { value, _ in value << 8 | UInt64(choice(256)) }
    }

    mutating func pick<Value>(_ values: [Value]) -> Value { values[choice(values.count)] }

    /// Everything that is left.
    mutating func rest() -> [UInt8] {
        defer { bytes = [] }
        return Array(bytes)
    }

    mutating func text() -> String { String(decoding: rest(), as: UTF8.self) }

    /// The next piece of a stream, of a length the input chooses: mostly long ones, now and then single bytes.
    mutating func piece() -> ArraySlice<UInt8>? {
        guard !bytes.isEmpty else { return nil }
        let chosen = choice(256)
        let length = chosen < 16 ? chosen + 1 : chosen < 128 ? chosen * 4 : bytes.count
        let piece = bytes.prefix(max(1, length))
        bytes = bytes.dropFirst(piece.count)
        return piece
    }

    /// A message with its kind and two bytes of length before it, from the front: for machines that are told many.
    mutating func message() -> (kind: UInt8, bytes: [UInt8])? {
        guard let kind = bytes.popFirst(), let high = bytes.popFirst(), let low = bytes.popFirst() else {
            return nil
        }
        return (kind, take(Int(high) << 8 | Int(low)))
    }

    /// What `message` reads.
    static func message(_ kind: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        let bytes = bytes.prefix(65_535)
        return [kind, UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        let piece = bytes.prefix(count)
        bytes = bytes.dropFirst(piece.count)
        return Array(piece)
    }
}

/// Ends the process when a promise is broken, as a trap does: the fuzzer keeps the input that did it.
func expect(
    _ isTrue: Bool, _ words: @autoclosure () -> String, line: Int = #line, file: StaticString = #fileID
) {
    if !isTrue { fatalError("\(file):\(line): \(words())") }
}
