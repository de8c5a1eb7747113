extension SwitchCore {
    /// A datagram came to a profile's socket. What is no SIP message is dropped; its sender learns nothing.
    package mutating func receive(
        _ bytes: [UInt8], from source: SIPEndpoint, on profile: String, at now: Timestamp
    ) -> SIPFailure? {
        advance(to: now)
        guard let index = profileIndex(profile) else { return nil }
        // Keep-alives of phones behind NAT (RFC 5626 §3.5.1).
        if bytes.allSatisfy({ $0 == 13 || $0 == 10 || $0 == 0 }) { return nil }
        do {
            receive(try SIPMessage(parsing: bytes), from: source, on: index)
            return nil
        } catch { return error }
    }

    mutating func receive(_ message: SIPMessage, from source: SIPEndpoint, on index: Int) {
        guard let method = message.method else { return receiveResponse(message, from: source, on: index) }
        guard let key = Transactions.key(message) else { return }
        if method == "ACK" { return acknowledge(message, key) }
        if method == "CANCEL" { return cancel(message, key, from: source, on: index) }
        if let known = transactions.servers[key] {
            if !known.response.isEmpty {
                transmit(known.response, message, to: known.to, on: index, isResponse: true)
            }
            return
        }
        transactions.open(key, to: message.via?.reply(to: source) ?? source, profile: index)
        agenda.note(.forget(key), at: now + Transactions.life)
        if let tag = message.to?.tag {
            guard let uuid = dialogs[Dialog.Key(callID: message.callID, localTag: tag)] else {
                return respond(message, 481, "Call Does Not Exist", from: source, on: index)
            }
            return receiveInDialog(message, method, from: source, on: index, leg: uuid)
        }
        switch method {
        case "INVITE", "REGISTER", "OPTIONS":
            guard passesGate(message, method, from: source, on: index) else { return }
            switch method {
            case "INVITE": invite(message, key, from: source, on: index)
            case "REGISTER": register(message, from: source, on: index)
            default:
                guard faults.optionsDelay > .zero else {
                    return answerOptions(message, from: source, on: index)
                }
                agenda.note(.answerOptions(message, from: source, on: index), at: now + faults.optionsDelay)
            }
        case "BYE": respond(message, 481, "Call Does Not Exist", from: source, on: index)
        case "INFO", "MESSAGE", "NOTIFY", "REFER", "UPDATE", "SUBSCRIBE", "PUBLISH", "PRACK":
            respond(message, 405, "Method Not Allowed", from: source, on: index) {
                $0.appendCapabilities(.brief)
            }
        default: respond(message, 501, "Not Implemented", from: source, on: index)
        }
    }

    /// Standby and pause refuse what would begin something (freeswitch-integration §6).
    private mutating func passesGate(
        _ message: SIPMessage, _ method: String, from source: SIPEndpoint, on index: Int
    ) -> Bool {
        if profiles[index].isStandby {
            respond(message, 503, "System Paused", from: source, on: index)
            return false
        }
        guard method != "OPTIONS" else { return true }
        let isFull =
            method == "INVITE"
            && (sessionCount >= sessionLimit || counters.thisSecond >= max(1, sessionRate - 1))
        guard pause.inbound || pause.shutdown?.isASAP == true || isFull else { return true }
        if method == "INVITE" { profiles[index].failedIn += 1 }
        respond(message, 503, "Maximum Calls In Progress", from: source, on: index) { response in
            response.append("User-Agent", SwitchSettings.userAgent)
            response.append("Allow", SIPMessage.allowed)
            response.append("Supported", "timer, path, replaces")
            response.append("Retry-After", "300")
        }
        return false
    }

    mutating func answerOptions(_ message: SIPMessage, from source: SIPEndpoint, on index: Int) {
        let address = profiles[index].address
        respond(message, 200, "OK", from: source, on: index, tag: chance.tag()) { response in
            response.append("Contact", "<sip:\(address)>")
            response.appendCapabilities(.full)
        }
    }

    /// Answers a request; without `build` the response names the switch only.
    mutating func respond(
        _ message: SIPMessage, _ status: Int, _ reason: String, from source: SIPEndpoint, on index: Int,
        tag: String? = nil, maxForwards: Bool = false, build: ((inout SIPMessage) -> Void)? = nil
    ) {
        var tag = tag
        if tag == nil, status > 100, message.to?.tag == nil { tag = chance.tag() }
        var response = message.response(status, reason, from: source, tag: tag, maxForwards: maxForwards)
        if let build { build(&response) } else { response.append("User-Agent", SwitchSettings.userAgent) }
        if response["Content-Length"] == nil { response.appendLength() }
        answer(message, with: response, from: source, on: index)
    }

    /// Sends a response and keeps it for when the request comes again.
    mutating func answer(
        _ message: SIPMessage, with response: SIPMessage, from source: SIPEndpoint, on index: Int
    ) {
        let bytes = response.bytes
        if let key = Transactions.key(message) {
            transactions.note(key, response: bytes, status: response.status ?? 0)
            if message.method == "INVITE", let status = response.status, status >= 300 {
                agenda.note(.resendFailure(key, interval: Transactions.t1), at: now + Transactions.t1)
            }
        }
        transmit(
            bytes, response, to: message.via?.reply(to: source) ?? source, on: index, isResponse: true)
    }

    /// A refusal is sent again until it is acknowledged (RFC 3261 §17.2.1, timer G).
    mutating func resendFailure(_ key: Transactions.ServerKey, after interval: Duration) {
        guard let server = transactions.servers[key], !server.isAcknowledged,
            let message = try? SIPMessage(parsing: server.response)
        else { return }
        transmit(server.response, message, to: server.to, on: server.profile, isResponse: true)
        let next = min(interval + interval, Transactions.t2)
        agenda.note(.resendFailure(key, interval: next), at: now + next)
    }

    /// To the network, or to a phone inside this process.
    mutating func transmit(
        _ bytes: [UInt8], _ message: SIPMessage, to endpoint: SIPEndpoint, on index: Int, isResponse: Bool
    ) {
        let user = isResponse ? message.from?.uri.user : message.uri.flatMap { SIPURI(parsing: $0) }?.user
        guard user?.hasPrefix(CallLoad.userPrefix) == true else {
            emit(.send(profile: profiles[index].settings.name, bytes: bytes, to: endpoint))
            return
        }
        guard let heard = isResponse && message.status == nil ? try? SIPMessage(parsing: bytes) : message
        else {
            return
        }
        agenda.note(.phone(.hear(heard, from: endpoint, on: index)), at: now + CallLoad.latency)
    }

    /// The kernel refused a datagram. A BYE is then given up at once: the peer never hears that the call ended.
    package mutating func notSent(_ bytes: [UInt8], at now: Timestamp) {
        advance(to: now)
        guard let message = try? SIPMessage(parsing: bytes), message.method == "BYE", let via = message.via
        else { return }
        transactions.clients[Transactions.clientKey(via.branch, "BYE")] = nil
    }

    // MARK: Client transactions

    /// Sends a request and again until it is answered; `bytes` of an ACK are sent once.
    mutating func request(_ request: SIPMessage, branch: String, to: SIPEndpoint, on index: Int, leg: String)
    {
        let bytes = request.bytes
        let key = Transactions.clientKey(branch, request.method ?? "")
        transactions.clients[key] = Transactions.Client(
            request: request, bytes: bytes, to: to, profile: profiles[index].settings.name, leg: leg,
            since: now)
        agenda.note(
            .retransmit(key: key, interval: Transactions.t1), at: now + Transactions.t1)
        transmit(bytes, request, to: to, on: index, isResponse: false)
    }

    mutating func retransmit(_ key: String, after interval: Duration) {
        guard let client = transactions.clients[key], let index = profileIndex(client.profile) else { return }
        let isInvite = client.request.method == "INVITE"
        if now - client.since >= Transactions.life, !(isInvite && client.isHeard) {
            transactions.clients[key] = nil
            if isInvite { inviteFailed(client.leg, status: 408) }
            return
        }
        // A heard INVITE is not sent again, but waits no longer than a call may ring.
        if isInvite, client.isHeard {
            guard now - client.since < .seconds(180) else {
                transactions.clients[key] = nil
                return inviteFailed(client.leg, status: 408)
            }
            agenda.note(.retransmit(key: key, interval: .seconds(10)), at: now + .seconds(10))
            return
        }
        transmit(client.bytes, client.request, to: client.to, on: index, isResponse: false)
        var next = interval + interval
        if !isInvite { next = min(next, Transactions.t2) }
        agenda.note(
            .retransmit(key: key, interval: next), at: min(now + next, client.since + Transactions.life))
    }

    private mutating func receiveResponse(_ message: SIPMessage, from source: SIPEndpoint, on index: Int) {
        guard let status = message.status, let branch = message.via?.branch, let sequence = message.sequence
        else { return }
        let key = Transactions.clientKey(branch, sequence.method)
        guard var client = transactions.clients[key] else {
            // A 2xx that comes again has lost its ACK (RFC 3261 §13.2.2.4).
            if sequence.method == "INVITE", (200..<300).contains(status) {
                acknowledgeAgain(message, on: index)
            }
            return
        }
        if status < 200 {
            let isFirst = !client.isHeard
            client.isHeard = true
            transactions.clients[key] = client
            if client.isCancelled, isFirst { sendCancel(client, on: index) }
            if sequence.method == "INVITE", status > 100 { progressed(client.leg, message) }
            return
        }
        transactions.clients[key] = nil
        guard sequence.method == "INVITE" else { return }
        if status < 300 {
            inviteAccepted(client, message, from: source, on: index)
        } else {
            acknowledgeFailure(client, message, on: index)
            inviteFailed(client.leg, status: status)
        }
    }

    /// The ACK of a failure goes in the INVITE's transaction (RFC 3261 §17.1.1.3).
    private mutating func acknowledgeFailure(
        _ client: Transactions.Client, _ response: SIPMessage, on index: Int
    ) {
        var ack = SIPMessage(.request(method: "ACK", uri: client.request.uri ?? ""))
        ack.append("Via", client.request["Via"] ?? "")
        for route in client.request.all("Route") { ack.append("Route", route) }
        ack.append("Max-Forwards", "70")
        ack.append("From", client.request["From"] ?? "")
        ack.append("To", response["To"] ?? "")
        ack.append("Call-ID", client.request.callID)
        ack.append("CSeq", "\(client.request.sequence?.number ?? 1) ACK")
        ack.appendLength()
        transmit(ack.bytes, ack, to: client.to, on: index, isResponse: false)
    }

    /// Ends a ringing leg; waits for its first 1xx if none came yet.
    mutating func cancelInvite(of leg: String) {
        guard
            let key = transactions.clients.filter({
                $0.value.leg == leg && $0.value.request.method == "INVITE"
            }).keys.min(), var client = transactions.clients[key], !client.isCancelled,
            let index = profileIndex(client.profile)
        else { return }
        client.isCancelled = true
        transactions.clients[key] = client
        if client.isHeard { sendCancel(client, on: index) }
    }

    private mutating func sendCancel(_ client: Transactions.Client, on index: Int) {
        var cancel = SIPMessage(.request(method: "CANCEL", uri: client.request.uri ?? ""))
        for name in ["Via", "Route", "Max-Forwards", "From", "To", "Call-ID"] {
            for value in client.request.all(name) { cancel.append(name, value) }
        }
        cancel.append("CSeq", "\(client.request.sequence?.number ?? 1) CANCEL")
        cancel.append("Reason", "SIP;cause=487;text=\"ORIGINATOR_CANCEL\"")
        cancel.appendLength()
        request(
            cancel, branch: client.request.via?.branch ?? "", to: client.to, on: index, leg: client.leg)
    }
}

extension SwitchCore.Profile {
    /// `user` left out: `10.77.0.50:5060`, IPv6 in brackets.
    var place: String { "\(SIPURI.bracketed(settings.ip)):\(settings.port)" }
    /// As the profile's own URL has it.
    var address: String { "mod_sofia@\(place)" }
    /// The sent-by of our Via: the standard port is left out, as sofia-sip does.
    var sentBy: String {
        settings.port == 5060 ? SIPURI.bracketed(settings.ip) : place
    }
}
