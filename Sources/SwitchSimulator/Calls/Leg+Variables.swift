extension Leg {
    /// The variables of a caller's leg, in the order mod_sofia sets them.
    mutating func setInvited(
        _ message: SIPMessage, _ uri: SIPURI, _ from: SIPAddress, _ contact: SIPAddress,
        _ session: SessionDescription, source: SIPEndpoint, session number: Int,
        profile: SwitchCore.Profile, at now: Timestamp
    ) {
        let to = message.to!
        var via = message.via!
        via.note(source: source)
        variables.set([
            "direction": "inbound", "uuid": uuid, "call_uuid": uuid, "session_id": "\(number)",
            "sip_from_user": from.uri.user, "sip_from_port": from.uri.port.map { "\($0)" },
            "sip_from_uri": from.uri.bare, "sip_from_host": from.uri.host, "video_media_flow": "disabled",
            "text_media_flow": "disabled", "channel_name": name, "sip_call_id": message.callID,
            "sip_local_network_addr": profile.settings.ip, "sip_network_ip": source.ip,
            "sip_network_port": "\(source.port)", "sip_invite_stamp": "\(now.microseconds)",
            "sip_received_ip": source.ip, "sip_received_port": "\(source.port)", "sip_via_protocol": "udp",
            "sip_from_user_stripped": from.uri.user, "sip_from_tag": from.tag,
            "sofia_profile_name": profile.settings.name, "sofia_profile_url": "sip:\(profile.address)",
            "recovery_profile_name": profile.settings.name,
        ])
        let routes = dialog.routes
        variables.set([
            "sip_invite_record_route": routes.isEmpty ? nil : routes.joined(separator: ","),
            "sip_full_via": via.text, "sip_from_display": from.display, "sip_full_from": message["From"],
            "sip_full_to": message["To"],
        ])
        variables.set([
            "sip_req_user": uri.user, "sip_req_port": uri.port.map { "\($0)" }, "sip_req_uri": uri.bare,
            "sip_req_host": uri.host, "sip_to_user": to.uri.user, "sip_to_port": to.uri.port.map { "\($0)" },
            "sip_to_uri": to.uri.bare, "sip_to_host": to.uri.host,
        ])
        setContact(contact)
        variables.set([
            "sip_user_agent": message["User-Agent"], "sip_via_host": via.host,
            "sip_via_port": via.port.map { "\($0)" }, "max_forwards": message["Max-Forwards"] ?? "70",
            "switch_r_sdp": session.text, "ep_codec_string": "CORE_PCM_MODULE.PCMU@8000h@20i@64000b",
            "rtp_use_codec_string": "PCMU", "remote_video_media_flow": "inactive",
            "remote_text_media_flow": "inactive", "remote_audio_media_flow": session.flow.rawValue,
            "audio_media_flow": "sendrecv", "remote_media_ip": session.ip,
            "remote_media_port": "\(session.port)", "rtp_audio_recv_pt": "0",
        ])
        setCodec()
        variables.set(["dtmf_type": "rfc2833", "endpoint_disposition": "RECEIVED"])
    }

    private mutating func setContact(_ contact: SIPAddress) {
        let parameters = contact.uri.parameters.text.dropFirst()
        variables.set([
            "sip_contact_params": parameters.isEmpty ? nil : String(parameters),
            "sip_contact_user": contact.uri.user, "sip_contact_port": contact.uri.port.map { "\($0)" },
            "sip_contact_uri": contact.uri.bare, "sip_contact_host": contact.uri.host,
        ])
    }

    private mutating func setCodec() {
        variables.set([
            "rtp_use_codec_name": "PCMU", "rtp_use_codec_rate": "8000", "rtp_use_codec_ptime": "20",
            "rtp_use_codec_channels": "1", "rtp_last_audio_codec_string": "PCMU@8000h@20i@1c",
            "read_codec": "PCMU", "original_read_codec": "PCMU", "read_rate": "8000",
            "original_read_rate": "8000", "write_codec": "PCMU", "write_rate": "8000",
        ])
    }

    /// What answering a caller sets.
    mutating func setAnswered(chance: inout Chance) {
        variables.refresh("call_uuid")
        variables.refresh("current_application_data", "current_application")
        if partner != nil {
            variables.refresh(
                "originate_disposition", "DIALSTATUS", "originate_signal_bond", "originated_legs",
                "switch_m_sdp", "video_media_flow", "text_media_flow", "audio_media_flow", "sip_to_tag")
        }
        variables["rtp_local_sdp_str"] = media.local
        setLocalMedia(chance: &chance)
        variables.refresh("remote_media_ip", "remote_media_port")
    }

    private mutating func setLocalMedia(chance: inout Chance) {
        variables.set([
            "local_media_ip": media.ip, "local_media_port": "\(media.port)", "advertised_media_ip": media.ip,
            "rtp_use_timer_name": "soft", "rtp_use_pt": "0",
            "rtp_use_ssrc": variables["rtp_use_ssrc"] ?? "\(UInt32(truncatingIfNeeded: chance.next()))",
            "rtp_2833_send_payload": "101", "rtp_2833_recv_payload": "101",
        ])
    }

    /// The variables of a called leg when it is placed.
    mutating func setPlaced(
        _ caller: Leg, target: SIPURI, destination: String, session number: Int,
        profile: SwitchCore.Profile
    ) {
        let host = "\(target.host)\(target.port.map { ":\($0)" } ?? "")"
        let hops = max(0, (caller.variables["max_forwards"].flatMap { Int($0) } ?? 70) - 1)
        variables.set([
            "direction": "outbound", "is_outbound": "true", "uuid": uuid, "session_id": "\(number)",
            "sip_local_network_addr": profile.settings.ip, "sip_profile_name": profile.settings.name,
            "text_media_flow": "disabled", "channel_name": name, "sip_destination_url": destination,
            "max_forwards": "\(hops)", "originator_codec": "PCMU@8000h@20i", "originator": caller.uuid,
            "signal_bond": caller.uuid, "switch_m_sdp": caller.variables["switch_r_sdp"],
            "call_uuid": caller.uuid, "originate_early_media": "true", "originating_leg_uuid": caller.uuid,
            "originate_endpoint": "sofia", "rtp_use_codec_string": "PCMU@8000h@20i",
            "local_media_ip": media.ip, "local_media_port": "\(media.port)", "advertised_media_ip": media.ip,
            "audio_media_flow": "sendrecv", "video_media_flow": "inactive", "rtp_local_sdp_str": media.local,
            "sip_outgoing_contact_uri": dialog.contact, "sip_req_uri": target.bare, "sip_to_host": host,
            "sip_from_host": SIPURI.bracketed(profile.settings.ip),
            "sofia_profile_name": profile.settings.name, "recovery_profile_name": profile.settings.name,
            "sofia_profile_url": "sip:\(profile.address)",
        ])
    }

    /// The 200 of an INVITE of ours tells the dialog and the media; `isRevived`: of a re-INVITE.
    mutating func setAccepted(
        _ message: SIPMessage, from source: SIPEndpoint, profile: SwitchCore.Profile, isRevived: Bool,
        chance: inout Chance
    ) {
        guard let from = message.from, let to = message.to else { return }
        let contact = message.contact
        let uri = contact?.uri
        if from.display == nil { variables["sip_from_display"] = nil }
        let recovering = uri?.parameters["transport"] == nil ? ";transport=udp" : ""
        variables.set([
            "sip_local_network_addr": profile.settings.ip, "sip_reply_host": source.ip,
            "sip_reply_port": "\(source.port)", "sip_network_ip": source.ip,
            "sip_network_port": "\(source.port)",
            "dlg_req_swap_direction": isRevived && isInbound ? "true" : nil,
            "sip_recover_contact": isInbound ? nil : contact.map { "<\($0.uriText)\(recovering)>" },
            "sip_full_via": message["Via"], "sip_recover_via": isInbound ? nil : message["Via"],
            "sip_from_display": from.display, "sip_full_from": message["From"],
            "sip_to_display": to.display, "sip_full_to": message["To"], "sip_from_user": from.uri.user,
            "sip_from_port": from.uri.port.map { "\($0)" }, "sip_from_uri": from.uri.bare,
            "sip_from_host": from.uri.host, "sip_to_user": to.uri.user,
            "sip_to_port": to.uri.port.map { "\($0)" }, "sip_to_uri": to.uri.bare,
            "sip_to_host": to.uri.host,
        ])
        if let contact { setContact(contact) }
        variables.set([
            "sip_to_tag": to.tag, "sip_from_tag": from.tag,
            "sip_cseq": message.sequence.map { "\($0.number)" }, "sip_call_id": message.callID,
        ])
        guard let session = SessionDescription(message.body) else { return }
        variables.set([
            "switch_r_sdp": session.text, "ep_codec_string": "CORE_PCM_MODULE.PCMU@8000h@20i@64000b",
        ])
        if isRevived { return setRevivedMedia(session) }
        variables.set([
            "rtp_use_codec_string": "PCMU@8000h@20i", "remote_video_media_flow": "inactive",
            "remote_text_media_flow": "inactive", "remote_audio_media_flow": session.flow.rawValue,
            "rtp_audio_recv_pt": "0",
        ])
        setCodec()
        variables["dtmf_type"] = "rfc2833"
        setLocalMedia(chance: &chance)
        variables.set(["remote_media_ip": session.ip, "remote_media_port": "\(session.port)"])
    }

    private mutating func setRevivedMedia(_ session: SessionDescription) {
        if !plan.isEmpty, revival?.partner == nil { variables["current_application"] = plan.last?.name }
        variables.set([
            "rtp_use_codec_string": "PCMU", "remote_video_media_flow": "inactive",
            "remote_text_media_flow": "inactive", "remote_audio_media_flow": session.flow.rawValue,
            "remote_media_ip": session.ip, "remote_media_port": "\(session.port)", "rtp_audio_recv_pt": "0",
            "dtmf_type": "rfc2833", "rtp_2833_send_payload": "101", "rtp_2833_recv_payload": "101",
        ])
    }
}
