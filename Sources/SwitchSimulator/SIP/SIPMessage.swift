/// Where a datagram comes from or goes to; `ip` is numeric, IPv6 without brackets.
package struct SIPEndpoint: Hashable, Sendable, CustomStringConvertible {
    package var ip: String
    package var port: UInt16

    package init(ip: String, port: UInt16) {
        self.ip = ip
        self.port = port
    }

    package var description: String { "\(SIPURI.bracketed(ip)):\(port)" }
}

/// One SIP request or response (RFC 3261 §7), headers in order, names as written or spelled out from their compact form.
package struct SIPMessage: Hashable, Sendable {
    package enum Start: Hashable, Sendable {
        case request(method: String, uri: String)
        case response(status: Int, reason: String)
    }
    package struct Header: Hashable, Sendable {
        package var name: String
        package var value: String
    }
    package var start: Start
    package private(set) var headers: [Header] = []
    package var body: [UInt8] = []

    init(_ start: Start) { self.start = start }

    package var method: String? {
        if case .request(let method, _) = start { method } else { nil }
    }
    package var uri: String? {
        if case .request(_, let uri) = start { uri } else { nil }
    }
    package var status: Int? {
        if case .response(let status, _) = start { status } else { nil }
    }

    /// The first header of that name, without regard to case.
    package subscript(name: String) -> String? {
        headers.first { Self.isSame($0.name, name) }?.value
    }

    package func all(_ name: String) -> [String] {
        headers.filter { Self.isSame($0.name, name) }.map(\.value)
    }

    mutating func append(_ name: String, _ value: String) { headers.append(Header(name: name, value: value)) }

    var callID: String { self["Call-ID"] ?? "" }
    /// The number of the CSeq header and its method.
    var sequence: (number: UInt32, method: String)? {
        guard let parts = self["CSeq"]?.split(whereSeparator: { $0 == " " || $0 == "\t" }), parts.count == 2,
            let number = UInt32(parts[0]), number < 1 << 31
        else { return nil }
        return (number, String(parts[1]))
    }
    var from: SIPAddress? { self["From"].flatMap(SIPAddress.init(parsing:)) }
    var to: SIPAddress? { self["To"].flatMap(SIPAddress.init(parsing:)) }
    var contact: SIPAddress? { self["Contact"].flatMap(SIPAddress.init(parsing:)) }
    var via: SIPVia? { self["Via"].flatMap(SIPVia.init(parsing:)) }

    static func isSame(_ a: String, _ b: String) -> Bool {
        a.utf8.count == b.utf8.count && a.lowercased() == b.lowercased()
    }

    /// The bytes on the wire. The writer puts Content-Length where it belongs.
    package var bytes: [UInt8] {
        var text: String
        switch start {
        case .request(let method, let uri): text = "\(method) \(uri) SIP/2.0\r\n"
        case .response(let status, let reason): text = "SIP/2.0 \(status) \(reason)\r\n"
        }
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        text += "\r\n"
        return Array(text.utf8) + body
    }
}

/// Why a datagram is no SIP message.
package struct SIPFailure: Error, Hashable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}

extension SIPMessage {
    /// The largest message taken; also what a UDP datagram can carry.
    static let sizeLimit = 65_535
    static let headerLimit = 128
    static let lineLimit = 8_192

    /// Strict about what later code relies on: start line, header form, the six mandatory headers, lengths.
    package init(parsing bytes: [UInt8]) throws(SIPFailure) {
        guard bytes.count <= Self.sizeLimit else { throw SIPFailure("longer than 65535 bytes") }
        guard let end = Self.headEnd(bytes) else { throw SIPFailure("the headers do not end") }
        let head = String(decoding: bytes[..<end.head], as: UTF8.self)
        let lines = try Self.unfolded(head)
        guard let first = lines.first else { throw SIPFailure("no start line") }
        self.init(try Self.startLine(first))
        guard lines.count - 1 <= Self.headerLimit else { throw SIPFailure("more than 128 headers") }
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw SIPFailure("a header without a colon") }
            let name = line[..<colon].trimmed
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isTokenByte) else {
                throw SIPFailure("a header without a name")
            }
            append(Self.spelledOut(name), line[line.index(after: colon)...].trimmed)
        }
        let rest = bytes[end.body...]
        if let text = self["Content-Length"] {
            guard let length = Int(text), length >= 0 else { throw SIPFailure("Content-Length is no number") }
            guard length <= rest.count else { throw SIPFailure("the body is shorter than Content-Length") }
            body = Array(rest.prefix(length))
        } else {
            body = Array(rest)
        }
        try check()
    }

    private func check() throws(SIPFailure) {
        guard let sequence else { throw SIPFailure("CSeq is missing or wrong") }
        guard from != nil else { throw SIPFailure("From is missing or wrong") }
        guard to != nil else { throw SIPFailure("To is missing or wrong") }
        guard via != nil else { throw SIPFailure("Via is missing or wrong") }
        guard !callID.isEmpty else { throw SIPFailure("Call-ID is missing") }
        if let method, sequence.method != method { throw SIPFailure("CSeq names another method") }
    }

    private static func headEnd(_ bytes: [UInt8]) -> (head: Int, body: Int)? {
        var index = 0
        while index < bytes.count {
            if bytes[index] == 10 {
                if index + 1 < bytes.count, bytes[index + 1] == 10 { return (index, index + 2) }
                if index + 2 < bytes.count, bytes[index + 1] == 13, bytes[index + 2] == 10 {
                    return (index, index + 3)
                }
            }
            index += 1
        }
        return nil
    }

    /// Lines with continuation lines joined (RFC 3261 §7.3.1).
    private static func unfolded(_ head: String) throws(SIPFailure) -> [String] {
        var lines: [String] = []
        for raw in head.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            guard raw.utf8.count <= lineLimit else { throw SIPFailure("a line longer than 8192 bytes") }
            guard !raw.isEmpty else { continue }
            if raw.first == " " || raw.first == "\t", !lines.isEmpty {
                let joined = lines[lines.count - 1] + " " + raw.trimmed
                guard joined.utf8.count <= lineLimit else {
                    throw SIPFailure("a line longer than 8192 bytes")
                }
                lines[lines.count - 1] = joined
            } else {
                lines.append(String(raw))
            }
        }
        return lines
    }

    private static func startLine(_ line: String) throws(SIPFailure) -> Start {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw SIPFailure("the start line has not three parts") }
        if parts[0] == "SIP/2.0" {
            guard let status = Int(parts[1]), (100...699).contains(status) else {
                throw SIPFailure("the status is not within 100 to 699")
            }
            return .response(status: status, reason: String(parts[2]))
        }
        guard parts[2] == "SIP/2.0" else { throw SIPFailure("not SIP/2.0") }
        guard !parts[0].isEmpty, parts[0].utf8.allSatisfy(isTokenByte), !parts[1].isEmpty else {
            throw SIPFailure("no method or no request URI")
        }
        return .request(method: String(parts[0]), uri: String(parts[1]))
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-.!%*_+`'~".utf8.contains(byte)
        }
    }

    /// RFC 3261 §7.3.3 and the registry of compact forms.
    private static func spelledOut(_ name: String) -> String {
        guard name.utf8.count == 1 else { return name }
        switch name.lowercased() {
        case "v": return "Via"
        case "f": return "From"
        case "t": return "To"
        case "i": return "Call-ID"
        case "m": return "Contact"
        case "c": return "Content-Type"
        case "l": return "Content-Length"
        case "e": return "Content-Encoding"
        case "k": return "Supported"
        case "s": return "Subject"
        default: return name
        }
    }
}

extension StringProtocol {
    /// Without spaces and tabs at both ends.
    var trimmed: String {
        var view = self[...]
        while let first = view.first, first == " " || first == "\t" { view = view.dropFirst() }
        while let last = view.last, last == " " || last == "\t" { view = view.dropLast() }
        return String(view)
    }
}
