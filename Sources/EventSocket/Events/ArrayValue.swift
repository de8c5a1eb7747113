/// FreeSWITCH's form of a header value that is a list: `ARRAY::a|:b` (switch_event.c: switch_event_add_array).
package enum ArrayValue {
    private static let prefix = "ARRAY::"

    package static func join(_ items: [String]) -> String { prefix + items.joined(separator: "|:") }

    /// The items, nil for a value that is no list.
    package static func split(_ value: String) -> [String]? {
        guard value.utf8.starts(with: prefix.utf8) else { return nil }
        var items: [String] = []
        var item: [UInt8] = []
        var isAfterBar = false
        for byte in value.utf8.dropFirst(prefix.utf8.count) {
            if isAfterBar, byte == UInt8(ascii: ":") {
                item.removeLast()
                items.append(String(decoding: item, as: UTF8.self))
                item = []
                isAfterBar = false
                continue
            }
            item.append(byte)
            isAfterBar = byte == UInt8(ascii: "|")
        }
        items.append(String(decoding: item, as: UTF8.self))
        return items
    }
}
