import CLibXML2

/// Turns the bytes of one XML text into elements: no network, no document type, no entities, no inclusion.
///
/// Elements are nested at most 256 deep (libxml2's own limit, `xmlParserMaxDepth`).
package enum XMLText {
    /// More than anybody reads; a text of nothing but mistakes must not fill the memory.
    package static let problemLimit = 200
    /// The longest text that is looked at unless told otherwise: 1 MiB.
    package static let byteLimit = 1 << 20

    /// libxml2 fills its tables on first use, those of the schema types without any lock; so one thread
    /// uses all of it once before another may.
    static let library: Void = {
        xmlInitParser()
        Schema.prepare()
    }()

    /// What one parse or validation ran into; libxml2's callbacks know it by address.
    final class Complaints {
        var errors: [(line: Int, message: String)] = []
        var doctypeLine: Int?

        func note(_ error: xmlError) {
            if errors.count < problemLimit { errors.append((Int(error.line), XMLText.message(of: error))) }
        }
    }

    /// - Parameters:
    ///   - bytes: the whole text, in the encoding it declares, otherwise UTF-8.
    ///   - file: its name for messages.
    ///   - namespace: of the elements whose names are given without one; nil for no namespace.
    ///   - byteLimit: a longer text is refused unread.
    /// - Returns: the root element, or nil when the text is not well-formed; and every problem in the
    ///   order of the text, at most `problemLimit`. A text that breaks only the rules of namespaces gives both.
    package static func parse(
        _ bytes: [UInt8], file: String, namespace: String? = nil, byteLimit: Int = XMLText.byteLimit
    ) -> (root: Element?, problems: [XMLProblem]) {
        _ = library
        func refused(_ message: String, line: Int = 1) -> (root: Element?, problems: [XMLProblem]) {
            (nil, [XMLProblem(message, at: Place(file: file, line: line))])
        }
        if bytes.isEmpty { return refused("the file is empty") }
        // libxml2 counts in 32 bits.
        if bytes.count > min(byteLimit, Int(Int32.max) - 1) {
            return refused("the text is larger than \(byteLimit) bytes")
        }
        if let line = AttributeCount.excess(in: bytes) {
            return refused("an element has more than \(AttributeCount.limit) attributes", line: line)
        }
        let complaints = Complaints()
        let document = withExtendedLifetime(complaints) { read(bytes, file: file, complaints) }
        defer { if let document { xmlFreeDoc(document) } }
        if let line = complaints.doctypeLine {
            return refused(
                "a document type is not accepted: it could define entities and read other files", line: line)
        }
        // After the first syntax error the rest is guesswork of the parser.
        let problems = complaints.errors.prefix(document == nil ? 1 : problemLimit).map {
            XMLProblem($0.message, at: Place(file: file, line: max(1, $0.line)))
        }
        guard let document, let root = xmlDocGetRootElement(document) else {
            return problems.isEmpty ? refused("not well-formed XML") : (nil, problems)
        }
        return (element(root, file: file, namespace: namespace), problems)
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
            Unmanaged<Complaints>.fromOpaque(address).takeUnretainedValue().note(error.pointee)
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
    private static func message(of error: xmlError) -> String {
        guard let text = error.message.map({ String(cString: $0) }) else { return "error \(error.code)" }
        let lines = text.split { $0.isNewline }
        return lines.isEmpty ? "error \(error.code)" : lines.joined(separator: " ")
    }

    private static func element(_ node: xmlNodePtr, file: String, namespace: String?) -> Element {
        let place = Place(file: file, line: max(1, Int(xmlGetLineNo(node))))
        var element = Element(
            name: name(node.pointee.name, in: node.pointee.ns, ours: namespace),
            attributes: attributes(of: node), place: place)
        var next = node.pointee.children
        while let child = next {
            next = child.pointee.next
            switch child.pointee.type {
            case XML_ELEMENT_NODE:
                element.children.append(Self.element(child, file: file, namespace: namespace))
            case XML_COMMENT_NODE, XML_PI_NODE:
                continue
            default:
                if xmlIsBlankNode(child) != 0 { continue }
                let content = xmlNodeGetContent(child)
                defer { free(content) }
                element.texts.append(
                    .init(
                        value: content.map { String(cString: $0) } ?? "",
                        near: element.children.last?.place ?? place))
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
