import CLibXML2

/// Turns the bytes of one file into elements: no network, no document type, no entities, no inclusion.
enum XMLText {
    /// libxml2 fills its tables on first use, those of the schema types without any lock; so one thread
    /// uses all of it once before another may.
    static let library: Void = {
        xmlInitParser()
        SchemaCheck.withGrammar { _ in }
    }()

    /// What one parse ran into; libxml2's callbacks know it by address.
    private final class Complaints {
        var errors: [(line: Int, message: String)] = []
        var doctypeLine: Int?
    }

    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - file: its name for messages.
    /// - Returns: the root element, or nil when the file is not well-formed XML.
    static func parse(_ bytes: [UInt8], file: String, findings: inout Findings) -> Element? {
        _ = library
        if bytes.isEmpty {
            findings.error("the file is empty", at: Place(file: file, line: 1))
            return nil
        }
        let complaints = Complaints()
        let document = withExtendedLifetime(complaints) { read(bytes, file: file, complaints) }
        defer { if let document { xmlFreeDoc(document) } }
        if let line = complaints.doctypeLine {
            findings.error(
                "a document type is not accepted: it could define entities and read other files",
                at: Place(file: file, line: line))
            return nil
        }
        // After the first syntax error the rest is guesswork of the parser.
        for error in complaints.errors.prefix(document == nil ? 1 : Findings.limit) {
            findings.error(error.message, at: Place(file: file, line: error.line))
        }
        guard let document, let root = xmlDocGetRootElement(document) else {
            if complaints.errors.isEmpty {
                findings.error("not well-formed XML", at: Place(file: file, line: 1))
            }
            return nil
        }
        return element(root, file: file, findings: &findings)
    }

    private static func read(_ bytes: [UInt8], file: String, _ complaints: Complaints) -> xmlDocPtr? {
        guard let context = xmlNewParserCtxt() else { preconditionFailure("no memory for an XML parser") }
        defer { xmlFreeParserCtxt(context) }
        let address = Unmanaged.passUnretained(complaints).toOpaque()
        context.pointee._private = address
        // Stopping here, not after the parse: entities in attribute values are expanded while parsing.
        context.pointee.sax.pointee.internalSubset = { opaque, _, _, _ in
            guard let context = opaque?.assumingMemoryBound(to: xmlParserCtxt.self),
                let address = context.pointee._private
            else { return }
            let complaints = Unmanaged<Complaints>.fromOpaque(address).takeUnretainedValue()
            complaints.doctypeLine = context.pointee.input.map { Int($0.pointee.line) } ?? 1
            xmlStopParser(context)
        }
        // Some errors know no parser, so the handler is this thread's own for as long as the parse takes.
        xmlSetStructuredErrorFunc(address) { address, error in
            guard let address, let error, error.pointee.level.rawValue >= XML_ERR_ERROR.rawValue else {
                return
            }
            let complaints = Unmanaged<Complaints>.fromOpaque(address).takeUnretainedValue()
            if complaints.errors.count >= Findings.limit { return }
            complaints.errors.append((max(1, Int(error.pointee.line)), XMLText.message(of: error.pointee)))
        }
        defer { xmlSetStructuredErrorFunc(nil, nil) }
        let options = XML_PARSE_NONET.rawValue | XML_PARSE_BIG_LINES.rawValue | XML_PARSE_NOCDATA.rawValue
        return bytes.withUnsafeBytes { buffer in
            xmlCtxtReadMemory(
                context, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(buffer.count), file,
                nil, Int32(options))
        }
    }

    /// libxml2's own words on one line.
    static func message(of error: xmlError) -> String {
        guard let text = error.message.map({ String(cString: $0) }) else { return "error \(error.code)" }
        let lines = text.split { $0.isNewline }
        return lines.isEmpty ? "error \(error.code)" : lines.joined(separator: " ")
    }

    private static func element(_ node: xmlNodePtr, file: String, findings: inout Findings) -> Element {
        let place = Place(file: file, line: max(1, Int(xmlGetLineNo(node))))
        var element = Element(
            name: name(node.pointee.name, in: node.pointee.ns, ours: Element.namespace),
            attributes: attributes(of: node), children: [], place: place)
        var next = node.pointee.children
        while let child = next {
            next = child.pointee.next
            switch child.pointee.type {
            case XML_ELEMENT_NODE:
                element.children.append(Self.element(child, file: file, findings: &findings))
            case XML_COMMENT_NODE, XML_PI_NODE:
                continue
            default:
                if xmlIsBlankNode(child) == 0 {
                    // A text node only knows where it ends.
                    let near = element.children.last?.place ?? place
                    findings.error("text is not expected inside \(element.tag)", at: near)
                }
            }
        }
        return element
    }

    private static func attributes(of node: xmlNodePtr) -> [Element.Attribute] {
        var attributes: [Element.Attribute] = []
        var next = node.pointee.properties
        while let attribute = next {
            next = attribute.pointee.next
            let value = xmlNodeListGetString(node.pointee.doc, attribute.pointee.children, 1)
            defer { free(value) }
            attributes.append(
                .init(
                    name: name(attribute.pointee.name, in: attribute.pointee.ns, ours: nil),
                    value: value.map { String(cString: $0) } ?? ""))
        }
        return attributes
    }

    private static func name(
        _ local: UnsafePointer<xmlChar>?, in namespace: UnsafeMutablePointer<xmlNs>?, ours: String?
    ) -> String {
        let name = local.map { String(cString: $0) } ?? ""
        let space = namespace?.pointee.href.map { String(cString: $0) }
        return space == ours ? name : "{\(space ?? "")}\(name)"
    }
}
