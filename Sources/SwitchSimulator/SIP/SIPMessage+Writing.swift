extension SIPMessage {
    /// How much of its abilities the switch tells, as FreeSWITCH does per kind of message.
    enum Capabilities {
        /// `Allow` and `Supported`
        case brief
        /// With `Allow-Events`
        case events
        /// With `Accept` first: a response that is the first to carry our tag
        case full
    }

    static let allowed =
        "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY"

    /// `User-Agent` and what follows it.
    mutating func appendCapabilities(_ capabilities: Capabilities) {
        append("User-Agent", SwitchSettings.userAgent)
        if case .full = capabilities { append("Accept", "application/sdp") }
        append("Allow", Self.allowed)
        append("Supported", "timer, path, replaces")
        if case .brief = capabilities { return }
        append("Allow-Events", "talk, hold, conference, refer")
    }

    mutating func appendSession(_ offer: MediaOffer) {
        body = offer.body
        append("Content-Type", "application/sdp")
        append("Content-Disposition", "session")
    }

    mutating func appendLength() { append("Content-Length", "\(body.count)") }

    /// A response to this request with the headers that every response copies (RFC 3261 §8.2.6).
    ///
    /// - Parameter sequence: another `CSeq` than this request's.
    func response(
        _ status: Int, _ reason: String, from source: SIPEndpoint, tag: String? = nil,
        maxForwards: Bool = false, sequence: String? = nil
    ) -> SIPMessage {
        var response = SIPMessage(.response(status: status, reason: reason))
        for (index, value) in all("Via").enumerated() {
            guard index == 0, var via = SIPVia(parsing: value) else {
                response.append("Via", value)
                continue
            }
            via.note(source: source)
            let rest = SIPAddress.split(value[...], at: ",").dropFirst().map { "," + $0 }.joined()
            response.append("Via", via.text + rest)
        }
        if status < 300 { for route in all("Record-Route") { response.append("Record-Route", route) } }
        if maxForwards { response.append("Max-Forwards", "70") }
        response.append("From", self["From"] ?? "")
        var to = self["To"] ?? ""
        if let tag, self.to?.tag == nil { to += ";tag=\(tag)" }
        response.append("To", to)
        response.append("Call-ID", callID)
        response.append("CSeq", sequence ?? self["CSeq"] ?? "")
        return response
    }
}
