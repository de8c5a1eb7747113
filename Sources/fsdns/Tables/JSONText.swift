import FoundationEssentials

/// JSON as programs read it: sorted keys, so that two outputs can be compared line by line.
enum JSONText {
    static func pretty(_ value: some Encodable) -> String { text(value, [.prettyPrinted]) }

    /// One line.
    static func compact(_ value: some Encodable) -> String { text(value, []) }

    private static func text(_ value: some Encodable, _ more: JSONEncoder.OutputFormatting) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = more.union([.sortedKeys, .withoutEscapingSlashes])
        // Our own values: every one of them has a JSON form.
        guard let data = try? encoder.encode(value) else {
            preconditionFailure("a value without a JSON form: \(value)")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
