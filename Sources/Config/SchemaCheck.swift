import CLibXML2

/// Holds a tree against the RELAX NG schema, the same text that editors and `xmllint` use.
///
/// The reader reports mistakes in better words, so the schema has the last word, not the first: it makes
/// sure that nothing is accepted here which the published schema refuses.
enum SchemaCheck {
    private final class Complaints {
        var errors: [(line: Int, message: String)] = []
    }

    /// What the schema refuses in the tree, at the places the elements were written at.
    static func problems(in root: Element) -> [ConfigFailure.Problem] {
        _ = XMLText.library
        var places: [Place] = []
        var text = ""
        write(root, isRoot: true, to: &text, places: &places)
        let complaints = Complaints()
        let isValid = withExtendedLifetime(complaints) { validate(text, complaints) }
        if isValid { return [] }
        // Messages without a line are by-products of the one that has one.
        let located = complaints.errors.filter { places.indices.contains($0.line - 1) }
        if located.isEmpty {
            return [problem("the schema refuses this file", at: root.place)]
        }
        return located.map { problem($0.message, at: places[$0.line - 1]) }
    }

    private static func problem(_ message: String, at place: Place) -> ConfigFailure.Problem {
        ConfigFailure.Problem(file: place.file, line: place.line, message: "schema: \(message)")
    }

    /// Writes one start tag a line, so that the line of a complaint is the number of its element.
    private static func write(_ element: Element, isRoot: Bool, to text: inout String, places: inout [Place])
    {
        if !isRoot { text += "\n" }
        places.append(element.place)
        let (space, name) = split(element.name)
        text += "<\(name) xmlns=\"\(escaped(space ?? Element.namespace))\""
        for (index, attribute) in element.attributes.enumerated() {
            let (space, name) = split(attribute.name)
            if let space {
                text +=
                    " xmlns:n\(index)=\"\(escaped(space))\" n\(index):\(name)=\"\(escaped(attribute.value))\""
            } else {
                text += " \(name)=\"\(escaped(attribute.value))\""
            }
        }
        text += ">"
        for child in element.children { write(child, isRoot: false, to: &text, places: &places) }
        text += "</\(name)>"
    }

    /// Undoes `{namespace}name`.
    private static func split(_ name: String) -> (space: String?, name: Substring) {
        guard name.hasPrefix("{"), let end = name.lastIndex(of: "}") else { return (nil, name[...]) }
        return (String(name[name.index(after: name.startIndex)..<end]), name[name.index(after: end)...])
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case "\"": result += "&quot;"
            case "\n", "\r", "\t": result += "&#\(scalar.value);"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func validate(_ text: String, _ complaints: Complaints) -> Bool {
        withGrammar { grammar in validate(text, grammar, complaints) }
    }

    /// Compiles the schema, about a millisecond, for one use: a grammar is not made to be shared by threads.
    static func withGrammar<Result>(_ use: (xmlRelaxNGPtr) -> Result) -> Result {
        var schema = ClusterSchema.text
        // The parser keeps the address, so all of its work happens while that is good.
        return schema.withUTF8 { bytes in
            let text = UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
            guard let parser = xmlRelaxNGNewMemParserCtxt(text, Int32(bytes.count)) else {
                preconditionFailure("no memory for a schema parser")
            }
            defer { xmlRelaxNGFreeParserCtxt(parser) }
            guard let grammar = xmlRelaxNGParse(parser) else {
                preconditionFailure("the schema inside this program is damaged")
            }
            defer { xmlRelaxNGFree(grammar) }
            return use(grammar)
        }
    }

    private static func validate(
        _ text: String, _ grammar: xmlRelaxNGPtr, _ complaints: Complaints
    ) -> Bool {
        guard let context = xmlRelaxNGNewValidCtxt(grammar) else {
            preconditionFailure("no memory for a validation")
        }
        defer { xmlRelaxNGFreeValidCtxt(context) }
        let address = Unmanaged.passUnretained(complaints).toOpaque()
        xmlSetStructuredErrorFunc(address, note)
        defer { xmlSetStructuredErrorFunc(nil, nil) }
        xmlRelaxNGSetValidStructuredErrors(context, note, address)
        let options = Int32(XML_PARSE_NONET.rawValue | XML_PARSE_BIG_LINES.rawValue)
        guard let document = xmlReadMemory(text, Int32(text.utf8.count), nil, nil, options) else {
            return false
        }
        defer { xmlFreeDoc(document) }
        return xmlRelaxNGValidateDoc(context, document) == 0
    }

    private static let note: xmlStructuredErrorFunc = { address, error in
        guard let address, let error else { return }
        let complaints = Unmanaged<Complaints>.fromOpaque(address).takeUnretainedValue()
        if complaints.errors.count >= Findings.limit { return }
        complaints.errors.append((Int(error.pointee.line), XMLText.message(of: error.pointee)))
    }
}
