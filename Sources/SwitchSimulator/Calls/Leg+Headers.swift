import EventSocket

extension Leg {
    /// The headers of a channel event between its own first lines and the variables, in FreeSWITCH's order
    /// (switch_channel.c: switch_channel_event_set_basic_data, switch_caller.c: switch_caller_profile_event_set_data).
    func describe(into headers: inout Headers, withVariables: Bool = true) {
        headers.append("Channel-State", state.name)
        headers.append("Channel-Call-State", callState)
        headers.append("Channel-State-Number", "\(shownNumber ?? state.number)")
        headers.append("Channel-Name", name)
        headers.append("Unique-ID", uuid)
        headers.append("Call-Direction", direction.rawValue)
        headers.append("Presence-Call-Direction", direction.rawValue)
        headers.append("Channel-HIT-Dialplan", isInbound ? "true" : "false")
        headers.append("Channel-Call-UUID", callUUID)
        headers.append("Answer-State", answer.rawValue)
        if answer == .hangup, let hangupCause { headers.append("Hangup-Cause", hangupCause.name) }
        if hasCodec {
            for side in ["Read", "Write"] {
                headers.append("Channel-\(side)-Codec-Name", "PCMU")
                headers.append("Channel-\(side)-Codec-Rate", "8000")
                headers.append("Channel-\(side)-Codec-Bit-Rate", "64000")
            }
        }
        caller.describe(as: "Caller", into: &headers, after: transferSource) { headers in
            headers.append("Caller-Profile-Index", "\(profileIndex)")
            times.describe(as: "Caller", into: &headers)
        }
        if let other {
            headers.append("Other-Type", other.kind.rawValue)
            other.profile.describe(as: "Other-Leg", into: &headers) { headers in
                other.times?.describe(as: "Other-Leg", into: &headers)
            }
        }
        if withVariables {
            for item in variables.items { headers.append("variable_" + item.name, item.value) }
        }
    }
}

extension CallerProfile {
    fileprivate func describe(
        as prefix: String, into headers: inout Headers, after source: String? = nil,
        times: (inout Headers) -> Void
    ) {
        func add(_ name: String, _ value: String, always: Bool = false) {
            if always || !value.isEmpty { headers.append("\(prefix)-\(name)", value) }
        }
        add("Direction", direction.rawValue)
        add("Logical-Direction", logicalDirection.rawValue)
        add("Username", username)
        add("Dialplan", dialplan)
        add("Caller-ID-Name", callerName)
        add("Caller-ID-Number", callerNumber)
        add("Orig-Caller-ID-Name", callerName)
        add("Orig-Caller-ID-Number", callerNumber)
        add("Callee-ID-Name", calleeName)
        add("Callee-ID-Number", calleeNumber)
        add("Network-Addr", networkAddress)
        add("ANI", ani)
        add("Destination-Number", destination)
        add("Unique-ID", uuid)
        add("Source", self.source)
        if let source { add("Transfer-Source", source) }
        add("Context", context)
        add("Channel-Name", channelName)
        times(&headers)
        add("Screen-Bit", "true")
        add("Privacy-Hide-Name", "false")
        add("Privacy-Hide-Number", "false")
    }
}

extension LegTimes {
    fileprivate func describe(as prefix: String, into headers: inout Headers) {
        headers.append("\(prefix)-Profile-Created-Time", "\(profileCreated)")
        headers.append("\(prefix)-Channel-Created-Time", "\(created)")
        headers.append("\(prefix)-Channel-Answered-Time", "\(answered)")
        headers.append("\(prefix)-Channel-Progress-Time", "\(progress)")
        headers.append("\(prefix)-Channel-Progress-Media-Time", "\(progressMedia)")
        headers.append("\(prefix)-Channel-Hangup-Time", "\(hangup)")
        headers.append("\(prefix)-Channel-Transfer-Time", "\(transfer)")
        headers.append("\(prefix)-Channel-Resurrect-Time", "\(resurrect)")
        headers.append("\(prefix)-Channel-Bridged-Time", "\(bridged)")
        headers.append("\(prefix)-Channel-Last-Hold", "\(lastHold)")
        headers.append("\(prefix)-Channel-Hold-Accum", "\(holdTotal)")
    }
}
