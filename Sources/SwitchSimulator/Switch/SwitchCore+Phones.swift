/// Calls between phones inside the process: load without SIP peers.
struct CallLoad: Sendable {
    /// Users of phones inside any simulator: whichever switch revives their calls plays them from then on.
    static let userPrefix = "sim_"
    static let latency = Duration.microseconds(200)
    static let tick = Duration.milliseconds(100)

    /// Users of phones that ring and never answer.
    static let silentPrefix = userPrefix + "silent_"

    enum Kind: String, CaseIterable, Sendable {
        case bridged
        case parked
        /// Answered, and bridged to a phone that rings and never answers.
        case waiting
    }

    struct Target: Hashable, Sendable {
        var counts: [Kind: Int] = [:]
        /// The profile they come in on.
        var profile: String
    }
    var targets: [Target] = []
    /// New calls a second at most.
    var rate = 50
    var isTicking = false
    var number = 0
    /// Own calls by Call-ID, and the target they count for.
    var calls: [String: (kind: Kind, profile: String)] = [:]

    mutating func ended(_ channel: Leg) {
        if channel.isInbound { calls[channel.dialog.callID] = nil }
    }

    func count(_ kind: Kind, on profile: String) -> Int {
        calls.values.count { $0.kind == kind && $0.profile == profile }
    }
}

/// What a phone inside does or hears, later.
enum PhoneStep: Sendable {
    case hear(SIPMessage, from: SIPEndpoint, on: Int)
    case say(SIPMessage, from: SIPEndpoint, on: Int)
    case tick
}

extension SwitchCore {
    /// Holds so many calls on a profile from now on; fewer than there are ends the newest.
    mutating func setLoad(_ kind: CallLoad.Kind, _ count: Int, on profile: String) {
        var target =
            load.targets.first { $0.profile == profile } ?? CallLoad.Target(profile: profile)
        target.counts[kind] = count
        load.targets.removeAll { $0.profile == profile }
        load.targets.append(target)
        let excess = load.count(kind, on: profile) - count
        if excess > 0 {
            let ids = order.reversed().filter { uuid in
                guard let channel = channels[uuid], channel.isInbound,
                    let call = load.calls[channel.dialog.callID]
                else { return false }
                return call.kind == kind && call.profile == profile
            }
            for uuid in ids.prefix(excess) { hangUp(uuid, .normal, how: .sent) }
        }
        guard !load.isTicking else { return }
        load.isTicking = true
        agenda.note(.phone(.tick), at: now)
    }

    mutating func perform(_ step: PhoneStep) {
        switch step {
        case .say(let message, let source, let index): receive(message, from: source, on: index)
        case .hear(let message, let endpoint, let index): hear(message, from: endpoint, on: index)
        case .tick: placeLoad()
        }
    }

    private mutating func placeLoad() {
        var left = max(1, load.rate * Int(CallLoad.tick.wholeMicroseconds / 1000) / 1000)
        for target in load.targets {
            guard let index = profileIndex(target.profile), !profiles[index].isStandby else { continue }
            for kind in CallLoad.Kind.allCases {
                var missing = (target.counts[kind] ?? 0) - load.count(kind, on: target.profile)
                while missing > 0, left > 0 {
                    placeLoadCall(kind, on: index)
                    missing -= 1
                    left -= 1
                }
            }
        }
        agenda.note(.phone(.tick), at: now + CallLoad.tick)
    }

    private mutating func placeLoadCall(_ kind: CallLoad.Kind, on index: Int) {
        load.number += 1
        let user = "\(CallLoad.userPrefix)\(1000 + load.number)"
        let dialled =
            switch kind {
            case .parked: "park"
            case .bridged: "\(CallLoad.userPrefix)\(500_000 + load.number)"
            case .waiting: "\(CallLoad.silentPrefix)\(500_000 + load.number)"
            }
        let phone = SIPEndpoint(ip: settings.phoneNetwork + "1", port: 5060)
        let place = profiles[index].place
        let callID = "\(load.number)-\(chance.tag())@\(phone.ip)"
        var invite = SIPMessage(.request(method: "INVITE", uri: "sip:\(dialled)@\(place)"))
        invite.append("Via", "SIP/2.0/UDP \(phone);branch=z9hG4bK\(chance.tag())")
        invite.append("Max-Forwards", "70")
        invite.append("From", "\"phone \(load.number)\" <sip:\(user)@\(phone)>;tag=\(chance.tag())")
        invite.append("To", "<sip:\(dialled)@\(place)>")
        invite.append("Call-ID", callID)
        invite.append("CSeq", "1 INVITE")
        invite.append("Contact", "<sip:\(user)@\(phone)>")
        invite.append("Content-Type", "application/sdp")
        invite.body = phoneSession(callID, at: phone.ip)
        invite.appendLength()
        load.calls[callID] = (kind, profiles[index].settings.name)
        receive(invite, from: phone, on: index)
    }

    /// A phone knows nothing but the message: so it also answers for calls another process began.
    private mutating func hear(_ message: SIPMessage, from endpoint: SIPEndpoint, on index: Int) {
        guard let method = message.method else { return hearResponse(message, from: endpoint, on: index) }
        let source = SIPEndpoint(ip: profiles[index].settings.ip, port: profiles[index].settings.port)
        let tag = "sim\(String(fingerprint(message.callID), radix: 16))"
        var response: SIPMessage
        switch method {
        case "ACK": return
        case "INVITE":
            if message.to?.tag == nil {
                var ringing = message.response(180, "Ringing", from: source, tag: tag)
                ringing.append("Contact", "<\(message.uri ?? "")>")
                ringing.appendLength()
                say(ringing, from: endpoint, after: CallLoad.latency, on: index)
                if SIPURI(parsing: message.uri ?? "")?.user?.hasPrefix(CallLoad.silentPrefix) == true {
                    return
                }
            }
            response = message.response(200, "OK", from: source, tag: tag)
            response.append("Contact", "<\(message.uri ?? "")>")
            response.append("Content-Type", "application/sdp")
            response.body = phoneSession(message.callID, at: endpoint.ip)
        case "CANCEL":
            // In the transaction of the INVITE, whose headers the CANCEL has (RFC 3261 §9.1).
            var end = message.response(
                487, "Request Terminated", from: source, tag: tag,
                sequence: "\(message.sequence?.number ?? 1) INVITE")
            end.appendLength()
            say(end, from: endpoint, after: CallLoad.latency + CallLoad.latency, on: index)
            response = message.response(200, "OK", from: source, tag: tag)
        default: response = message.response(200, "OK", from: source, tag: tag)
        }
        response.appendLength()
        say(response, from: endpoint, after: CallLoad.latency + CallLoad.latency, on: index)
    }

    /// The calling phone acknowledges within 4 ms: sometimes before, sometimes after the bridge.
    private mutating func hearResponse(_ message: SIPMessage, from endpoint: SIPEndpoint, on index: Int) {
        guard let status = message.status, let sequence = message.sequence, sequence.method == "INVITE",
            status >= 200, let to = message["To"]
        else { return }
        let target = message.contact?.uriText ?? message.to?.uriText ?? ""
        var ack = SIPMessage(.request(method: "ACK", uri: target))
        let branch = status < 300 ? "z9hG4bK" + chance.tag() : message.via?.branch ?? ""
        ack.append("Via", "SIP/2.0/UDP \(endpoint);branch=\(branch)")
        ack.append("Max-Forwards", "70")
        ack.append("From", message["From"] ?? "")
        ack.append("To", to)
        ack.append("Call-ID", message.callID)
        ack.append("CSeq", "\(sequence.number) ACK")
        ack.appendLength()
        if status >= 300 { load.calls[message.callID] = nil }
        say(ack, from: endpoint, after: chance.between(.zero ... .milliseconds(4)), on: index)
    }

    private mutating func say(
        _ message: SIPMessage, from endpoint: SIPEndpoint, after delay: Duration, on index: Int
    ) {
        agenda.note(.phone(.say(message, from: endpoint, on: index)), at: now + delay)
    }

    /// The same port for the same call, whichever process plays the phone.
    private func phoneSession(_ callID: String, at ip: String) -> [UInt8] {
        let port = 20_000 + 2 * (fingerprint(callID) % 10_000)
        let family = ip.contains(":") ? "IP6" : "IP4"
        return Array(
            """
            v=0\r\no=sim 1 1 IN \(family) \(ip)\r\ns=-\r\nc=IN \(family) \(ip)\r\nt=0 0\r\n\
            m=audio \(port) RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n
            """.utf8)
    }

    /// FNV-1a, 32 bits.
    private func fingerprint(_ text: String) -> UInt32 {
        text.utf8.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    }
}
