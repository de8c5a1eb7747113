/// One element of a configuration file as a plain value, with the place it was written at.
struct Element {
    static let namespace = "urn:fsdns:cluster:1"
    static let inclusionNamespace = "http://www.w3.org/2001/XInclude"

    struct Attribute {
        var name: String
        var value: String
    }

    /// The local name, or `{namespace}name` when the element is not of ours.
    var name: String
    var attributes: [Attribute]
    var children: [Element]
    var place: Place

    /// For messages: `<seat>`.
    var tag: String { "<\(name.hasPrefix("{}") ? String(name.dropFirst(2)) : name)>" }

    func value(_ name: String) -> String? { attributes.first { $0.name == name }?.value }

    func children(named name: String) -> [Element] { children.filter { $0.name == name } }
}
