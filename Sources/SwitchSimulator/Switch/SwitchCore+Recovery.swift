import EventSocket

/// A `recover` command at work: legs are revived one after another.
struct Recovery: Sendable {
    enum Command: Sendable {
        case profile(String)
        case all
        /// `fsctl recover sofia[:PROFILE]`: counts in other words and does not look at profiles' states.
        case control(profile: String?)
    }
    var command: Command
    var ticket: Ticket
    var profiles: [String]?
    var rows: [RecoveryRow] = []
    var next = 0
    var revived = 0
}

extension SwitchCore {
    /// Asks for the rows; the command is answered when all of them were tried.
    mutating func recover(_ command: Recovery.Command, ticket: Ticket) {
        let names: [String]?
        switch command {
        case .profile(let name):
            guard let index = profileIndex(name) else {
                return emit(.reply(ticket, "Invalid Profile [\(name)]\n"))
            }
            profiles[index].isStandby = false
            names = [name]
        case .all:
            for index in profiles.indices { profiles[index].isStandby = false }
            names = profiles.map(\.settings.name)
        case .control(let name): names = name.map { [$0] }
        }
        recoveryCount += 1
        recoveries[recoveryCount] = Recovery(command: command, ticket: ticket, profiles: names)
        emit(.selectRows(job: recoveryCount, profiles: names, notOf: identity.coreUUID))
    }

    /// The rows asked for by `selectRows`, in table order.
    package mutating func recoveryRows(_ rows: [RecoveryRow], job: Int, at now: Timestamp) {
        advance(to: now)
        guard var recovery = recoveries[job] else { return }
        recovery.rows = rows
        recoveries[job] = recovery
        guard !rows.isEmpty else { return finish(recovery, job: job) }
        agenda.note(.reviveNext(job: job), at: now + chance.between(settings.revivalPace))
    }

    mutating func reviveNext(_ job: Int) {
        guard var recovery = recoveries[job] else { return }
        let row = recovery.rows[recovery.next]
        recovery.next += 1
        if revive(row) { recovery.revived += 1 }
        recoveries[job] = recovery
        guard recovery.next < recovery.rows.count else { return finish(recovery, job: job) }
        agenda.note(.reviveNext(job: job), at: now + chance.between(settings.revivalPace))
    }

    /// Every row that was selected goes, revived or not (freeswitch-integration §3).
    private mutating func finish(_ recovery: Recovery, job: Int) {
        recoveries[job] = nil
        emit(.deleteRows(profiles: recovery.profiles, notOf: identity.coreUUID))
        let count = recovery.revived
        switch recovery.command {
        case .profile:
            emit(
                .reply(
                    recovery.ticket,
                    count > 0 ? "Recovered \(count) session(s)\n" : "No sessions to recover.\n"))
        case .control: emit(.reply(recovery.ticket, "+OK \(count) session(s) recovered in total\n"))
        case .all:
            fireCustom(
                "sofia::recovery_recovered",
                from: EventOrigin("mod_sofia.c", "sofia_function", count > 0 ? 4630 : 4638)
            ) { $0.append("recovered_calls", "\(count)") }
            emit(
                .reply(
                    recovery.ticket, count > 0 ? "Recovered \(count) call(s)\n" : "No calls to recover.\n"))
        }
    }

    /// Makes the channel again and sends its re-INVITE; false when it cannot be.
    private mutating func revive(_ row: RecoveryRow) -> Bool {
        guard channels[row.uuid] == nil, !deadSessions.contains(row.uuid) else { return false }
        let leg: RecoveredLeg
        do throws(RecoveredLeg.Failure) {
            guard !row.isNull else {
                throw RecoveredLeg.Failure(effect: .crash, description: "metadata is NULL")
            }
            leg = try RecoveredLeg(parsing: row.metadata)
        } catch {
            switch error.effect {
            case .skipped: return false
            case .dead:
                deadSessions.append(row.uuid)
                return false
            case .vanished: return true
            case .crash:
                emit(.crash)
                return false
            }
        }
        guard let index = leg.variables["recovery_profile_name"].flatMap(profileIndex) else {
            // The session was made before the profile was missed: it holds its uuid until the process ends.
            deadSessions.append(row.uuid)
            return false
        }
        guard !(leg.direction == .inbound ? pause.inbound : pause.outbound) else { return false }
        guard let dialog = revivedDialog(leg, on: index) else { return true }
        let media = revivedMedia(leg, on: index)
        var channel = Leg(
            uuid: row.uuid, direction: leg.direction, profile: profiles[index].settings.name,
            name: leg.variables["channel_name"] ?? "sofia/\(row.profileName)/\(leg.caller.destination)",
            caller: leg.caller, dialog: dialog, media: media,
            profileUUID: chance.uuid())
        channel.restore(leg, dialog: dialog, profile: profiles[index], at: now)
        add(channel)
        let target = leg.direction == .inbound ? "to_user" : "from_user"
        let number = leg.variables["sip_" + target] ?? leg.caller.destination
        let name = leg.direction == .inbound ? number : leg.caller.callerName
        let host =
            leg.direction == .inbound
            ? (leg.variables["sip_contact_uri"]?.split(separator: "@").last).map(String.init) ?? ""
            : SIPURI.bracketed(profiles[index].settings.ip)
        sendInvite(row.uuid, on: index, remoteParty: "\"\(name)\" <sip:\(number)@\(host)>")
        agenda.note(.announceRevived(channels[row.uuid] ?? channel), at: now + .milliseconds(1))
        return true
    }

    /// From and To are swapped for legs that were inbound; the CSeq comes from the clock, or is the one after `sip_invite_cseq`.
    private mutating func revivedDialog(_ leg: RecoveredLeg, on index: Int) -> Dialog? {
        let variables = leg.variables
        let isInbound = leg.direction == .inbound
        guard let contact = variables["sip_contact_uri"], let target = SIPURI(parsing: "sip:" + contact)
        else {
            return nil
        }
        // What is missing is made up: the phone takes it for a new call.
        let callID = variables["sip_call_id"] ?? chance.callID()
        let own = "<sip:\(leg.caller.destination)@\(profiles[index].place)>;tag=\(chance.tag())"
        let from = variables["sip_full_from"] ?? (isInbound ? "<sip:\(contact)>" : own)
        let to = variables["sip_full_to"] ?? (isInbound ? own : "<sip:\(contact)>")
        let local = isInbound ? to : from
        let remote = isInbound ? from : to
        guard let localAddress = SIPAddress(parsing: local), let remoteAddress = SIPAddress(parsing: remote)
        else { return nil }
        let localTag = localAddress.tag ?? ""
        let user = target.user ?? leg.caller.destination
        let sequence = variables["sip_invite_cseq"].flatMap { UInt32($0) }.map { $0 &+ 1 } ?? clockSequence
        var dialog = Dialog(
            callID: callID, inviting: .ours, local: local, localTag: localTag, remote: remote,
            remoteTag: remoteAddress.tag ?? "", target: "sip:" + contact,
            peer: target.endpoint ?? SIPEndpoint(ip: "127.0.0.1", port: 5060), localSequence: sequence,
            contact: "<sip:\(user)@\(profiles[index].place)>",
            answerTo: SIPEndpoint(ip: "127.0.0.1", port: 5060))
        if isInbound {
            let ip = variables["sip_network_ip"] ?? target.host
            let port = variables["sip_network_port"] ?? "5060"
            let transport = variables["sip_via_protocol"] ?? "udp"
            dialog.routes = ["<sip:\(user)@\(SIPURI.bracketed(ip)):\(port);transport=\(transport)>"]
            if let number = UInt16(port) { dialog.peer = SIPEndpoint(ip: ip, port: number) }
        } else if let parameters = variables["sip_contact_params"] {
            dialog.target += ";" + parameters
        }
        return dialog
    }

    /// The same address and port as before.
    private mutating func revivedMedia(_ leg: RecoveredLeg, on index: Int) -> MediaOffer {
        let ip = leg.variables["local_media_ip"] ?? profiles[index].settings.ip
        let port = leg.variables["local_media_port"].flatMap { UInt16($0) } ?? media(.revival, on: index).port
        return MediaOffer(kind: .revival, ip: ip, port: port, session: now.seconds - Int64(port))
    }

    /// The channel's own thread starts a little later and tells what the channel was when it was made.
    mutating func announceRevived(_ leg: Leg) {
        // Its peer was quicker than a millisecond, and it has hung up since.
        guard channels[leg.uuid]?.hangupCause == nil, channels[leg.uuid] != nil else { return }
        var channel = leg
        channel.state = .initial
        channel.shownNumber = (channel.revival?.partner == nil ? Leg.State.execute : .reset).number
        fireChannel("CHANNEL_CREATE", channel, from: Origin.create)
    }

    /// The peer took the re-INVITE: a single leg goes on with its applications, a bridged one waits for its partner.
    mutating func revivalAccepted(
        _ uuid: String, _ message: SIPMessage, from source: SIPEndpoint, on index: Int
    ) {
        guard let channel = channels[uuid], let revival = channel.revival else { return }
        channels[uuid]?.revival?.isConfirmed = true
        channels[uuid]?.revivalAnswer = RevivalAnswer(message: message, source: source)
        guard let partner = revival.partner else {
            acceptRevivalAnswer(uuid)
            channels[uuid]?.state = .execute
            track(uuid)
            // Applications run again from the first: what was answered stays answered. With none it ends.
            guard !channel.plan.isEmpty else { return hangUp(uuid, .normal, how: .sent) }
            return proceed(uuid, at: 0)
        }
        if !revival.isOriginator {
            acceptRevivalAnswer(uuid)
            track(uuid)
        } else {
            agenda.note(.acceptAlone(uuid), at: now + .seconds(1))
        }
        guard let other = channels[partner], other.revival?.isConfirmed == true else { return }
        // Without channel flag 4 on one of them the two are never joined.
        for candidate in [uuid, partner] where channels[candidate]?.revival?.isOriginator == true {
            return agenda.note(.rejoin(candidate), at: now + .milliseconds(100))
        }
    }

    /// What the peer's 200 says is taken over, and acknowledged.
    mutating func acceptRevivalAnswer(_ uuid: String) {
        guard var channel = channels[uuid], let answer = channel.revivalAnswer,
            let index = profileIndex(channel.profile)
        else { return }
        channel.revivalAnswer = nil
        if channel.transferSource == nil { channel.variables["call_uuid"] = channel.callUUID }
        channel.setAccepted(
            answer.message, from: answer.source, profile: profiles[index], isRevived: true, chance: &chance)
        channels[uuid] = channel
        sendAcknowledgement(uuid, on: index)
        if channel.revival?.isOriginator == true { track(uuid) }
    }

    /// The originating leg bridges itself to its partner, as `uuid_bridge` does.
    mutating func rejoin(_ uuid: String) {
        guard var first = channels[uuid], let partner = first.revival?.partner,
            let second = channels[partner],
            first.hangupCause == nil, second.hangupCause == nil, !first.isBridged
        else { return }
        let source = "\(now.seconds):\(chance.uuid()):uuid_br:\(partner)"
        first.variables["bridge_to"] = nil
        first.variables.set([
            "call_uuid": first.callUUID, "bridge_channel": second.name, "bridge_uuid": partner,
            "signal_bond": partner, "original_destination_number": first.caller.destination,
            "original_caller_id_name": first.caller.callerName,
            "original_caller_id_number": first.caller.callerNumber, "transfer_history": source,
            "transfer_source": source,
        ])
        first.transferSource = source
        channels[uuid] = first
        if first.revivalAnswer != nil { acceptRevivalAnswer(uuid) }
        guard var first = channels[uuid], var second = channels[partner] else { return }
        first.times.profileCreated = now.microseconds
        second.times.profileCreated = now.microseconds
        first.profileIndex += 1
        second.profileIndex += 1
        first.times.resurrect = 0
        second.times.resurrect = 0
        first.times.bridged = now.microseconds
        first.state = .softExecute
        first.isBridged = true
        second.isBridged = true
        first.partner = partner
        second.partner = uuid
        var profile = second.caller
        profile.logicalDirection = .inbound
        first.other = OtherLeg(kind: .originatee, profile: profile, times: second.times)
        second.times.bridged = now.microseconds
        channels[uuid] = first
        channels[partner] = second
        fireBridge("CHANNEL_BRIDGE", first, partner, from: Origin.bridge)
        joined(&first, &second)
    }
}

/// The 200 of a revived leg that is taken over when the bridge is made.
struct RevivalAnswer: Sendable {
    var message: SIPMessage
    var source: SIPEndpoint
}

extension Leg {
    /// Fills a revived channel: old variables first, then what recovering sets (sofia_glue.c: sofia_recover_callback).
    mutating func restore(
        _ leg: RecoveredLeg, dialog: Dialog, profile: SwitchCore.Profile, at now: Timestamp
    ) {
        variables = leg.variables
        times = leg.times
        times.created = now.microseconds
        times.resurrect = now.microseconds
        hasCodec = true
        answer = .answered
        state = .initial
        extensionName = leg.extensionName
        plan = leg.plan
        partner = nil
        callUUID = variables["call_uuid"] ?? uuid
        callState = isInbound ? "ACTIVE" : "DOWN"
        let bond = variables["signal_bond"]
        revival = Revival(isOriginator: leg.isBridgeOriginator, partner: bond)
        state = bond == nil ? .execute : .reset
        if let original = leg.originator {
            other = OtherLeg(kind: .originator, profile: original.withoutChannel, times: LegTimes())
        } else if let original = leg.originatee {
            other = OtherLeg(kind: .originatee, profile: original.withoutCallee, times: nil)
        }
        if let application = plan.last, bond == nil { self.application = application }
        let old = leg.variables
        variables.set([
            "recovered": "true", "sip_invite_route_uri": dialog.routes.first,
            "sip_handle_full_from": dialog.local, "sip_handle_full_to": dialog.remote,
            "video_media_flow": "disabled", "text_media_flow": "disabled", "channel_name": name,
            "sip_invite_call_id": dialog.callID,
            "rtp_use_codec_string": old["rtp_last_audio_codec_string"],
        ])
        variables.refresh(
            "rtp_use_codec_name", "rtp_use_codec_rate", "rtp_use_codec_ptime", "rtp_use_codec_channels",
            "rtp_last_audio_codec_string", "read_codec", "original_read_codec", "read_rate",
            "original_read_rate", "write_codec", "write_rate")
        variables["audio_media_flow"] = "sendrecv"
        variables.refresh(
            "local_media_ip", "local_media_port", "advertised_media_ip", "rtp_use_timer_name", "rtp_use_pt",
            "rtp_use_ssrc", "rtp_2833_send_payload", "rtp_2833_recv_payload", "remote_media_ip",
            "remote_media_port")
        let contact = old["sip_contact_uri"] ?? ""
        let host = contact.split(separator: "@", maxSplits: 1).last.map(String.init)
        let local = SIPAddress(parsing: dialog.local)?.uri
        let own = local.map { "\($0.host)\($0.port.map { ":\($0)" } ?? "")" }
        variables.set([
            "rtp_local_sdp_str": media.local, "sip_outgoing_contact_uri": dialog.contact,
            "sip_req_uri": contact, "sip_to_host": host, "sip_from_host": own,
        ])
    }
}

extension CallerProfile {
    /// A profile read from a row does not know its channel.
    fileprivate var withoutChannel: CallerProfile {
        var profile = self
        profile.uuid = ""
        profile.channelName = ""
        return profile
    }

    fileprivate var withoutCallee: CallerProfile {
        var profile = withoutChannel
        profile.calleeName = ""
        profile.calleeNumber = ""
        return profile
    }
}
