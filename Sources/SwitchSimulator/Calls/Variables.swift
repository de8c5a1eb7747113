/// Channel variables in FreeSWITCH's order: setting one removes it and appends it at the end.
struct Variables: Hashable, Sendable {
    struct Item: Hashable, Sendable {
        var name: String
        var value: String
    }
    private(set) var items: [Item] = []

    init() {}

    init(_ items: [Item]) { self.items = items }

    /// Setting nil removes; reading takes the value.
    subscript(name: String) -> String? {
        get { items.first { $0.name == name }?.value }
        set {
            if let at = items.firstIndex(where: { $0.name == name }) { items.remove(at: at) }
            if let newValue { items.append(Item(name: name, value: newValue)) }
        }
    }

    /// Sets each in turn; a nil value leaves the variable as it is.
    mutating func set(_ values: KeyValuePairs<String, String?>) {
        for (name, value) in values {
            if let value { self[name] = value }
        }
    }

    /// Sets the present values of these again: they move to the end, in this order.
    mutating func refresh(_ names: String...) {
        for name in names { self[name] = self[name] }
    }
}
