import EventSocket

/// Identity of the switch process as rows and events name it.
struct SwitchIdentity: Hashable, Sendable {
    var coreUUID: String
    var switchname: String
    var hostname: String
}

extension Leg {
    /// The `metadata` column of this leg's row in table `recovery` (switch_ivr.c: switch_ivr_generate_xml_cdr).
    func metadata(_ identity: SwitchIdentity) -> String {
        var xml = XMLWriter()
        let core = SmallXML.escaped(identity.coreUUID)
        xml.open("cdr core-uuid=\"\(core)\" switchname=\"\(SmallXML.escaped(identity.switchname))\"")
        xml.open("channel_data")
        xml.leaf("state", state.name)
        xml.leaf("direction", direction.rawValue)
        xml.leaf("state_number", "\(state.number)")
        xml.leaf(
            "flags",
            (flags + (callState == "HELD" ? [98] : [])).sorted().map { "\($0)=1" }.joined(separator: ";"))
        xml.leaf("caps", "1=1;2=1;3=1;4=1;5=1;6=1;8=1;9=1;10=1")
        xml.close("channel_data")
        writeCallStatistics(&xml)
        xml.open("variables")
        for item in variables.items { xml.leaf(item.name, URLCoding.encode(item.value, keepsEscapes: true)) }
        xml.close("variables")
        if !log.isEmpty {
            xml.open("app_log")
            for (application, stamp) in log {
                xml.empty(application.attributes + " app_stamp=\"\(stamp.microseconds)\"", of: "application")
            }
            xml.close("app_log")
        }
        writeCallFlow(&xml)
        xml.close("cdr")
        return xml.text
    }

    /// Numbers of the channel flags of this version (switch_types.h: switch_channel_flag_t).
    private var flags: [Int] {
        if isInbound {
            partner == nil || !isBridged
                ? [0, 1, 39, 55] + (application?.name == "park" ? [68] : [])
                    + [88, 89, 113, 114, 123, 160, 165, 166]
                : [0, 1, 4, 22, 39, 45, 50, 55, 88, 89, 107, 113, 114, 123, 160, 165, 166]
        } else {
            isBridged
                ? [0, 1, 2, 22, 39, 45, 46, 50, 55, 88, 89, 107, 113, 114, 160, 166]
                : [0, 1, 2, 39, 46, 55, 88, 89, 113, 114, 160, 166]
        }
    }

    private func writeCallStatistics(_ xml: inout XMLWriter) {
        xml.open("call-stats")
        xml.open("audio")
        xml.open("inbound")
        for name in [
            "raw_bytes", "media_bytes", "packet_count", "media_packet_count", "skip_packet_count",
            "jitter_packet_count", "dtmf_packet_count", "cng_packet_count", "flush_packet_count",
            "largest_jb_size",
        ] {
            xml.leaf(name, "0")
        }
        for name in [
            "jitter_min_variance", "jitter_max_variance", "jitter_loss_rate", "jitter_burst_rate",
            "mean_interval",
        ] {
            xml.leaf(name, "0.00")
        }
        xml.leaf("flaw_total", "0")
        xml.leaf("quality_percentage", "100.00")
        xml.leaf("mos", "4.50")
        xml.close("inbound")
        xml.open("outbound")
        for name in [
            "raw_bytes", "media_bytes", "packet_count", "media_packet_count", "skip_packet_count",
            "dtmf_packet_count", "cng_packet_count", "rtcp_packet_count", "rtcp_octet_count",
        ] {
            xml.leaf(name, "0")
        }
        xml.close("outbound")
        xml.close("audio")
        xml.close("call-stats")
    }

    private func writeCallFlow(_ xml: inout XMLWriter) {
        let clone = originUUID.map { " clone-of=\"\($0)\"" } ?? ""
        xml.open(
            "callflow dialplan=\"XML\" unique-id=\"\(profileUUID)\"\(clone) profile_index=\"\(profileIndex)\""
        )
        if !plan.isEmpty {
            let name = SmallXML.escaped(extensionName)
            let current = plan.count > 1 ? application.map { " current_app=\"\($0.name)\"" } ?? "" : ""
            xml.open(
                "extension name=\"\(name)\" number=\"\(SmallXML.escaped(caller.destination))\"\(current)")
            for step in plan {
                let isCurrent = plan.count > 1 && step.name == application?.name
                xml.empty((isCurrent ? "last_executed=\"true\" " : "") + step.attributes, of: "application")
            }
            xml.close("extension")
        }
        xml.open("caller_profile")
        caller.write(to: &xml)
        if let other {
            switch other.kind {
            case .originator: other.profile.write(to: &xml, inside: ["originator"])
            case .originatee:
                other.profile.write(to: &xml, inside: ["origination"])
                other.profile.write(to: &xml, inside: ["originatee"])
            }
        }
        xml.close("caller_profile")
        xml.open("times")
        for (name, value) in [
            ("created", times.created), ("profile_created", times.profileCreated),
            ("progress", times.progress), ("progress_media", times.progressMedia),
            ("answered", times.answered), ("bridged", times.bridged), ("last_hold", times.lastHold),
            ("hold_accum", times.holdTotal), ("hangup", times.hangup), ("resurrect", times.resurrect),
            ("transfer", times.transfer),
        ] {
            xml.leaf(name + "_time", "\(value)")
        }
        xml.close("times")
        xml.close("callflow")
    }
}

extension Application {
    fileprivate var attributes: String {
        "app_name=\"\(SmallXML.escaped(name))\" app_data=\"\(SmallXML.escaped(data))\""
    }
}

extension CallerProfile {
    fileprivate func write(to xml: inout XMLWriter, inside kind: [String] = []) {
        for kind in kind {
            xml.open(kind)
            xml.open("\(kind)_caller_profile")
        }
        for (name, value) in [
            ("username", username), ("dialplan", dialplan), ("caller_id_name", callerName),
            ("caller_id_number", callerNumber), ("callee_id_name", calleeName),
            ("callee_id_number", calleeNumber), ("ani", ani), ("aniii", ""),
            ("network_addr", networkAddress), ("rdnis", ""), ("destination_number", destination),
            ("uuid", uuid), ("source", source), ("context", context), ("chan_name", channelName),
        ] {
            xml.leaf(name, value)
        }
        for kind in kind.reversed() {
            xml.close("\(kind)_caller_profile")
            xml.close(kind)
        }
    }
}

/// Writes indented XML as FreeSWITCH does: two spaces a level, empty elements with both tags.
private struct XMLWriter {
    private(set) var text = ""
    private var depth = 0

    private var indent: String { String(repeating: "  ", count: depth) }

    mutating func open(_ tag: String) {
        text += "\(indent)<\(tag)>\n"
        depth += 1
    }

    mutating func close(_ name: String) {
        depth -= 1
        text += "\(indent)</\(name)>\n"
    }

    mutating func leaf(_ name: String, _ value: String) {
        text += "\(indent)<\(name)>\(SmallXML.escaped(value))</\(name)>\n"
    }

    mutating func empty(_ attributes: String, of name: String) {
        text += "\(indent)<\(name) \(attributes)></\(name)>\n"
    }
}
