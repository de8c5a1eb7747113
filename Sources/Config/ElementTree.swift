import XML

/// Reads a configuration file and the files it includes into one tree whose elements know their own file.
///
/// Inclusion is XInclude's simplest form, `<xi:include href="file.xml"/>`, done here and not by libxml2:
/// libxml2 would also read any file as text, sets no limit, and loses the included file's name.
struct ElementTree {
    /// All files of one configuration together.
    static let byteLimit = XMLText.byteLimit
    static let fileLimit = 32
    static let depthLimit = 8

    private var bytesLeft = Self.byteLimit
    private var filesLeft = Self.fileLimit
    private var findings = Findings()

    private init() {}

    /// - Parameter path: the file as the user named it; it also stands in front of every message.
    static func load(path: String) -> (root: Element?, findings: Findings) {
        var tree = ElementTree()
        let root = tree.file(path, depth: 0, origin: Place(file: path, line: 1), subject: "the file")
        return (root, tree.findings)
    }

    /// For a text that is already here; what it includes is found as if it were the file `path`.
    static func load(text: [UInt8], path: String) -> (root: Element?, findings: Findings) {
        var tree = ElementTree()
        let root = tree.text(
            text, path: path, depth: 0, origin: Place(file: path, line: 1), subject: "the file")
        return (root, tree.findings)
    }

    private mutating func file(_ path: String, depth: Int, origin: Place, subject: String) -> Element? {
        do {
            let bytes = try LocalFile.read(path, limit: Self.byteLimit)
            findings.read(file: path, at: origin)
            return text(bytes, path: path, depth: depth, origin: origin, subject: subject)
        } catch {
            findings.error("\(subject) \(error.reason)", at: origin)
            return nil
        }
    }

    private mutating func text(
        _ bytes: [UInt8], path: String, depth: Int, origin: Place, subject: String
    ) -> Element? {
        filesLeft -= 1
        bytesLeft -= bytes.count
        if filesLeft < 0 {
            findings.error("more than \(Self.fileLimit) files make up this configuration", at: origin)
            return nil
        }
        if bytesLeft < 0 {
            findings.error(
                "\(subject) makes the configuration larger than \(Self.byteLimit) bytes", at: origin)
            return nil
        }
        let (root, problems) = XMLText.parse(bytes, file: path, namespace: Element.namespace)
        for problem in problems { findings.error(problem.message, at: problem.place) }
        guard let root else { return nil }
        refuseText(in: root)
        return resolved(root, depth: depth)
    }

    /// A cluster file says everything in attributes.
    private mutating func refuseText(in element: Element) {
        for text in element.texts {
            findings.error("text is not expected inside \(element.tag)", at: text.near)
        }
        for child in element.children { refuseText(in: child) }
    }

    private mutating func resolved(_ element: Element, depth: Int) -> Element? {
        if element.name == "{\(Element.inclusionNamespace)}include" { return included(element, depth: depth) }
        var element = element
        element.children = element.children.compactMap { resolved($0, depth: depth) }
        return element
    }

    private mutating func included(_ element: Element, depth: Int) -> Element? {
        let others = element.attributes.filter { $0.name != "href" }.map(\.name)
        guard let name = element.value("href"), others.isEmpty, element.children.isEmpty else {
            findings.error(
                "an include names one file, href=\"file.xml\", and nothing else", at: element.place)
            return nil
        }
        if name.isEmpty || name.contains(":") || name.contains("#") || name.hasPrefix("//") {
            findings.error(
                "only a whole file of this machine can be included, not \(quoted(name))", at: element.place)
            return nil
        }
        if depth >= Self.depthLimit {
            findings.error(
                "includes are nested deeper than \(Self.depthLimit), or in a circle", at: element.place)
            return nil
        }
        let path = LocalFile.join(LocalFile.directory(of: element.place.file), name)
        return file(
            path, depth: depth + 1, origin: element.place, subject: "the included file \(quoted(name))")
    }
}
