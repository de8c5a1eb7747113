import XML

/// Whether the dialplan refuses new calls while an address is drained: in each context that takes such calls.
struct DialplanCheck {
    var contexts: [String]
    /// What mends it.
    var fix: String

    private static let variable = "fsdns_drain"
    private static let byteLimit = 64 << 20

    /// - Parameter text: the dialplan as the switch has it, from `xml_locate dialplan`.
    func findings(_ text: String) -> [Finding] {
        guard let root = XMLText.parse(Array(text.utf8), file: "dialplan", byteLimit: Self.byteLimit).root
        else {
            // A dialplan from elsewhere is not told here.
            return [.notice("dialplan", "is not told by the switch, so it was not looked at", fix: fix)]
        }
        let written = Self.contexts(in: root)
        // Without a word on the profiles' contexts, any will do.
        let wanted = contexts.isEmpty ? written.map(\.name) : contexts
        if contexts.isEmpty, written.contains(where: { Self.refusal(in: $0.element) != nil }) {
            return [.fine("dialplan", "refuses new calls while drained")]
        }
        return wanted.map { name in finding(name, written.filter { $0.name == name }.map(\.element)) }
    }

    private func finding(_ name: String, _ elements: [Element]) -> Finding {
        let subject = "dialplan \(name)"
        guard let element = elements.first(where: { Self.refusal(in: $0) != nil }),
            let place = Self.refusal(in: element)
        else {
            return .notice(
                subject, "does not ask ${\(Self.variable)}: a drained node would go on taking new calls",
                fix: fix)
        }
        let before = element.children(named: "extension").prefix(place).filter {
            $0.value("continue") != "true"
        }
        guard before.isEmpty else {
            let names = before.prefix(3).map { $0.value("name") ?? "an extension without a name" }
            return .notice(
                subject,
                "asks ${\(Self.variable)} only after \(names.joined(separator: ", ")): calls these take are not refused",
                fix: fix)
        }
        return .fine(subject, "refuses new calls while drained")
    }

    private static func contexts(in root: Element) -> [(name: String, element: Element)] {
        let sections = root.name == "section" ? [root] : [root] + root.children(named: "section")
        return sections.flatMap { $0.children(named: "context") }.map { ($0.value("name") ?? "", $0) }
    }

    /// Which extension of the context refuses.
    private static func refusal(in context: Element) -> Int? {
        context.children(named: "extension").firstIndex { entry in
            entry.children(named: "condition").contains { condition in
                condition.value("field")?.contains(variable) == true
                    && condition.children(named: "action").contains {
                        ["respond", "hangup"].contains($0.value("application") ?? "")
                    }
            }
        }
    }
}
