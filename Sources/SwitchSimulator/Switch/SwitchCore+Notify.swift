import EventSocket

extension SwitchCore {
    /// A client's event `NOTIFY` becomes a SIP NOTIFY to one contact, outside of any subscription (mod_sofia.c:
    /// general_event_handler, SWITCH_EVENT_NOTIFY).
    ///
    /// Only with `contact-uri`, `to-uri` and `from-uri`: what lacks one of them is read over, as there.
    mutating func notify(_ event: SwitchEvent) {
        guard let contact = event["contact-uri"], let to = event["to-uri"], let from = event["from-uri"],
            let index = profileIndex(event["profile"] ?? "default"), profiles[index].isRunning,
            let target = destination(contact)
        else { return }
        let branch = "z9hG4bK" + chance.tag()
        var notify = SIPMessage(.request(method: "NOTIFY", uri: target.uri))
        notify.append("Via", "SIP/2.0/UDP \(profiles[index].sentBy);rport;branch=\(branch)")
        if let route = target.route { notify.append("Route", route) }
        notify.append("Max-Forwards", "70")
        notify.append("From", "<\(from)>;tag=\(chance.tag())")
        notify.append("To", "<\(to)>")
        notify.append("Call-ID", event["call-id"] ?? chance.uuid())
        notify.append("CSeq", "\(clockSequence) NOTIFY")
        notify.append("Contact", "<sip:\(profiles[index].address)>")
        notify.append("User-Agent", SwitchSettings.userAgent)
        notify.append("Allow", SIPMessage.allowed)
        notify.append("Supported", "path, replaces")
        notify.append("Event", event["event-string"] ?? "message-summary")
        notify.append("Allow-Events", "talk, hold, conference, refer")
        if event["no-sub-state"] != "true" {
            notify.append("Subscription-State", "terminated;reason=noresource")
        }
        notify.append("Content-Type", event["content-type"] ?? "application/simple-message-summary")
        notify.body = event.body
        notify.appendLength()
        request(notify, branch: branch, to: target.endpoint, on: index, leg: "")
    }

    /// The URI between the angle brackets without what the switch noted in it; `fs_path` is the way there (sofia_glue.c:
    /// sofia_glue_get_destination).
    private func destination(_ contact: String) -> (uri: String, route: String?, endpoint: SIPEndpoint)? {
        guard let address = SIPAddress(parsing: contact) else { return nil }
        let pieces = address.uriText.split(separator: ";fs_", omittingEmptySubsequences: false)
        let uri = String(pieces[0])
        let path = pieces.dropFirst().first { $0.hasPrefix("path=") }.map { $0.dropFirst(5) }
        guard let path else {
            return SIPURI(parsing: uri)?.endpoint.map { (uri, nil, $0) }
        }
        let route = Self.percentDecoded(path.prefix { $0 != ";" && $0 != ">" })
        return SIPAddress(parsing: route)?.uri.endpoint.map { (uri, route, $0) }
    }

    private static func percentDecoded(_ text: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x25, rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest.removeFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
