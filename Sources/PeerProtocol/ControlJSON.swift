import FoundationEssentials

/// Control values as JSON: keys sorted, so that equal values are equal bytes; unknown keys are left alone,
/// so that a node of the version before reads what it knows.
package enum ControlJSON {
    package static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(value))
        } catch {
            preconditionFailure("a control value cannot be written as JSON: \(error)")
        }
    }

    /// - Throws: `.malformed(field)` for anything that is no JSON of such a value.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, _ bytes: [UInt8], field: String
    ) throws(FrameFailure) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw .malformed(field)
        }
    }
}
