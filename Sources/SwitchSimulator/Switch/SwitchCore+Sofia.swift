extension SwitchCore {
    private static let rule = String(repeating: "=", count: 97)

    /// `sofia …`
    mutating func sofia(_ call: Call) -> String? {
        let words = call.words
        switch words.first {
        case "status":
            if words.count == 1 { return sofiaStatus }
            guard words.count >= 3, words[1] == "profile" else { return "-ERR Invalid Usage!\n" }
            guard let index = profileIndex(words[2]) else { return "Invalid Profile!\n" }
            return words.count > 3 && words[3] == "reg" ? registrationText(index) : profileText(index)
        case "xmlstatus":
            if words.count == 1 { return xmlStatus }
            guard words.count >= 3, words[1] == "profile" else { return "-ERR Invalid Usage!\n" }
            guard let index = profileIndex(words[2]) else { return "Invalid Profile!\n" }
            return words.count > 3 && words[3] == "reg" ? registrationXML(index) : profileXML(index)
        case "profile": return sofiaProfile(words, call)
        case "recover":
            if words.count > 1, words[1] == "flush" {
                emit(.deleteRows(profiles: nil, notOf: nil))
                return "Flushing recovery database.\n"
            }
            recover(.all, ticket: call.ticket)
            return nil
        case "global":
            guard words.count == 3, words[1] == "standby", words[2] == "on" || words[2] == "off" else {
                return "-ERR Usage: sofia global standby on|off\n"
            }
            for index in profiles.indices { profiles[index].isStandby = words[2] == "on" }
            return "+OK Global standby \(words[2])"
        default: return "USAGE:\nsofia profile|status|xmlstatus|recover|global\n"
        }
    }

    private mutating func sofiaProfile(_ words: [String], _ call: Call) -> String? {
        guard words.count >= 3 else { return "-ERR Invalid Usage!\n" }
        let name = words[1]
        if words[2] == "start" { return changeProfile(name, "start") }
        guard let index = profileIndex(name) else { return "Invalid Profile [\(name)]" }
        switch words[2] {
        case "recover":
            if words.count > 3, words[3] == "flush" {
                // It clears standby, and revives nothing.
                profiles[index].isStandby = false
                emit(.deleteRows(profiles: [name], notOf: nil))
                return "Flushing recovery database.\n"
            }
            recover(.profile(name), ticket: call.ticket)
            return nil
        case "stop", "restart": return changeProfile(name, words[2])
        case "rescan":
            // It reads the profile's parameters again, `profile-standby` among them (sofia.c: config_sofia).
            profiles[index].isStandby = profiles[index].settings.isStandby
            return "+OK scan complete\n"
        case "flush_inbound_reg":
            for row in registrations[name]?.all ?? [] { registrations[name]?.remove(address: row.address) }
            return "+OK flushing all registrations\n"
        default: return "-ERR Unknown command!\n"
        }
    }

    private var running: [Profile] { profiles.filter(\.isRunning) }

    private func legs(on profile: String) -> Int { channels.values.count { $0.profile == profile } }

    private var sofiaStatus: String {
        func pad(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        var text = "\(pad("Name", 25))\t   Type\t\(pad("Data", 42))\tState\n\(Self.rule)\n"
        for profile in running {
            let url = "sip:\(profile.address)"
            let name = profile.settings.name
            text += "\(pad(name, 25))\tprofile\t\(pad(url, 42))\tRUNNING (\(legs(on: name)))\n"
        }
        let word = running.count == 1 ? "profile" : "profiles"
        return text + "\(Self.rule)\n\(running.count) \(word) 0 aliases\n"
    }

    private var xmlStatus: String {
        var text = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profiles>\n"
        for profile in running {
            text += """
                <profile>
                <name>\(profile.settings.name)</name>
                <type>profile</type>
                <data>sip:\(profile.address)</data>
                <state>RUNNING (\(legs(on: profile.settings.name)))</state>
                </profile>

                """
        }
        return text + "</profiles>\n"
    }

    /// What a profile's status shows, by its labels.
    private func facts(_ index: Int) -> [(label: String, tag: String, value: String)] {
        let profile = profiles[index]
        let name = profile.settings.name
        let media = profile.settings.ip
        let runs = profile.settings.runs ?? profile.settings.told
        let uri = { (port: String) in
            "sip:mod_sofia@\(SIPURI.bracketed(media)):\(port)"
        }
        var secure: [(label: String, tag: String, value: String)] = []
        if runs["tls"] == "true" { secure = [("TLS-URL", "tls-url", uri(runs["tls-sip-port"] ?? "5061"))] }
        return [
            ("Name", "name", name), ("Domain Name", "domain-name", "N/A"), ("Auto-NAT", "auto-nat", "false"),
            ("DBName", "db-name", "sofia_reg_\(name)"), ("Pres Hosts", "pres-hosts", ""),
            ("Dialplan", "dialplan", runs["dialplan"] ?? "XML"),
            ("Context", "context", runs["context"] ?? "default"),
            ("Challenge Realm", "challenge-realm", "auto_to"), ("RTP-IP", "rtp-ip", runs["rtp-ip"] ?? media),
            ("SIP-IP", "sip-ip", profile.settings.ip),
            ("URL", "url", runs["sip-port"].map(uri) ?? "sip:\(profile.address)"),
            ("BIND-URL", "bind-url", "sip:\(profile.address);transport=udp,tcp"),
        ] + secure + [
            ("HOLD-MUSIC", "hold-music", "N/A"), ("OUTBOUND-PROXY", "outbound-proxy", "N/A"),
            ("CODECS IN", "inbound-codecs", runs["inbound-codec-prefs"] ?? "PCMU"),
            ("CODECS OUT", "outbound-codecs", "PCMU"),
            ("TEL-EVENT", "tel-event", "101"), ("DTMF-MODE", "dtmf-mode", "rfc2833"), ("CNG", "cng", "13"),
            ("SESSION-TO", "session-to", "0"), ("MAX-DIALOG", "max-dialog", "0"),
            ("MAX-RECV-RPS", "max-recv-rps", "1000"), ("NOMEDIA", "nomedia", "false"),
            ("LATE-NEG", "late-neg", "false"), ("PROXY-MEDIA", "proxy-media", "false"),
            ("AGGRESSIVENAT", "aggressive-nat", "false"), ("CALLS-IN", "calls-in", "\(profile.callsIn)"),
            ("FAILED-CALLS-IN", "failed-calls-in", "\(profile.failedIn)"),
            ("CALLS-OUT", "calls-out", "\(profile.callsOut)"),
            ("FAILED-CALLS-OUT", "failed-calls-out", "\(profile.failedOut)"),
            ("REGISTRATIONS", "registrations", "\(registrations[name]?.count ?? 0)"),
        ]
    }

    private func profileText(_ index: Int) -> String {
        let lines = facts(index).map { fact in
            fact.label + String(repeating: " ", count: max(0, 17 - fact.label.count)) + "\t\(fact.value)\n"
        }
        return "\(Self.rule)\n" + lines.joined()
    }

    private func profileXML(_ index: Int) -> String {
        let lines = facts(index).map { "    <\($0.tag)>\(SmallXML.escaped($0.value))</\($0.tag)>\n" }
        return "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profile>\n  <profile-info>\n"
            + lines.joined() + "  </profile-info>\n</profile>\n"
    }

    /// `exp(…) expsecs(…)`, which the plain form has in capitals.
    private func expiry(_ row: SwitchRegistration) -> String {
        let end = Timestamp(microseconds: row.expires * 1_000_000)
        let left = Int64(((end - now) / .seconds(1)).rounded(.down))
        return "exp(\(end.local)) expsecs(\(left))"
    }

    private func registrationText(_ index: Int) -> String {
        let rows = registrations[profiles[index].settings.name]?.all ?? []
        var text = "\nRegistrations:\n\(Self.rule)\n"
        for row in rows {
            let status = expiry(row).replacing("exp(", with: "EXP(").replacing("expsecs(", with: "EXPSECS(")
            text += """
                Call-ID:    \t\(row.callID)
                User:       \t\(row.address)
                Contact:    \t\(row.contact)
                Agent:      \t\(row.userAgent)
                Status:     \t\(row.status)(unknown) \(status)
                Ping-Status:\tReachable
                Ping-Time:\t0.00
                Host:       \t\(identity.switchname)
                IP:         \t\(row.networkIP)
                Port:       \t\(row.networkPort)
                Auth-User:  \t\(row.username)
                Auth-Realm: \t\(row.realm)
                MWI-Account:\t\(row.mwiAccount)


                """
        }
        return text + "Total items returned: \(rows.count)\n\(Self.rule)\n"
    }

    private func registrationXML(_ index: Int) -> String {
        var text = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profile>\n  <registrations>\n"
        for row in registrations[profiles[index].settings.name]?.all ?? [] {
            text += "    <registration>\n"
            for (name, value) in [
                ("call-id", row.callID), ("user", row.address), ("contact", row.contact),
                ("agent", row.userAgent), ("status", "\(row.status)(unknown) \(expiry(row))"),
                ("ping-status", "Reachable"), ("ping-time", "0.00"), ("host", identity.switchname),
                ("network-ip", row.networkIP), ("network-port", row.networkPort),
                ("sip-auth-user", row.username), ("sip-auth-realm", row.realm),
                ("mwi-account", row.mwiAccount),
            ] {
                text += "        <\(name)>\(SmallXML.escaped(value))</\(name)>\n"
            }
            text += "    </registration>\n"
        }
        return text + "  </registrations>\n</profile>\n"
    }

    /// `sofia_contact [PROFILE/]USER@HOST`
    func sofiaContact(_ argument: String) -> String {
        let (profile, address) = split(argument)
        let found = contacts(of: address, on: profile)
        return found.isEmpty ? "error/user_not_registered" : found.joined(separator: ",")
    }

    func sofiaCount(_ argument: String) -> String {
        let (profile, address) = split(argument)
        return "\(contacts(of: address, on: profile).count)"
    }

    private func split(_ argument: String) -> (profile: String?, address: String) {
        guard let slash = argument.firstIndex(of: "/") else { return (nil, argument) }
        let profile = String(argument[..<slash])
        return (profile == "*" ? nil : profile, String(argument[argument.index(after: slash)...]))
    }
}
