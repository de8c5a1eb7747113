import Primitives

// How commands and requests stand in JSON: an object with one key, the kind, and in it what belongs to the kind, by name.
// What belongs to it without a name is `_0`, `_1`, …: format 1 was made by the compiler, which calls it so.

/// A key of JSON that no enumeration lists.
struct TextKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(_ text: String) { stringValue = text }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
}

/// Reads one value of an enumeration, also where this release does not know its kind.
struct KindReader<Kind: RawRepresentable<String>> {
    /// A name that is longer, or has what nobody sees, is none: it goes into logs.
    private static var longestName: Int { 64 }

    /// Nil for one that only a later release knows.
    let kind: Kind?
    let name: String
    private let values: KeyedDecodingContainer<TextKey>?

    /// - Throws: when there is no key, or more than one that is known.
    init(_ decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: TextKey.self)
        let names = container.allKeys.map(\.stringValue).sorted()
        let known = names.filter { Kind(rawValue: $0) != nil }
        guard known.count <= 1, let name = known.first ?? names.first,
            (1...Self.longestName).contains(name.utf8.count), VisibleText.isPlain(name)
        else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "there must be one kind"))
        }
        self.name = name
        kind = Kind(rawValue: name)
        values =
            try kind == nil
            ? nil : container.nestedContainer(keyedBy: TextKey.self, forKey: TextKey(name))
    }

    func callAsFunction<Value: Decodable>(_ key: String = "_0") throws -> Value {
        try present().decode(Value.self, forKey: TextKey(key))
    }

    func optional<Value: Decodable>(_ key: String = "_0") throws -> Value? {
        try present().decodeIfPresent(Value.self, forKey: TextKey(key))
    }

    private func present() throws -> KeyedDecodingContainer<TextKey> {
        guard let values else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: [], debugDescription: "nothing is known of \(name)"))
        }
        return values
    }
}

/// Writes one value of an enumeration.
struct KindWriter {
    private var values: KeyedEncodingContainer<TextKey>

    init(_ encoder: any Encoder, _ kind: String) {
        var container = encoder.container(keyedBy: TextKey.self)
        values = container.nestedContainer(keyedBy: TextKey.self, forKey: TextKey(kind))
    }

    /// Nil is left out.
    mutating func callAsFunction(_ key: String, _ value: (some Encodable)?) throws {
        try values.encodeIfPresent(value, forKey: TextKey(key))
    }

    mutating func callAsFunction(_ value: (some Encodable)?) throws { try self("_0", value) }
}
