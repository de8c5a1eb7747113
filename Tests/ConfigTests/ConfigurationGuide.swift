import Testing
import XML

@testable import Config

/// docs/configuration.md as the tests read it.
///
/// The section of an element is headed by its tag. Its table has a row for each attribute; in it a default between backticks is
/// what the program takes for an attribute that is not there, and ranges and words are told as the program tells them.
struct ConfigurationGuide {
    struct Row {
        var attribute: String
        var values: String
        var value: String

        /// What stands between backticks.
        static func spans(_ cell: String) -> [String] {
            cell.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter {
                $0.offset % 2 == 1
            }.map { String($0.element) }
        }

        /// The default that the program has; nil where the guide only describes one, or there is none.
        var defaultValue: String? { value.hasPrefix("`") ? Self.spans(value).first : nil }

        /// A value that is refused, and with which words; nil where the guide names no range and no choice.
        var refusal: (value: String, reason: String)? {
            let spans = Self.spans(values)
            if values.hasPrefix("duration"), spans.count == 2 {
                return ("0us", "must lie between \(spans[0]) and \(spans[1])")
            }
            if values.hasPrefix("whole number"), spans.count == 2 {
                return ("1000000", "must be a whole number between \(spans[0]) and \(spans[1])")
            }
            if values.hasPrefix("one of") {
                return ("?", "must be " + spans.map { "\"\($0)\"" }.joined(separator: " or "))
            }
            return nil
        }
    }

    let text: String
    /// Elements in the order of the guide, with their attributes.
    let sections: [(element: String, rows: [Row])]
    /// Blocks of XML in the order of the guide.
    let examples: [String]

    init() throws {
        text = try textOfFile(repository + "/docs/configuration.md")
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var sections: [(element: String, rows: [Row])] = []
        var examples: [String] = []
        var example: [Substring]?
        var isTable = false
        var isInSection = false
        for line in lines {
            if let body = example {
                example = line == "```" ? nil : body + [line]
                if line == "```" { examples.append(body.joined(separator: "\n")) }
            } else if line == "```xml" {
                example = []
            } else if line.hasPrefix("#") {
                let name = line.dropFirst("### `<".count).dropLast(">`".count)
                isInSection = line.hasPrefix("### `<") && line.hasSuffix(">`")
                if isInSection { sections.append((String(name), [])) }
                isTable = false
            } else if line == "| attribute | values | default | what it does |" {
                isTable = isInSection
            } else if isTable, line.hasPrefix("| `") {
                let cells = Self.cells(line)
                let row = Row(attribute: Row.spans(cells[0])[0], values: cells[1], value: cells[2])
                sections[sections.count - 1].rows.append(row)
            }
        }
        self.sections = sections
        self.examples = examples
    }

    /// The sentences between backticks in the first column of each table that is headed so.
    func sentences(under heading: String) -> [String] {
        var sentences: [String] = []
        var isTable = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("| \(heading) |") {
                isTable = true
            } else if !line.hasPrefix("|") {
                isTable = false
            } else if isTable, !line.hasPrefix("|---") {
                sentences += Row.spans(Self.cells(line)[0])
            }
        }
        return sentences
    }

    private static func cells(_ line: Substring) -> [String] {
        line.dropFirst(2).dropLast(2).split(separator: " | ", omittingEmptySubsequences: false).map(
            String.init)
    }
}

/// What config/cluster.rng says of elements and their attributes.
struct ClusterGrammar {
    /// Elements in the order of the schema.
    private(set) var elements: [String] = []
    private(set) var attributes: [String: Set<String>] = [:]
    private var definitions: [String: Element] = [:]

    init() throws {
        let path = repository + "/config/cluster.rng"
        let (root, problems) = XMLText.parse(
            Array(try textOfFile(path).utf8), file: path, namespace: "http://relaxng.org/ns/structure/1.0")
        #expect(problems == [])
        let grammar = try #require(root)
        for define in grammar.children(named: "define") {
            definitions[define.value("name") ?? ""] = define
        }
        for child in grammar.children { order(child) }
        for child in try #require(grammar.child("start")).children { walk(child, inside: nil) }
    }

    private mutating func order(_ pattern: Element) {
        if pattern.name == "element", let name = pattern.value("name"), !elements.contains(name) {
            elements.append(name)
        }
        for child in pattern.children { order(child) }
    }

    private mutating func walk(_ pattern: Element, inside element: String?) {
        var element = element
        switch (pattern.name, pattern.value("name")) {
        case ("attribute", let name?): attributes[element ?? "", default: []].insert(name)
        case ("element", let name?):
            element = name
            if attributes[name] == nil { attributes[name] = [] }
        case ("ref", let name?):
            for child in definitions[name]?.children ?? [] { walk(child, inside: element) }
        default: break
        }
        if pattern.name != "attribute" {
            for child in pattern.children { walk(child, inside: element) }
        }
    }
}

/// A cluster file whose attributes can be changed, written anew.
struct EditableFile {
    private var root: Element

    init(_ text: String) throws {
        let (root, problems) = XMLText.parse(
            Array(text.utf8), file: "c.xml", namespace: "urn:fsdns:cluster:1")
        #expect(problems == [])
        self.root = try #require(root)
    }

    /// Elements, and attributes as `element attribute`.
    var used: Set<String> {
        var used: Set<String> = []
        func look(_ element: Element) {
            used.insert(element.name)
            for attribute in element.attributes { used.insert("\(element.name) \(attribute.name)") }
            for child in element.children { look(child) }
        }
        look(root)
        return used
    }

    /// Removes the attribute from all elements of that name, or sets it on the first of them.
    func with(_ element: String, _ attribute: String, _ value: String?) -> EditableFile {
        var isDone = false
        func changed(_ old: Element) -> Element {
            var new = old
            if new.name == element, !isDone {
                isDone = value != nil
                new.attributes.removeAll { $0.name == attribute }
                if let value { new.attributes.append(.init(name: attribute, value: value)) }
            }
            new.children = new.children.map(changed)
            return new
        }
        var file = self
        file.root = changed(root)
        return file
    }

    func load() throws -> ClusterFile {
        func text(_ element: Element, _ space: String = "") -> String {
            let attributes = element.attributes.map { " \($0.name)=\"\($0.value)\"" }.joined()
            let children = element.children.map { text($0) }.joined()
            return "<\(element.name)\(space)\(attributes)>\(children)</\(element.name)>"
        }
        let text = text(root, " xmlns=\"urn:fsdns:cluster:1\"")
        return try ClusterFile.load(text: Array(text.utf8), path: "/etc/fsdns/cluster.xml")
    }

    /// What is said of the file; empty where it is accepted.
    func refusals() throws -> [String] {
        do {
            _ = try load()
            return []
        } catch let failure as ConfigFailure {
            return failure.problems.map(\.message)
        }
    }
}
