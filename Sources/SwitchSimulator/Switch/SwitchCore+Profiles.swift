import EventSocket

extension SwitchCore {
    /// `sofia profile NAME start|stop|restart`, with the events that tell of it.
    mutating func changeProfile(_ name: String, _ verb: String) -> String {
        guard let index = profiles.firstIndex(where: { $0.settings.name == name }) else {
            return "Invalid Profile [\(name)]"
        }
        if verb == "start" {
            guard !profiles[index].isRunning else {
                return "Reload XML [Success]\n\(name) started successfully"
            }
            fireReload()
            startProfile(index)
            return "Reload XML [Success]\n\(name) started successfully"
        }
        guard profiles[index].isRunning else { return "Invalid Profile [\(name)]" }
        let up = (now - profiles[index].startedAt).wholeSeconds
        guard up >= 10 else {
            return "Profile \(name) must be up for at least 10 seconds to stop/restart.\n"
                + "Please wait \(10 - up) seconds\n"
        }
        fireReload()
        let legs = order.filter { channels[$0]?.profile == name }
        for uuid in legs { hangUp(uuid, .managed, how: .sent) }
        profiles[index].isRunning = false
        // With legs it waits for them, and then five seconds more.
        let wait: Duration = legs.isEmpty ? .milliseconds(1250) : .milliseconds(5500)
        agenda.note(.profileStopped(name, startsAgain: verb == "restart"), at: now + wait)
        return "Reload XML [Success]\n\(verb == "stop" ? "stopping" : "restarting"): \(name)"
    }

    mutating func profileStopped(_ name: String, startsAgain: Bool) {
        guard let index = profiles.firstIndex(where: { $0.settings.name == name }) else { return }
        firePublication("UNPUBLISH", index, line: 3543)
        if startsAgain { startProfile(index) }
    }

    /// A profile starts as its configuration says: in standby, or taking calls.
    private mutating func startProfile(_ index: Int) {
        profiles[index].isRunning = true
        profiles[index].isStandby = profiles[index].settings.isStandby
        profiles[index].startedAt = now
        let (name, address) = (profiles[index].settings.name, profiles[index].address)
        fireCustom("sofia::profile_start", from: EventOrigin("sofia.c", "config_sofia", 6343)) { headers in
            headers.append("module_name", "mod_sofia")
            headers.append("profile_name", name)
            headers.append("profile_uri", "sip:\(address)")
        }
        firePublication("PUBLISH", index, line: 3433)
    }

    private mutating func firePublication(_ name: String, _ index: Int, line: Int) {
        let profile = profiles[index]
        fire(name, from: EventOrigin("sofia.c", "sofia_profile_thread_run", line)) { headers in
            headers.append("service", "_sip._udp,_sip._tcp,_sip._sctp")
            headers.append("port", "\(profile.settings.port)")
            headers.append("module_name", "mod_sofia")
            headers.append("profile_name", profile.settings.name)
            headers.append("profile_uri", "sip:\(profile.address)")
        }
    }

    mutating func fireReload() {
        fire("RELOADXML", from: EventOrigin("switch_xml.c", "switch_xml_open_root", 2423)) { _ in }
    }

    /// `originate sofia/PROFILE/%DOMAIN …`: calls nobody and tells by its error how the profile is.
    mutating func originate(_ arguments: String) -> String {
        let parts = (arguments.split(separator: " ").first ?? "").split(separator: "/", maxSplits: 2)
        guard parts.count == 3, parts[0] == "sofia" else { return "-ERR CHAN_NOT_IMPLEMENTED\n" }
        guard !pause.outbound else { return "-ERR DESTINATION_OUT_OF_ORDER\n" }
        let uuid = chance.uuid()
        sessionNumber += 1
        let number = sessionNumber
        counters.total += 1
        fire("CHANNEL_DESTROY", from: Origin.destroy) { headers in
            Self.describeStillborn(uuid, state: "CS_NONE", into: &headers)
            for (name, value) in [
                ("direction", "outbound"), ("is_outbound", "true"), ("uuid", uuid), ("call_uuid", uuid),
                ("session_id", "\(number)"),
            ] {
                headers.append("variable_" + name, value)
            }
        }
        fire(
            "CHANNEL_STATE",
            from: EventOrigin("switch_channel.c", "switch_channel_perform_set_running_state", 2409)
        ) { Self.describeStillborn(uuid, state: "CS_DESTROY", into: &$0) }
        guard let index = profileIndex(String(parts[1])) else { return "-ERR INVALID_PROFILE\n" }
        if profiles[index].isStandby { return "-ERR SYSTEM_SHUTDOWN\n" }
        // This simulator places no calls of its own: whoever is dialled is not there.
        return "-ERR USER_NOT_REGISTERED\n"
    }

    private static func describeStillborn(_ uuid: String, state: String, into headers: inout Headers) {
        for (name, value) in [
            ("Channel-State", state), ("Channel-Call-State", "DOWN"), ("Channel-State-Number", "0"),
            ("Channel-Name", "N/A"), ("Unique-ID", uuid), ("Call-Direction", "outbound"),
            ("Presence-Call-Direction", "outbound"), ("Channel-HIT-Dialplan", "false"),
            ("Channel-Call-UUID", uuid), ("Answer-State", "ringing"),
        ] {
            headers.append(name, value)
        }
    }

    // MARK: Configuration as the switch shows it

    /// `xml_locate SECTION TAG KEY VALUE`: the configuration of the modules the simulator has.
    func locate(_ words: [String]) -> String {
        guard words.count == 4 else { return "-ERR bad args\n" }
        guard words[0] == "configuration", words[1] == "configuration", words[2] == "name" else {
            return "can't find anything\n"
        }
        switch words[3] {
        case "sofia.conf": return sofiaConfiguration
        case "switch.conf" where !settings.told.isEmpty: return switchConfiguration
        case "hash.conf": return hashConfiguration
        case "hiredis.conf" where settings.limitService != nil: return limitServiceConfiguration
        default: return "can't find anything\n"
        }
    }

    private func parameter(_ name: String, _ value: String) -> String {
        "<param name=\"\(name)\" value=\"\(SmallXML.escaped(value))\"></param>\n"
    }

    private var switchConfiguration: String {
        let parameters = settings.told.sorted { $0.key < $1.key }.map { "    \(parameter($0.key, $0.value))" }
        return
            "<configuration name=\"switch.conf\">\n  <settings>\n\(parameters.joined())  </settings>\n</configuration>\n"
    }

    private var sofiaConfiguration: String {
        var text = "<configuration name=\"sofia.conf\">\n  <global_settings>\n"
        text += "    \(parameter("log-level", "0"))  </global_settings>\n  <profiles>\n"
        for profile in profiles {
            let set = profile.settings
            let several =
                set.registrations == .single ? "false" : set.registrations == .callID ? "true" : "contact"
            text += "    <profile name=\"\(SmallXML.escaped(set.name))\">\n      <settings>\n"
            for (name, value) in [
                ("sip-ip", set.ip), ("rtp-ip", set.ip), ("sip-port", "\(set.port)"), ("context", "default"),
                ("dialplan", "XML"), ("track-calls", "\(set.tracksCalls)"),
                ("profile-standby", "\(set.isStandby)"), ("auth-calls", "false"),
                ("accept-blind-reg", "true"),
                ("multiple-registrations", several),
                ("sip-expires-late-margin", "\(settings.lateMargin.wholeSeconds)"),
            ] {
                text += "        \(parameter(name, set.told[name] ?? value))"
            }
            for name in ["tls", "inbound-codec-prefs"] {
                if let value = set.told[name] { text += "        \(parameter(name, value))" }
            }
            text += "      </settings>\n    </profile>\n"
        }
        return text + "  </profiles>\n</configuration>\n"
    }

    private var hashConfiguration: String {
        var text = "<configuration name=\"hash.conf\">\n  <remotes>\n"
        for remote in settings.hashRemotes {
            text +=
                "    <remote name=\"\(SmallXML.escaped(remote.name))\" host=\"\(remote.endpoint.ip)\" "
                + "port=\"\(remote.endpoint.port)\" username=\"\(SmallXML.escaped(remote.username))\" "
                + "password=\"\(SmallXML.escaped(remote.password))\" "
                + "interval=\"\(remote.interval.wholeMicroseconds / 1000)\"></remote>\n"
        }
        return text + "  </remotes>\n</configuration>\n"
    }

    private var limitServiceConfiguration: String {
        guard let service = settings.limitService else { return "" }
        return "<configuration name=\"hiredis.conf\">\n  <profiles>\n    <profile name=\"default\">\n"
            + "      <connections>\n        <connection name=\"primary\">\n"
            + "          " + parameter("hostname", service.endpoint.ip)
            + "          " + parameter("port", "\(service.endpoint.port)")
            + "          " + parameter("password", service.password ?? "")
            + "          " + parameter("timeout-ms", "\(service.timeout.wholeMicroseconds / 1000)")
            + "          " + parameter("max-connections", "\(service.connections)")
            + "        </connection>\n      </connections>\n      <params>\n"
            + "        " + parameter("ignore-connect-fail", "true")
            + "        " + parameter("delete-when-zero", "false")
            + "      </params>\n    </profile>\n  </profiles>\n</configuration>\n"
    }

    /// `module_exists NAME`
    func hasModule(_ name: String) -> String {
        let known: Set = [
            "mod_sofia", "mod_hash", "mod_event_socket", "mod_commands", "mod_dptools", "mod_dialplan_xml",
        ]
        return "\(known.contains(name) || (name == "mod_hiredis" && settings.limitService != nil))"
    }
}
