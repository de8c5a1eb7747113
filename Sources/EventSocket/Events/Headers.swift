/// Ordered `Name: value` pairs; names are looked up without regard to case, as FreeSWITCH does.
package struct Headers: Hashable, Sendable {
    package struct Field: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }
    package private(set) var fields: [Field]

    package init(_ fields: [Field] = []) { self.fields = fields }

    /// The first value of that name; setting replaces the first and appends when there is none, nil removes all.
    package subscript(name: String) -> String? {
        get { fields.first { Self.isSame($0.name, name) }?.value }
        set {
            guard let newValue else { return fields.removeAll { Self.isSame($0.name, name) } }
            if let at = fields.firstIndex(where: { Self.isSame($0.name, name) }) {
                fields[at].value = newValue
            } else {
                fields.append(Field(name, newValue))
            }
        }
    }

    package mutating func append(_ name: String, _ value: String) { fields.append(Field(name, value)) }

    /// Whether two names are one, comparing ASCII letters without regard to case.
    package static func isSame(_ a: String, _ b: String) -> Bool {
        a.utf8.count == b.utf8.count && zip(a.utf8, b.utf8).allSatisfy { isSame($0, $1) }
    }

    static func isSame(_ a: UInt8, _ b: UInt8) -> Bool { lower(a) == lower(b) }

    private static func lower(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }
}
