import EventSocket

/// How a leg came to its end, as `sip_hangup_disposition` and the SIP exchange show it.
enum Hangup: Hashable, Sendable {
    /// Our BYE, or our final answer.
    case sent
    /// The peer's BYE.
    case received
    /// The peer's CANCEL.
    case cancelled
    /// A final answer to our INVITE.
    case refused(Int)
    /// We refuse the caller with this answer.
    case refusing(Int, String)
}

extension SwitchCore {
    /// Refuses a caller that was not answered.
    mutating func refuse(_ uuid: String, _ status: Int, _ reason: String, _ cause: HangupCause) {
        if let index = channels[uuid].flatMap({ profileIndex($0.profile) }) { profiles[index].failedIn += 1 }
        hangUp(uuid, cause, how: .refusing(status, reason))
    }

    /// Ends a leg and the one it is bridged to, in FreeSWITCH's order of events.
    mutating func hangUp(_ uuid: String, _ cause: HangupCause, how: Hangup) {
        guard let channel = channels[uuid], channel.hangupCause == nil else { return }
        let partner = channel.partner.flatMap { channels[$0] }.flatMap { $0.hangupCause == nil ? $0 : nil }
        let isLast = channel.revival?.partner != nil && !channel.isBridged
        end(uuid, cause, how: how, after: nil)
        if let partner, !isLast {
            if partner.answer == .ringing, partner.isInbound {
                end(partner.uuid, cause, how: .refusing(cause.status.code, cause.status.reason), after: cause)
            } else {
                end(partner.uuid, cause, how: .sent, after: cause)
            }
        }
        let legs = [uuid] + (partner.map { isLast ? [] : [$0.uuid] } ?? [])
        let called = legs.first { channels[$0]?.isInbound == false }
        let caller = legs.first { channels[$0]?.isInbound == true }
        // Two calling legs or two called legs are never bridged to each other by this switch.
        if let called { complete(called) } else if let caller { complete(caller) }
        if called != nil, caller != nil {
            agenda.note(
                .finishHangup(caller: caller, called: called), at: now + Self.originateTick)
        } else {
            for leg in legs { destroy(leg) }
        }
    }

    /// The called leg is gone; now the caller's bridge ends and then the caller.
    mutating func finishHangup(caller: String?, called: String?) {
        if let caller, let called, var channel = channels[caller], let other = channels[called] {
            if channel.isBridged {
                channel.variables["bridge_to"] = nil
                channel.variables["bridge_hangup_cause"] = other.hangupCause?.name
                channels[caller] = channel
                fireBridge("CHANNEL_UNBRIDGE", channel, called, from: Origin.unbridge)
                channels[called]?.variables["bridge_hangup_cause"] = other.hangupCause?.name
                channels[called]?.callUUID = called
                channels[called]?.variables["call_uuid"] = called
            }
        }
        if let called { destroy(called) }
        if let caller {
            complete(caller)
            destroy(caller)
        }
    }

    /// The SIP side of the end, the row, and CHANNEL_HANGUP.
    private mutating func end(_ uuid: String, _ cause: HangupCause, how: Hangup, after first: HangupCause?) {
        guard var channel = channels[uuid] else { return }
        let wasAnswered = channel.answer == .answered
        channel.hangupCause = cause
        channel.answer = .hangup
        channel.shownNumber = Leg.State.hangup.number
        if channel.isBridged {
            if let first { channel.variables["last_bridge_hangup_cause"] = first.name }
            channel.variables["last_bridge_role"] = channel.isInbound ? "originator" : "originatee"
        }
        let disposition: String
        switch how {
        case .received:
            channel.variables.set([
                "sip_term_status": "200", "proto_specific_hangup_cause": "sip:200",
                "sip_term_cause": "\(cause.q850)",
            ])
            disposition = "recv_bye"
        case .cancelled: disposition = "recv_cancel"
        case .refused(let status):
            channel.variables.set([
                "sip_term_status": "\(status)", "proto_specific_hangup_cause": "sip:\(status)",
                "sip_term_cause": "\(cause.q850)",
            ])
            disposition = "recv_refuse"
        case .refusing: disposition = "send_refuse"
        case .sent: disposition = wasAnswered ? "send_bye" : "send_cancel"
        }
        if disposition.hasPrefix("recv") { channel.variables["sip_hangup_disposition"] = disposition }
        channels[uuid] = channel
        if channel.isTracked { queue([.delete(uuid: uuid)]) }
        fireChannel("CHANNEL_HANGUP", channel, from: Origin.hangup)
        finishSIP(uuid, cause, how: how, wasAnswered: wasAnswered)
        channels[uuid]?.disposition = disposition
        for hold in channel.holds { release(hold) }
        channels[uuid]?.holds = []
        load.ended(channel)
    }

    private mutating func finishSIP(_ uuid: String, _ cause: HangupCause, how: Hangup, wasAnswered: Bool) {
        guard let channel = channels[uuid], let index = profileIndex(channel.profile) else { return }
        switch how {
        case .sent:
            if wasAnswered { sendBye(uuid, cause: cause) } else { cancelInvite(of: uuid) }
        case .cancelled: refuseCaller(channel, 487, "Request Terminated", nil, on: index)
        case .refusing(let status, let reason):
            refuseCaller(channel, status, reason, cause, on: index)
        case .received, .refused: break
        }
    }

    private mutating func refuseCaller(
        _ channel: Leg, _ status: Int, _ reason: String, _ cause: HangupCause?, on index: Int
    ) {
        guard let message = channel.dialog.pending else { return }
        let source = channel.dialog.answerTo
        var response = message.response(
            status, reason, from: source, tag: channel.dialog.localTag, maxForwards: true)
        response.appendCapabilities(.full)
        if let cause {
            response.append("Reason", "Q.850;cause=\(cause.q850);text=\"\(cause.name)\"")
        }
        response.appendLength()
        let number = channel.caller.destination
        response.append("Remote-Party-ID", remoteParty(number, number, on: index))
        channels[channel.uuid]?.dialog.pending = nil
        answer(message, with: response, from: source, on: index)
    }

    /// CHANNEL_HANGUP_COMPLETE with the call's times.
    private mutating func complete(_ uuid: String) {
        guard var channel = channels[uuid], let cause = channel.hangupCause else { return }
        channel.state = .reporting
        channel.shownNumber = nil
        channel.callState = "HANGUP"
        channel.times.hangup = now.microseconds
        channel.variables["bridge_to"] = nil
        channel.setHungUp(cause, now: now)
        channels[uuid] = channel
        fire("CHANNEL_HANGUP_COMPLETE", from: Origin.complete) { headers in
            headers.append("Hangup-Cause", cause.name)
            channel.describe(into: &headers)
        }
    }

    private mutating func destroy(_ uuid: String) {
        guard var channel = channels[uuid] else { return }
        channel.shownNumber = 12
        fireChannel("CHANNEL_DESTROY", channel, from: Origin.destroy)
        channels[uuid] = nil
        order.removeAll { $0 == uuid }
        dialogs[channel.dialog.key] = nil
    }

    mutating func release(_ hold: LimitHold) {
        switch hold.backend {
        case .hash: limits.release(hold)
        case .hiredis: emit(.limit(LimitQuery(purpose: .release, command: ["decr", hold.id])))
        }
    }
}

extension Leg {
    /// The variables of a call detail record (switch_channel.c: switch_channel_set_timestamps).
    mutating func setHungUp(_ cause: HangupCause, now: Timestamp) {
        variables.set([
            "hangup_cause": cause.name, "hangup_cause_q850": "\(cause.q850)", "digits_dialed": "none",
        ])
        let stamps: [(String, Int64)] = [
            ("start", times.created), ("profile_start", times.profileCreated), ("answer", times.answered),
            ("bridge", times.bridged), ("resurrect", times.resurrect), ("progress", times.progress),
            ("end", times.hangup),
        ]
        for (name, time) in stamps where time > 0 {
            variables[name + "_stamp"] = Timestamp(microseconds: time).local
        }
        func setEpoch(_ name: String, _ time: Int64) {
            variables[name + "_epoch"] = "\(time / 1_000_000)"
            variables[name + "_uepoch"] = "\(time)"
        }
        setEpoch("start", times.created)
        setEpoch("profile_start", times.profileCreated)
        setEpoch("answer", times.answered)
        setEpoch("bridge", times.bridged)
        setEpoch("last_hold", times.lastHold)
        variables.set([
            "hold_accum_seconds": "\(times.holdTotal / 1_000_000)", "hold_accum_usec": "\(times.holdTotal)",
            "hold_accum_ms": "\(times.holdTotal / 1000)",
        ])
        setEpoch("resurrect", times.resurrect)
        setEpoch("progress", times.progress)
        setEpoch("progress_media", times.progressMedia)
        setEpoch("end", times.hangup)
        if isInbound, let application {
            variables["last_app"] = application.name
            if !application.data.isEmpty { variables["last_arg"] = application.data }
        }
        variables["caller_id"] = "\"\(caller.callerName)\" <\(caller.callerNumber)>"
        setDurations()
        if let disposition, disposition.hasPrefix("send") {
            variables["sip_hangup_disposition"] = disposition
        }
        if times.answered > 0 { setStatistics() }
    }

    private mutating func setDurations() {
        func since(_ time: Int64, from start: Int64) -> (Int64, Int64, Int64) {
            guard time > 0, start > 0 else { return (0, 0, 0) }
            return (time / 1_000_000 - start / 1_000_000, time / 1000 - start / 1000, time - start)
        }
        let spans = [
            ("dur", since(times.hangup, from: times.created)),
            ("bill", since(times.hangup, from: times.answered)),
            ("progress", since(times.progress, from: times.created)),
            ("answer", since(times.answered, from: times.created)),
            ("wait", since(times.bridged, from: times.created)),
            ("progress_media", since(times.progressMedia, from: times.created)),
            ("flow_bill", since(times.hangup, from: times.created)),
        ]
        for (name, span) in spans { variables[name == "dur" ? "duration" : name + "sec"] = "\(span.0)" }
        for (name, span) in spans { variables[name == "dur" ? "mduration" : name + "msec"] = "\(span.1)" }
        for (name, span) in spans { variables[name == "dur" ? "uduration" : name + "usec"] = "\(span.2)" }
    }

    private mutating func setStatistics() {
        let skipped = max(0, times.hangup - max(times.answered, times.created)) / 20_000
        for (name, value) in [
            ("raw_bytes", "0"), ("media_bytes", "0"), ("packet_count", "0"), ("media_packet_count", "0"),
            ("skip_packet_count", "\(skipped)"), ("jitter_packet_count", "0"), ("dtmf_packet_count", "0"),
            ("cng_packet_count", "0"), ("flush_packet_count", "0"), ("largest_jb_size", "0"),
            ("jitter_min_variance", "0.00"), ("jitter_max_variance", "0.00"), ("jitter_loss_rate", "0.00"),
            ("jitter_burst_rate", "0.00"), ("mean_interval", "0.00"), ("flaw_total", "0"),
            ("quality_percentage", "100.00"), ("mos", "4.50"),
        ] {
            variables["rtp_audio_in_" + name] = value
        }
        for name in [
            "raw_bytes", "media_bytes", "packet_count", "media_packet_count", "skip_packet_count",
            "dtmf_packet_count", "cng_packet_count",
        ] {
            variables["rtp_audio_out_" + name] = "0"
        }
        variables["rtp_audio_rtcp_packet_count"] = "0"
        variables["rtp_audio_rtcp_octet_count"] = "0"
    }
}
