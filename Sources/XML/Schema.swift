import CLibXML2

/// A RELAX NG schema (ISO/IEC 19757-2, XML syntax with the W3C data types) that trees are held against.
///
/// The schema is one of this program's own texts: a damaged one is a mistake of ours, and traps.
package struct Schema: Sendable {
    private let text: String
    private let namespace: String

    /// - Parameters:
    ///   - text: the grammar.
    ///   - namespace: of the elements whose names are given without one.
    package init(text: String, namespace: String) {
        self.text = text
        self.namespace = namespace
    }

    /// What the schema refuses in the tree, at the places the elements were written at, at most
    /// `XMLText.problemLimit`; empty when the tree is valid.
    package func problems(in root: Element) -> [XMLProblem] {
        _ = XMLText.library
        var places: [Place] = []
        var text = ""
        write(root, isRoot: true, to: &text, places: &places)
        let complaints = XMLText.Complaints()
        let isValid = withExtendedLifetime(complaints) {
            Self.withGrammar(of: self.text) { Self.validate(text, $0, complaints) }
        }
        if isValid { return [] }
        // Messages without a line are by-products of the one that has one.
        let located = complaints.errors.filter { places.indices.contains($0.line - 1) }
        if located.isEmpty { return [XMLProblem("the schema refuses this file", at: root.place)] }
        return located.map { XMLProblem($0.message, at: places[$0.line - 1]) }
    }

    /// Writes one start tag a line, so that the line of a complaint is the number of its element.
    private func write(_ element: Element, isRoot: Bool, to text: inout String, places: inout [Place]) {
        if !isRoot { text += "\n" }
        places.append(element.place)
        let (space, name) = Self.split(element.name)
        text += "<\(name) xmlns=\"\(Self.escaped(space ?? namespace))\""
        for (index, attribute) in element.attributes.enumerated() {
            let (space, name) = Self.split(attribute.name)
            let value = Self.escaped(attribute.value)
            if let space {
                text += " xmlns:n\(index)=\"\(Self.escaped(space))\" n\(index):\(name)=\"\(value)\""
            } else {
                text += " \(name)=\"\(value)\""
            }
        }
        text += ">"
        for stretch in element.texts { text += Self.escaped(stretch.value) }
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
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\n", "\r", "\t": result += "&#\(scalar.value);"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Uses of libxml2's tables what a schema can use: data types and their patterns.
    static func prepare() {
        let text = """
            <element name="a" xmlns="http://relaxng.org/ns/structure/1.0"
              datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
              <data type="string"><param name="pattern">[a-z]+</param></data>
            </element>
            """
        withGrammar(of: text) { grammar in
            let isValid = validate("<a>b</a>", grammar, XMLText.Complaints())
            precondition(isValid, "libxml2 knows no data types")
        }
    }

    /// Compiles the schema, about a millisecond, for one use: a grammar is not made to be shared by threads.
    private static func withGrammar<Result>(of schema: String, _ use: (xmlRelaxNGPtr) -> Result) -> Result {
        var schema = schema
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
        _ text: String, _ grammar: xmlRelaxNGPtr, _ complaints: XMLText.Complaints
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
        Unmanaged<XMLText.Complaints>.fromOpaque(address).takeUnretainedValue().note(error.pointee)
    }
}
