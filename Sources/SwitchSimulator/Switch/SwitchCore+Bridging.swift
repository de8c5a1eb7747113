import EventSocket

extension SwitchCore {
    /// Where a dialled user is: the newest registration, a phone inside the process, or the carrier.
    func targets(of channel: Leg) -> [SIPURI] {
        let dialled = channel.caller.destination
        if dialled.hasPrefix(CallLoad.userPrefix) {
            return SIPURI(parsing: "sip:\(dialled)@\(settings.phoneNetwork)2:5060").map { [$0] } ?? []
        }
        let host = channel.variables["sip_to_host"] ?? ""
        var rows: [SwitchRegistration] = []
        // First the caller's profile, then all: as `sofia_contact */USER` finds whom another machine registered.
        for table in [registrations[channel.profile]] + profiles.map({ registrations[$0.settings.name] })
        where rows.isEmpty {
            rows = table?.of("\(dialled)@\(host)") ?? []
            // Called by the profile's address instead of the domain: any host with that user.
            if rows.isEmpty { rows = table?.ofUser(dialled) ?? [] }
        }
        if let row = rows.last, let uri = SIPURI(parsing: row.uri) { return [uri] }
        if let carrier = settings.carrier, let uri = SIPURI(parsing: "sip:\(dialled)@\(carrier)") {
            return [uri]
        }
        return []
    }

    /// The dialplan's line, before its variables are replaced.
    func bridgeTemplate(for channel: Leg) -> String {
        guard let target = targets(of: channel).first else { return "error/user_not_registered" }
        return "sofia/${sofia_profile_name}/\(target.bare)"
    }

    /// Places the called leg.
    mutating func placeCall(for uuid: String) {
        guard var caller = channels[uuid], let index = profileIndex(caller.profile) else { return }
        guard let target = targets(of: caller).first, let place = target.endpoint else {
            return refuse(uuid, 480, "Temporarily Unavailable", .absent)
        }
        guard !pause.outbound, sessionCount < sessionLimit else {
            return refuse(uuid, 503, "Service Unavailable", .temporary)
        }
        note(
            Application(name: "bridge", data: "sofia/\(caller.profile)/\(target.bare)"), on: uuid)
        caller = channels[uuid] ?? caller
        let called = calledLeg(for: caller, target: target, place: place, on: index)
        let number = called.caller.calleeNumber
        caller.partner = called.uuid
        caller.caller.calleeName = "Outbound Call"
        caller.caller.calleeNumber = number
        caller.variables.set([
            "originate_disposition": "failure", "DIALSTATUS": "INVALIDARGS",
            "originate_signal_bond": called.uuid, "originated_legs": "\(called.uuid);Outbound Call;\(number)",
        ])
        channels[uuid] = caller
        add(called)
        profiles[index].callsOut += 1
        sendInvite(called.uuid, on: index)
        fireChannel("CHANNEL_CREATE", called, from: Origin.create)
    }

    private mutating func calledLeg(
        for caller: Leg, target: SIPURI, place: SIPEndpoint, on index: Int
    ) -> Leg {
        let uuid = chance.uuid()
        let name = "sofia/\(caller.profile)/\(target.bare)"
        let number = target.user ?? target.host
        var profile = caller.caller
        profile.calleeName = "Outbound Call"
        profile.calleeNumber = number
        profile.destination = number
        profile.uuid = uuid
        profile.channelName = name
        profile.direction = .outbound
        profile.logicalDirection = .outbound
        let tag = chance.tag()
        let from =
            "\"\(caller.caller.callerName)\" <sip:\(caller.caller.callerNumber)@"
            + "\(SIPURI.bracketed(profiles[index].settings.ip))>"
        let dialog = Dialog(
            callID: chance.callID(), inviting: .ours, local: from + ";tag=\(tag)", localTag: tag,
            remote: "<sip:\(target.bare)>", remoteTag: "", target: target.text, peer: place,
            localSequence: clockSequence, contact: "<sip:\(profiles[index].address)>", answerTo: place)
        var called = Leg(
            uuid: uuid, direction: .outbound, profile: caller.profile, name: name, caller: profile,
            dialog: dialog, media: media(.offer, on: index), profileUUID: chance.uuid(),
            originUUID: chance.uuid())
        called.callUUID = caller.uuid
        called.partner = caller.uuid
        called.times.created = now.microseconds
        called.times.profileCreated = now.microseconds
        called.other = OtherLeg(kind: .originator, profile: caller.caller, times: LegTimes())
        sessionNumber += 1
        called.setPlaced(
            caller, target: target, destination: "sip:\(target.bare)", session: sessionNumber,
            profile: profiles[index])
        return called
    }

    /// The first INVITE of a called leg, or the re-INVITE of a revived one.
    mutating func sendInvite(_ uuid: String, on index: Int, remoteParty: String? = nil) {
        guard var channel = channels[uuid] else { return }
        let branch = "z9hG4bK" + chance.tag()
        channel.dialog.branch = branch
        channels[uuid] = channel
        var invite = dialogRequest(
            "INVITE", channel, on: index, branch: branch, sequence: channel.dialog.localSequence,
            maxForwards: channel.variables["max_forwards"] ?? "70")
        invite.appendCapabilities(.events)
        invite.appendSession(channel.media)
        invite.appendLength()
        invite.append("X-FS-Support", "update_display,send_info")
        let host = SIPURI.bracketed(profiles[index].settings.ip)
        let party =
            remoteParty
            ?? "\"\(channel.caller.callerName)\" <sip:\(channel.caller.callerNumber)@\(host)>"
        invite.append("Remote-Party-ID", party + ";party=calling;screen=yes;privacy=off")
        request(invite, branch: branch, to: channel.dialog.peer, on: index, leg: uuid)
    }

    /// The called phone rings.
    mutating func progressed(_ uuid: String, _ message: SIPMessage) {
        guard var called = channels[uuid], called.answer == .ringing, called.times.progress == 0 else {
            return
        }
        called.times.progress = now.microseconds
        called.other?.times?.progress = now.microseconds
        called.callState = "RINGING"
        channels[uuid] = called
        guard let caller = called.partner else { return }
        if channels[caller]?.times.progress == 0 {
            channels[caller]?.times.progress = now.microseconds
            agenda.note(.relay(caller: caller), at: now + Self.originateTick)
        }
    }

    /// The called phone answered.
    mutating func inviteAccepted(
        _ client: Transactions.Client, _ message: SIPMessage, from source: SIPEndpoint, on index: Int
    ) {
        guard var channel = channels[client.leg], channel.hangupCause == nil else {
            return abandon(client, message, on: index)
        }
        if let contact = message.contact {
            channel.dialog.target = contact.uriText
            if channel.dialog.routes.isEmpty, let place = contact.uri.endpoint { channel.dialog.peer = place }
        }
        if channel.revival != nil {
            channels[client.leg] = channel
            return revivalAccepted(client.leg, message, from: source, on: index)
        }
        channel.dialog.remote = message["To"] ?? channel.dialog.remote
        channel.dialog.remoteTag = message.to?.tag ?? ""
        channel.dialog.routes = message.all("Record-Route").reversed()
        if let first = channel.dialog.routes.first.flatMap({ SIPAddress(parsing: $0) })?.uri.endpoint {
            channel.dialog.peer = first
        }
        channel.hasCodec = true
        channel.state = .consumeMedia
        channel.callState = "RINGING"
        channel.answer = .answered
        channel.times.answered = now.microseconds
        channel.setAccepted(
            message, from: source, profile: profiles[index], isRevived: false, chance: &chance)
        channels[client.leg] = channel
        sendAcknowledgement(client.leg, on: index)
        fireChannel("CHANNEL_ANSWER", channel, from: Origin.answer)
        channels[client.leg]?.callState = "ACTIVE"
        channels[client.leg]?.variables["endpoint_disposition"] = "ANSWER"
        track(client.leg)
        guard let caller = channel.partner, channels[caller] != nil else {
            return hangUp(client.leg, .cancelled, how: .sent)
        }
        if channels[caller]?.times.progress == 0 || channels[caller]?.dialog.hasAnsweredWithTag == true {
            agenda.note(.relay(caller: caller), at: now + Self.originateTick)
        }
    }

    /// Answered by a phone whose call was given up meanwhile: acknowledged, and ended.
    private mutating func abandon(_ client: Transactions.Client, _ message: SIPMessage, on index: Int) {
        let target = message.contact?.uriText ?? client.request.uri ?? ""
        let number = client.request.sequence?.number ?? 1
        for (method, sequence) in [("ACK", number), ("BYE", number + 1)] {
            let branch = "z9hG4bK" + chance.tag()
            var request = SIPMessage(.request(method: method, uri: target))
            request.append("Via", "SIP/2.0/UDP \(profiles[index].sentBy);rport;branch=\(branch)")
            for route in message.all("Record-Route").reversed() { request.append("Route", route) }
            request.append("Max-Forwards", "70")
            request.append("From", client.request["From"] ?? "")
            request.append("To", message["To"] ?? "")
            request.append("Call-ID", client.request.callID)
            request.append("CSeq", "\(sequence) \(method)")
            request.appendLength()
            if method == "ACK" {
                transmit(request.bytes, request, to: client.to, on: index, isResponse: false)
            } else {
                self.request(request, branch: branch, to: client.to, on: index, leg: client.leg)
            }
        }
    }

    /// The originating loop looks at the called leg: rings at, or answers, the caller.
    mutating func relay(_ uuid: String) {
        guard var caller = channels[uuid], caller.answer == .ringing, let message = caller.dialog.pending,
            let partner = caller.partner, let called = channels[partner],
            let index = profileIndex(caller.profile)
        else { return }
        let isAnswered = called.answer == .answered
        if isAnswered, caller.variables["switch_m_sdp"] == nil {
            caller.variables.set([
                "switch_m_sdp": called.variables["switch_r_sdp"], "video_media_flow": "inactive",
                "text_media_flow": "inactive", "audio_media_flow": "sendrecv",
            ])
            channels[uuid] = caller
        }
        if called.times.progress > 0, !caller.dialog.hasAnsweredWithTag {
            caller.dialog.hasAnsweredWithTag = true
            caller.variables["sip_to_tag"] = caller.dialog.localTag
            channels[uuid] = caller
            let source = caller.dialog.answerTo
            var ringing = message.response(180, "Ringing", from: source, tag: caller.dialog.localTag)
            ringing.append("Contact", caller.dialog.contact)
            ringing.appendCapabilities(.full)
            ringing.appendLength()
            ringing.append(
                "Remote-Party-ID",
                remoteParty(caller.caller.calleeName, caller.caller.destination, on: index))
            answer(message, with: ringing, from: source, on: index)
        }
        guard isAnswered else { return }
        answerCall(uuid)
        agenda.note(.bridge(caller: uuid), at: now + Self.bridgeDelay)
    }

    /// Both have answered: the legs are joined.
    mutating func bridge(_ uuid: String) {
        guard var caller = channels[uuid], let partner = caller.partner, var called = channels[partner],
            caller.hangupCause == nil, called.hangupCause == nil
        else { return }
        caller.variables["originate_signal_bond"] = nil
        caller.variables.set([
            "originate_disposition": "SUCCESS", "DIALSTATUS": "SUCCESS",
            "originate_causes": "\(partner);NONE", "signal_bond": partner,
        ])
        var profile = called.caller
        profile.logicalDirection = .inbound
        caller.other = OtherLeg(kind: .originatee, profile: profile, times: called.times)
        caller.isBridged = true
        called.isBridged = true
        caller.times.bridged = now.microseconds
        called.times.bridged = now.microseconds
        fireBridge("CHANNEL_BRIDGE", caller, called.uuid, from: Origin.bridge)
        joined(&caller, &called)
        agenda.note(.callUpdate(first: uuid, second: partner), at: now + Self.originateTick)
    }

    /// What both legs know once they are bridged; their rows are written before the last four variables.
    mutating func joined(_ caller: inout Leg, _ called: inout Leg) {
        called.variables["call_uuid"] = called.callUUID
        caller.variables.set(["bridge_to": called.uuid, "last_bridge_to": called.uuid])
        called.variables.set(["bridge_to": caller.uuid, "last_bridge_to": caller.uuid])
        channels[caller.uuid] = caller
        channels[called.uuid] = called
        track(caller.uuid)
        track(called.uuid)
        channels[called.uuid]?.state = .exchangeMedia
        channels[caller.uuid]?.variables.set([
            "bridge_channel": called.name, "bridge_uuid": called.uuid, "signal_bond": called.uuid,
        ])
        channels[called.uuid]?.variables.set([
            "bridge_channel": caller.name, "bridge_uuid": caller.uuid, "signal_bond": caller.uuid,
        ])
    }

    mutating func fireBridge(_ name: String, _ channel: Leg, _ partner: String, from origin: EventOrigin) {
        fire(name, from: origin) { headers in
            headers.append("Bridge-A-Unique-ID", channel.uuid)
            headers.append("Bridge-B-Unique-ID", partner)
            channel.describe(into: &headers)
        }
    }

    /// Each side is told whom it talks to.
    mutating func updateCall(_ first: String, _ second: String) {
        for (uuid, partner) in [(first, second), (second, first)] {
            guard var channel = channels[uuid], channel.isBridged, channel.hangupCause == nil else {
                continue
            }
            let name = channel.isInbound ? channel.caller.calleeName : channel.caller.callerName
            let number = channel.isInbound ? channel.caller.calleeNumber : channel.caller.callerNumber
            channel.variables.set([
                "last_sent_callee_id_name": name, "last_sent_callee_id_number": number,
            ])
            channels[uuid] = channel
            fire("CALL_UPDATE", from: Origin.update) { headers in
                headers.append("Direction", "SEND")
                headers.append("Sent-Callee-ID-Name", name)
                headers.append("Sent-Callee-ID-Number", number)
                headers.append("Bridged-To", partner)
                channel.describe(into: &headers)
            }
        }
    }

    /// The called phone refused, or nothing answered.
    mutating func inviteFailed(_ uuid: String, status: Int) {
        guard let channel = channels[uuid], channel.hangupCause == nil else { return }
        let cause = HangupCause(status: status)
        if let index = profileIndex(channel.profile) { profiles[index].failedOut += 1 }
        if channel.revival != nil {
            // A peer that knows nothing of the dialog any more: the leg ends without a BYE.
            return hangUp(uuid, cause, how: .refused(status))
        }
        if let caller = channel.partner, channels[caller]?.answer == .ringing {
            refuse(caller, cause.status.code, cause.status.reason, cause)
        } else {
            hangUp(uuid, cause, how: .refused(status))
        }
    }
}
