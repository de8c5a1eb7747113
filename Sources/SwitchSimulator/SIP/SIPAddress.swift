/// `name[=value]` after a semicolon, in order.
struct SIPParameters: Hashable, Sendable {
    struct Item: Hashable, Sendable {
        var name: String
        var value: String?
    }
    var items: [Item] = []

    subscript(name: String) -> String? {
        items.first { SIPMessage.isSame($0.name, name) }.map { $0.value ?? "" }
    }

    init() {}

    /// Parses `a;b=c`, quoted values kept whole.
    init(parsing text: Substring) {
        for piece in SIPAddress.split(text, at: ";") where !piece.trimmed.isEmpty {
            let parts = piece.split(separator: "=", maxSplits: 1)
            items.append(
                Item(name: parts.first?.trimmed ?? "", value: parts.count > 1 ? parts[1].trimmed : nil))
        }
    }

    var text: String { items.map { ";" + $0.name + ($0.value.map { "=" + $0 } ?? "") }.joined() }
}

/// `sip:user@host:port;parameters` (RFC 3261 §19.1); other schemes are refused.
struct SIPURI: Hashable, Sendable {
    var scheme: String
    var user: String?
    /// As written: IPv6 in brackets.
    var host: String
    var port: UInt16?
    var parameters = SIPParameters()

    init?(parsing text: some StringProtocol) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        scheme = text[..<colon].lowercased()
        guard scheme == "sip" || scheme == "sips" else { return nil }
        var rest = Substring(text[text.index(after: colon)...])
        if let question = rest.firstIndex(of: "?") { rest = rest[..<question] }
        // A user part may hold semicolons, so the host part is sought first.
        var place = rest
        if let at = rest.lastIndex(of: "@") {
            let user = rest[..<at]
            guard !user.isEmpty else { return nil }
            self.user = user.split(separator: ":", maxSplits: 1).first.map(String.init)
            place = rest[rest.index(after: at)...]
        }
        if let semicolon = place.firstIndex(of: ";") {
            parameters = SIPParameters(parsing: place[place.index(after: semicolon)...])
            place = place[..<semicolon]
        }
        guard let (host, port) = Self.hostPort(place) else { return nil }
        self.host = host
        self.port = port
    }

    /// `host[:port]`, IPv6 in brackets, which stay.
    static func hostPort(_ text: some StringProtocol) -> (host: String, port: UInt16?)? {
        var host = String(text)
        var port: UInt16?
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            if !rest.isEmpty {
                guard rest.first == ":", let number = UInt16(rest.dropFirst()), number > 0 else { return nil }
                port = number
            }
            host = String(host[...end])
        } else if let colon = host.firstIndex(of: ":") {
            guard let number = UInt16(host[host.index(after: colon)...]), number > 0 else { return nil }
            port = number
            host = String(host[..<colon])
        }
        guard !host.isEmpty, !host.utf8.contains(where: { $0 <= 0x20 }) else { return nil }
        return (host, port)
    }

    /// `user@host:port` without scheme and parameters, as channel variables have it.
    var bare: String {
        (user.map { $0 + "@" } ?? "") + host + (port.map { ":\($0)" } ?? "")
    }

    var text: String { "\(scheme):\(bare)\(parameters.text)" }

    /// Where a request to this URI goes; the host has to be a numeric address.
    var endpoint: SIPEndpoint? {
        let ip = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        return SIPEndpoint(ip: ip, port: port ?? 5060)
    }

    static func bracketed(_ ip: String) -> String { ip.contains(":") ? "[\(ip)]" : ip }
}

/// A name-addr or addr-spec with header parameters: From, To, Contact, Route (RFC 3261 §20.10).
struct SIPAddress: Hashable, Sendable {
    /// Without quotes.
    var display: String?
    var uri: SIPURI
    var parameters = SIPParameters()
    /// The URI as it was written.
    var uriText: String

    var tag: String? { parameters["tag"] }

    init?(parsing text: String) {
        let text = text[...]
        if let open = Self.position(of: "<", in: text) {
            guard let close = text[open...].firstIndex(of: ">") else { return nil }
            let name = text[..<open].trimmed
            display = name.isEmpty ? nil : Self.unquoted(name)
            uriText = String(text[text.index(after: open)..<close])
            let rest = text[text.index(after: close)...]
            if let semicolon = rest.firstIndex(of: ";") {
                parameters = SIPParameters(parsing: rest[rest.index(after: semicolon)...])
            }
        } else {
            // Without angle brackets, parameters belong to the header.
            let pieces = text.split(separator: ";", maxSplits: 1)
            guard let first = pieces.first else { return nil }
            uriText = first.trimmed
            if pieces.count > 1 { parameters = SIPParameters(parsing: pieces[1]) }
        }
        guard let uri = SIPURI(parsing: uriText) else { return nil }
        self.uri = uri
    }

    /// Splits outside quotes and angle brackets.
    static func split(_ text: Substring, at separator: Character) -> [Substring] {
        var pieces: [Substring] = []
        var start = text.startIndex
        var quoted = false
        var depth = 0
        for index in text.indices {
            switch text[index] {
            case "\"": quoted.toggle()
            case "<" where !quoted: depth += 1
            case ">" where !quoted: depth -= 1
            case separator where !quoted && depth <= 0:
                pieces.append(text[start..<index])
                start = text.index(after: index)
            default: break
            }
        }
        pieces.append(text[start...])
        return pieces
    }

    private static func position(of character: Character, in text: Substring) -> String.Index? {
        var quoted = false
        for index in text.indices {
            if text[index] == "\"" { quoted.toggle() }
            if text[index] == character, !quoted { return index }
        }
        return nil
    }

    private static func unquoted(_ name: String) -> String {
        name.count >= 2 && name.hasPrefix("\"") && name.hasSuffix("\"")
            ? String(name.dropFirst().dropLast()) : name
    }
}

/// One Via value (RFC 3261 §20.42).
struct SIPVia: Hashable, Sendable {
    /// `SIP/2.0/UDP`
    var protocolText: String
    var host: String
    var port: UInt16?
    var parameters: SIPParameters

    var branch: String { parameters["branch"] ?? "" }

    init?(parsing value: String) {
        guard let first = SIPAddress.split(value[...], at: ",").first else { return nil }
        let pieces = first.split(separator: ";", maxSplits: 1)
        guard let head = pieces.first else { return nil }
        let words = head.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard words.count == 2, words[0].uppercased().hasPrefix("SIP/2.0/"),
            let (host, port) = SIPURI.hostPort(words[1])
        else { return nil }
        protocolText = String(words[0])
        self.host = host
        self.port = port
        parameters = pieces.count > 1 ? SIPParameters(parsing: pieces[1]) : SIPParameters()
    }

    var text: String { "\(protocolText) \(host)\(port.map { ":\($0)" } ?? "")\(parameters.text)" }

    /// What a server writes into the topmost Via (RFC 3261 §18.2.1, RFC 3581 §4).
    mutating func note(source: SIPEndpoint) {
        if let at = parameters.items.firstIndex(where: { SIPMessage.isSame($0.name, "rport") }) {
            parameters.items[at].value = "\(source.port)"
        }
        if host != SIPURI.bracketed(source.ip) {
            parameters.items.append(.init(name: "received", value: source.ip))
        }
    }

    /// Where the response goes (RFC 3261 §18.2.2, RFC 3581 §4).
    func reply(to source: SIPEndpoint) -> SIPEndpoint {
        parameters["rport"] != nil ? source : SIPEndpoint(ip: source.ip, port: port ?? 5060)
    }
}
