import Primitives
import XML

/// What reads attributes and collects what is wrong with them.
protocol AttributeReading {
    var findings: Findings { get set }
}

extension ClusterReader: AttributeReading {}

/// Reading of single attributes: each answers nil after it has told what is wrong.
extension AttributeReading {
    /// Tells unknown and missing attributes of an element.
    mutating func check(_ element: Element, required: [String], optional: [String] = []) {
        let known = required + optional
        for attribute in element.attributes where !known.contains(attribute.name) {
            let hint = known.isEmpty ? "it carries none" : "it may carry: \(known.joined(separator: ", "))"
            findings.error(
                "unknown attribute \(quoted(attribute.name)) on \(element.tag); \(hint)", at: element.place)
        }
        for name in required where element.value(name) == nil {
            findings.error("\(element.tag) needs the attribute \(quoted(name))", at: element.place)
        }
    }

    /// Tells children that do not belong here.
    mutating func allow(_ element: Element, children known: [String]) {
        for child in element.children where !known.contains(child.name) {
            let hint = known.isEmpty ? "it has no content" : "it may hold: \(known.joined(separator: ", "))"
            findings.error("unknown element \(child.tag) in \(element.tag); \(hint)", at: child.place)
        }
    }

    /// The children of that name, no more of them than `limit`.
    mutating func children(_ element: Element, named name: String, limit: Int) -> ArraySlice<Element> {
        let children = element.children(named: name)
        if children.count > limit {
            findings.error(
                "\(children.count) <\(name)> elements; at most \(limit) are possible",
                at: children[limit].place)
        }
        return children.prefix(limit)
    }

    mutating func refuse(_ element: Element, _ name: String, _ reason: String) {
        let value = element.value(name) ?? ""
        findings.error("\(element.tag) \(name)=\(quoted(value)) \(reason)", at: element.place)
    }

    /// A name of a cluster, node, seat, address or network.
    mutating func name(_ element: Element, _ attribute: String) -> String? {
        guard let text = element.value(attribute) else { return nil }
        if Name.isValid(text) { return text }
        refuse(element, attribute, "is no name; a name is \(Name.rule)")
        return nil
    }

    /// A path, seen from the file the attribute stands in.
    mutating func path(_ element: Element, _ attribute: String) -> String? {
        guard let text = element.value(attribute) else { return nil }
        if text.isEmpty || text.unicodeScalars.contains(where: { $0.value < 32 }) {
            refuse(element, attribute, "is no path")
            return nil
        }
        let path = LocalFile.absolute(LocalFile.join(LocalFile.directory(of: element.place.file), text))
        findings.name(file: path, at: element.place)
        return path
    }

    mutating func duration(
        _ element: Element, _ attribute: String, in range: ClosedRange<Duration>
    ) -> Duration? {
        guard let text = element.value(attribute) else { return nil }
        do {
            let duration = try DurationText.parse(text)
            if range.contains(duration) { return duration }
            let low = DurationText.text(range.lowerBound)
            let high = DurationText.text(range.upperBound)
            refuse(element, attribute, "must lie between \(low) and \(high)")
        } catch {
            refuse(element, attribute, error.reason)
        }
        return nil
    }

    mutating func number(_ element: Element, _ attribute: String, in range: ClosedRange<Int>) -> Int? {
        guard let text = element.value(attribute) else { return nil }
        if !text.isEmpty, text.utf8.count < 10, text.utf8.allSatisfy({ (48...57).contains($0) }),
            let number = Int(text), range.contains(number)
        {
            return number
        }
        refuse(
            element, attribute, "must be a whole number between \(range.lowerBound) and \(range.upperBound)")
        return nil
    }

    mutating func port(_ element: Element, _ attribute: String, upTo last: Int = 65535) -> UInt16? {
        number(element, attribute, in: 1...last).map { UInt16($0) }
    }

    /// One of a few words; `otherwise` when the attribute is not there.
    mutating func choice<Value>(
        _ element: Element, _ attribute: String, _ choices: [(name: String, value: Value)], otherwise: Value
    ) -> Value? {
        guard let text = element.value(attribute) else { return otherwise }
        if let choice = choices.first(where: { $0.name == text }) { return choice.value }
        let names = choices.map { quoted($0.name) }.joined(separator: " or ")
        refuse(element, attribute, "must be \(names)")
        return nil
    }

    /// An address of one machine: no group, no placeholder.
    mutating func host(_ element: Element, _ attribute: String) -> IPAddress? {
        guard let text = element.value(attribute) else { return nil }
        guard let ip = IPAddress(text) else {
            refuse(element, attribute, "is no IP address")
            return nil
        }
        if let reason = ip.unusable {
            refuse(element, attribute, reason)
            return nil
        }
        return ip
    }

    /// An address and a port; the port may be left out where there is a usual one.
    mutating func endpoint(_ element: Element, _ attribute: String, defaultPort: UInt16?) -> Endpoint? {
        guard let text = element.value(attribute) else { return nil }
        let bare = defaultPort.flatMap { port in IPAddress(text).map { Endpoint(ip: $0, port: port) } }
        guard let endpoint = bare ?? Endpoint(text), endpoint.port > 0 else {
            refuse(element, attribute, "is no address with a port, like 127.0.0.1:53 or [::1]:53")
            return nil
        }
        if let reason = endpoint.ip.unusable {
            refuse(element, attribute, reason)
            return nil
        }
        return endpoint
    }

    /// An address with a prefix length, `10.77.0.11/24`.
    mutating func prefixed(_ element: Element, _ attribute: String) -> (ip: IPAddress, length: Int)? {
        guard let text = element.value(attribute) else { return nil }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let ip = IPAddress(parts[0]) else {
            refuse(element, attribute, "is no IP address with a prefix length, like 10.0.0.1/24")
            return nil
        }
        let most = ip.family == .v4 ? 32 : 128
        guard parts.count == 2 else {
            refuse(
                element, attribute,
                "has no prefix length; write \(ip)/\(ip.family == .v4 ? 24 : 64) or what fits")
            return nil
        }
        guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
            let length = Int(parts[1]), (1...most).contains(length)
        else {
            refuse(element, attribute, "needs a prefix length between 1 and \(most)")
            return nil
        }
        return (ip, length)
    }

    /// A DNS name, lower case and without the final dot.
    mutating func domainName(_ element: Element, _ attribute: String, underscores: Bool = false) -> String? {
        guard let text = element.value(attribute) else { return nil }
        if let name = Name.domain(text, underscores: underscores) { return name }
        refuse(
            element, attribute,
            "is no domain name; labels are 1 to 63 letters, digits and inner hyphens, 253 characters in all")
        return nil
    }
}

/// How names are written.
enum Name {
    static let rule = "1 to 63 letters, digits, \"-\" and \"_\", and starts with a letter or digit"

    static func isValid(_ text: String) -> Bool {
        guard (1...63).contains(text.utf8.count), let first = text.utf8.first, isAlphanumeric(first) else {
            return false
        }
        return text.utf8.allSatisfy { isAlphanumeric($0) || $0 == 45 || $0 == 95 }
    }

    /// RFC 1123 §2.1 host name syntax; with `underscores` also the labels of RFC 8552.
    static func domain(_ text: String, underscores: Bool) -> String? {
        let name = (text.hasSuffix(".") ? String(text.dropLast()) : text).lowercased()
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...253).contains(name.utf8.count) else { return nil }
        for label in labels {
            let inner = label.hasPrefix("_") && underscores ? label.dropFirst() : label
            guard (1...63).contains(label.utf8.count), let first = inner.utf8.first,
                let last = inner.utf8.last,
                isAlphanumeric(first), isAlphanumeric(last),
                inner.utf8.allSatisfy({ isAlphanumeric($0) || $0 == 45 })
            else { return nil }
        }
        return name
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}

extension IPAddress {
    var isMulticast: Bool { family == .v4 ? bytes[0] >> 4 == 0xE : bytes[0] == 0xFF }

    /// The same address with every bit after the prefix cleared, or set.
    func edge(prefixLength: Int, filledWith bit: UInt8) -> IPAddress {
        let edge = bytes.enumerated().map { index, byte -> UInt8 in
            let kept = min(8, max(0, prefixLength - 8 * index))
            let host = UInt8(truncatingIfNeeded: 0xFF >> kept)
            return bit == 0 ? byte & ~host : byte | host
        }
        // As many bytes as before.
        return IPAddress(bytes: edge) ?? self
    }

    /// Why no machine can have this address; the rest of a sentence. Nil when one can.
    var unusable: String? {
        if bytes.allSatisfy({ $0 == 0 }) || family == .v4 && bytes[0] == 0 {
            return "is no machine's address"
        }
        if isMulticast { return "is a multicast group, not a machine's address" }
        if family == .v4 { return bytes[0] >= 240 ? "is a reserved address" : nil }
        if bytes[0] == 0xFE, bytes[1] & 0xC0 == 0x80 {
            return "is link-local; it means nothing without an interface"
        }
        if bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
            return "is an IPv4 address in IPv6 form; write it as IPv4"
        }
        return nil
    }
}
