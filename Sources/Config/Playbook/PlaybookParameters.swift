import XML

/// Parameters: what a file declares, what was given, and the filling in of `${name}`.
extension PlaybookReader {
    /// Names that stand for something only a run knows.
    static let runtimeNames = ["item", "node"]
    private static let parameterLimit = 32
    private static let valueLimit = 1024
    /// Of one attribute or text as it is written.
    private static let textLimit = 4096
    /// Of all filled-in text together, in bytes.
    private static let filledLimit = 256 * 1024

    /// The value of every parameter; those without one are told and missing.
    mutating func readParameters(_ root: Element, given: [String: String]) {
        for child in children(root, named: "parameter", limit: Self.parameterLimit) {
            check(child, required: ["name"], optional: ["default", "required", "summary"])
            allow(child, children: [])
            refuseText(in: child)
            checkText(child, "summary", limit: 200)
            let isRequired = choice(child, "required", [("yes", true), ("no", false)], otherwise: false)
            guard let name = name(child, "name") else { continue }
            if Self.runtimeNames.contains(name) {
                refuse(child, "name", "is taken: ${\(name)} is known only to a run")
                continue
            }
            if let first = declared[name] {
                findings.error(
                    "parameter \(quoted(name)) is there already, in \(first.words(from: child.place))",
                    at: child.place)
                continue
            }
            declared[name] = child.place
            let standard = child.value("default")
            if (standard != nil) == (isRequired == true) {
                let both = standard == nil ? "" : ", not both"
                findings.error(
                    "parameter \(quoted(name)) needs default= or required=\"yes\"\(both)", at: child.place)
            } else if let value = given[name] ?? standard {
                fill(name, with: value, at: child.place)
            } else {
                findings.error(
                    "parameter \(quoted(name)) has no default; give it with --parameter \(name)=VALUE",
                    at: child.place)
            }
        }
        for name in given.keys.sorted() where declared[name] == nil {
            let known = declared.keys.sorted().joined(separator: ", ")
            findings.error(
                "the parameter \(quoted(name)) was given, but the playbook has "
                    + (known.isEmpty ? "none" : "only: \(known)"), at: root.place)
        }
    }

    private mutating func fill(_ name: String, with value: String, at place: Place) {
        if value.utf8.count > Self.valueLimit {
            findings.error(
                "parameter \(quoted(name)) has a value longer than \(Self.valueLimit) bytes", at: place)
        } else if value.contains("${") {
            findings.error(
                "parameter \(quoted(name)) has the value \(quoted(value)); a value may not hold ${", at: place
            )
        } else if value.unicodeScalars.contains(where: { $0.value < 32 && $0 != "\n" && $0 != "\t" }) {
            findings.error("parameter \(quoted(name)) has a control character in its value", at: place)
        } else {
            values[name] = value
        }
    }

    /// The tree with every parameter filled in; `${item}` and `${node}` stay.
    mutating func filled(_ element: Element) -> Element {
        var element = element
        for index in element.attributes.indices {
            let attribute = element.attributes[index]
            element.attributes[index].value = filled(
                attribute.value, "\(element.tag) \(attribute.name)=\(quoted(attribute.value))",
                at: element.place)
        }
        for index in element.texts.indices {
            let text = element.texts[index]
            element.texts[index].value = filled(
                text.value, "the text of \(element.tag), \(quoted(text.value)),", at: text.near)
        }
        element.children = element.children.map { $0.name == "parameter" ? $0 : filled($0) }
        return element
    }

    private mutating func filled(_ text: String, _ subject: String, at place: Place) -> String {
        if text.utf8.count > Self.textLimit {
            findings.error("\(subject) is longer than \(Self.textLimit) bytes", at: place)
            return text
        }
        guard text.contains("${") else { return text }
        var result = ""
        /// References that stay, for a run or because they have no value.
        var kept = 0
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            result += rest[..<start.lowerBound]
            // A run would otherwise read another name than this one.
            if result.hasSuffix("$") {
                findings.error("\(subject) has a $ right before a ${", at: place)
                return text
            }
            rest = rest[start.upperBound...]
            let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
            guard rest[name.endIndex...].first == "}", Name.isValid(String(name)) else {
                findings.error("\(subject) has a ${ that is not followed by a name and }", at: place)
                return text
            }
            rest = rest[name.endIndex...].dropFirst()
            let key = String(name)
            if Self.runtimeNames.contains(key) {
                result += "${\(key)}"
                kept += 1
                continue
            }
            used.insert(key)
            // One that is declared but has no value was told where it is declared.
            if declared[key] == nil {
                let known = (declared.keys.sorted() + Self.runtimeNames).joined(separator: ", ")
                findings.error(
                    "\(subject) has the unknown parameter \(quoted(key)); known: \(known)", at: place)
            }
            if values[key] == nil { kept += 1 }
            result += values[key] ?? "${\(key)}"
        }
        result += rest
        if result.contains("$${") || result.ranges(of: "${").count != kept {
            findings.error("\(subject) has a value that ends with $ before a {", at: place)
            return text
        }
        filledBytes += result.utf8.count
        if filledBytes > Self.filledLimit {
            findings.error(
                "with its parameters the playbook is longer than \(Self.filledLimit) bytes", at: place)
            return text
        }
        return result
    }

    mutating func warnOfUnused() {
        for name in declared.keys.sorted() where !used.contains(name) {
            if let place = declared[name] {
                findings.warn("parameter \(quoted(name)) is used nowhere", at: place)
            }
        }
    }
}
