import EventSocket

extension SwitchCore {
    /// What a peer asks within a call.
    mutating func receiveInDialog(
        _ message: SIPMessage, _ method: String, from source: SIPEndpoint, on index: Int, leg uuid: String
    ) {
        guard var channel = channels[uuid], let sequence = message.sequence else { return }
        guard sequence.number > channel.dialog.remoteSequence || channel.dialog.remoteSequence == 0 else {
            return respond(message, 500, "Server Internal Error", from: source, on: index) { response in
                response.append("User-Agent", SwitchSettings.userAgent)
                response.append("Retry-After", "1")
            }
        }
        channel.dialog.remoteSequence = sequence.number
        channels[uuid] = channel
        switch method {
        case "BYE":
            respond(message, 200, "OK", from: source, on: index) { $0.appendCapabilities(.brief) }
            hangUp(uuid, .normal, how: .received)
        case "INVITE": reinvite(message, from: source, on: index, leg: uuid)
        case "OPTIONS", "INFO", "UPDATE", "MESSAGE", "NOTIFY", "PRACK":
            respond(message, 200, "OK", from: source, on: index) { $0.appendCapabilities(.brief) }
        case "REFER": respond(message, 603, "Decline", from: source, on: index)
        default: respond(message, 501, "Not Implemented", from: source, on: index)
        }
    }

    /// A re-INVITE: hold, unhold, or the peer has a new address.
    private mutating func reinvite(
        _ message: SIPMessage, from source: SIPEndpoint, on index: Int, leg uuid: String
    ) {
        guard var channel = channels[uuid], channel.answer == .answered else {
            return respond(message, 491, "Request Pending", from: source, on: index)
        }
        if let contact = message.contact {
            channel.dialog.target = contact.uriText
            if channel.dialog.routes.isEmpty, let place = contact.uri.endpoint { channel.dialog.peer = place }
        }
        var event: String?
        if let session = SessionDescription(message.body) {
            channel.variables["switch_r_sdp"] = session.text
            channel.variables["remote_media_ip"] = session.ip
            channel.variables["remote_media_port"] = "\(session.port)"
            channel.variables["remote_audio_media_flow"] = session.flow.rawValue
            channel.media.flow =
                session.flow == .sendonly ? .recvonly : session.flow == .inactive ? .inactive : .sendrecv
            channel.variables["audio_media_flow"] = channel.media.flow.rawValue
            let isHeld = session.flow == .sendonly || session.flow == .inactive
            if isHeld != (channel.callState == "HELD") {
                channel.callState = isHeld ? "HELD" : "ACTIVE"
                if isHeld {
                    channel.times.lastHold = now.microseconds
                } else {
                    channel.times.holdTotal += now.microseconds - channel.times.lastHold
                }
                event = isHeld ? "CHANNEL_HOLD" : "CHANNEL_UNHOLD"
            }
        }
        var response = message.response(200, "OK", from: source)
        response.append("Contact", channel.dialog.contact)
        response.appendCapabilities(.events)
        response.appendSession(channel.media)
        response.appendLength()
        channel.dialog.unacknowledged = response.bytes
        channel.dialog.answerTo = message.via?.reply(to: source) ?? source
        channels[uuid] = channel
        answer(message, with: response, from: source, on: index)
        agenda.note(
            .resendAnswer(uuid, interval: Transactions.t1, until: now + Transactions.life),
            at: now + Transactions.t1)
        if let event {
            fireChannel(
                event, channel, from: EventOrigin("switch_channel.c", "switch_channel_mark_hold", 876))
        }
        track(uuid)
    }

    /// The caller acknowledges our 200, or a failure.
    mutating func acknowledge(_ message: SIPMessage, _ key: Transactions.ServerKey) {
        transactions.acknowledge(key)
        guard let tag = message.to?.tag,
            let uuid = dialogs[Dialog.Key(callID: message.callID, localTag: tag)],
            var channel = channels[uuid], channel.dialog.unacknowledged != nil
        else { return }
        channel.dialog.unacknowledged = nil
        if channel.dialog.inviting == .theirs, channel.variables["sip_cseq"] == nil {
            // Only now the leg's variables tell the whole dialog (freeswitch-integration §3).
            channel.variables.set([
                "sip_to_tag": channel.dialog.localTag, "sip_from_tag": channel.dialog.remoteTag,
                "sip_cseq": "\(message.sequence?.number ?? 1)", "sip_call_id": channel.dialog.callID,
                "sip_full_via": message["Via"],
                "sip_from_display": channel.variables["sip_from_display"],
                "sip_full_from": message["From"], "sip_full_to": message["To"],
            ])
        }
        let step = channel.nextStep
        channel.nextStep = nil
        channels[uuid] = channel
        if let step { return proceed(uuid, at: step) }
        if channel.answer == .answered { track(uuid) }
    }

    /// A 200 without ACK is sent again for 64·T1, then the leg is ended (RFC 3261 §13.3.1.4).
    mutating func resendAnswer(_ uuid: String, after interval: Duration, until: Timestamp) {
        guard let channel = channels[uuid], let bytes = channel.dialog.unacknowledged,
            let index = profileIndex(channel.profile)
        else { return }
        guard now < until else { return hangUp(uuid, .timeout, how: .sent) }
        guard let message = try? SIPMessage(parsing: bytes) else { return }
        transmit(bytes, message, to: channel.dialog.answerTo, on: index, isResponse: true)
        let next = min(interval + interval, Transactions.t2)
        agenda.note(.resendAnswer(uuid, interval: next, until: until), at: min(now + next, until))
    }

    /// The caller gives up before the answer.
    mutating func cancel(
        _ message: SIPMessage, _ key: Transactions.ServerKey, from source: SIPEndpoint, on index: Int
    ) {
        guard let transaction = transactions.servers[key] else {
            let response = message.response(481, "Call Does Not Exist", from: source, tag: chance.tag())
            return sendUnkept(response, for: message, from: source, on: index)
        }
        let tag = transaction.leg.flatMap { channels[$0]?.dialog.localTag }
        sendUnkept(message.response(200, "OK", from: source, tag: tag), for: message, from: source, on: index)
        if let leg = transaction.leg, channels[leg]?.answer == .ringing {
            hangUp(leg, .cancelled, how: .cancelled)
        }
    }

    /// The answer to a CANCEL is not the INVITE transaction's, whose key it shares.
    private mutating func sendUnkept(
        _ response: SIPMessage, for message: SIPMessage, from source: SIPEndpoint, on index: Int
    ) {
        var response = response
        response.append("User-Agent", SwitchSettings.userAgent)
        response.appendLength()
        transmit(
            response.bytes, response, to: message.via?.reply(to: source) ?? source, on: index,
            isResponse: true)
    }

    /// A request of ours within a dialog, up to and without its capabilities and body.
    mutating func dialogRequest(
        _ method: String, _ channel: Leg, on index: Int, branch: String, sequence: UInt32,
        maxForwards: String = "70"
    ) -> SIPMessage {
        var request = SIPMessage(.request(method: method, uri: channel.dialog.target))
        request.append("Via", "SIP/2.0/UDP \(profiles[index].sentBy);rport;branch=\(branch)")
        for route in channel.dialog.routes { request.append("Route", route) }
        request.append("Max-Forwards", maxForwards)
        request.append("From", channel.dialog.local)
        request.append("To", channel.dialog.remote)
        request.append("Call-ID", channel.dialog.callID)
        request.append("CSeq", "\(sequence) \(method)")
        request.append("Contact", channel.dialog.contact)
        return request
    }

    /// Acknowledges the 2xx of an INVITE of ours, and keeps the ACK.
    mutating func sendAcknowledgement(_ uuid: String, on index: Int) {
        guard var channel = channels[uuid] else { return }
        var ack = dialogRequest(
            "ACK", channel, on: index, branch: "z9hG4bK" + chance.tag(),
            sequence: channel.dialog.localSequence)
        ack.appendLength()
        channel.dialog.acknowledgement = ack.bytes
        channels[uuid] = channel
        transmit(ack.bytes, ack, to: channel.dialog.peer, on: index, isResponse: false)
    }

    mutating func acknowledgeAgain(_ message: SIPMessage, on index: Int) {
        guard let tag = message.from?.tag,
            let uuid = dialogs[Dialog.Key(callID: message.callID, localTag: tag)],
            let channel = channels[uuid], !channel.dialog.acknowledgement.isEmpty,
            let ack = try? SIPMessage(parsing: channel.dialog.acknowledgement)
        else { return }
        transmit(channel.dialog.acknowledgement, ack, to: channel.dialog.peer, on: index, isResponse: false)
    }

    mutating func sendBye(_ uuid: String, cause: HangupCause) {
        guard var channel = channels[uuid], let index = profileIndex(channel.profile) else { return }
        channel.dialog.localSequence += 1
        channels[uuid] = channel
        let branch = "z9hG4bK" + chance.tag()
        var bye = dialogRequest(
            "BYE", channel, on: index, branch: branch, sequence: channel.dialog.localSequence)
        bye.append("User-Agent", SwitchSettings.userAgent)
        bye.append("Allow", SIPMessage.allowed)
        bye.append("Supported", "timer, path, replaces")
        bye.append("Reason", "Q.850;cause=\(cause.q850);text=\"\(cause.name)\"")
        bye.appendLength()
        request(bye, branch: branch, to: channel.dialog.peer, on: index, leg: uuid)
    }

    /// FreeSWITCH starts CSeq numbers from the clock, so that a revived dialog's is above the old one.
    var clockSequence: UInt32 { UInt32(clamping: max(1, (now.seconds - 1_549_107_584) / 2)) }
}
