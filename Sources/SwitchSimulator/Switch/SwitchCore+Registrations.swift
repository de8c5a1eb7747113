import EventSocket

extension SwitchCore {
    /// A REGISTER that passed the profile's gate.
    mutating func register(_ message: SIPMessage, from source: SIPEndpoint, on index: Int) {
        let profile = profiles[index].settings
        guard let to = message.to, let user = to.uri.user else {
            return respond(message, 400, "Bad Request", from: source, on: index)
        }
        let host = to.uri.host
        let contacts = message.all("Contact").flatMap { SIPAddress.split($0[...], at: ",") }.map(\.trimmed)
        guard contacts.count <= 16 else {
            return respond(message, 400, "Too Many Contacts", from: source, on: index)
        }
        var kept: [String] = []
        let standard = message["Expires"].flatMap { Int64($0) } ?? 3600
        if contacts == ["*"] {
            for row in registrations[profile.name]?.remove(address: "\(user)@\(host)") ?? [] {
                unregistered(row, message, from: source, on: index)
            }
        } else {
            for text in contacts {
                guard let contact = SIPAddress(parsing: text) else {
                    return respond(message, 400, "Bad Contact", from: source, on: index)
                }
                let expires = contact.parameters["expires"].flatMap { Int64($0) } ?? standard
                let seconds = min(max(0, expires), 1 << 30)
                let row = registration(
                    message, contact, user: user, host: host, seconds: seconds, from: source, on: index)
                if seconds == 0 {
                    _ = remove(row, on: profile.name)
                    unregistered(row, message, from: source, on: index)
                } else {
                    registrations[profile.name]?.register(row)
                    registered(row, message, seconds: seconds, on: index)
                    kept.append("<\(contact.uriText)>;expires=\(seconds)")
                }
            }
        }
        let date = now.gmt
        respond(message, 200, "OK", from: source, on: index, tag: chance.tag()) { response in
            for contact in kept { response.append("Contact", contact) }
            response.append("Date", date)
            response.appendCapabilities(.brief)
        }
    }

    private mutating func remove(_ row: SwitchRegistration, on profile: String) -> [SwitchRegistration] {
        switch registrations[profile]?.kind {
        case .callID: registrations[profile]?.remove(callID: row.callID) ?? []
        case .contact:
            registrations[profile]?.remove { $0.address == row.address && $0.contact == row.contact } ?? []
        default: registrations[profile]?.remove(address: row.address) ?? []
        }
    }

    private func registration(
        _ message: SIPMessage, _ contact: SIPAddress, user: String, host: String, seconds: Int64,
        from source: SIPEndpoint, on index: Int
    ) -> SwitchRegistration {
        SwitchRegistration(
            user: user, host: host, contact: "\"\(contact.display ?? "")\" <\(contact.uriText)>",
            callID: message.callID, status: "Registered(UDP)",
            expires: now.seconds + seconds + settings.lateMargin.wholeSeconds, nominal: now.seconds + seconds,
            networkIP: source.ip, networkPort: "\(source.port)", username: "unknown", realm: host,
            userAgent: message["User-Agent"] ?? "unknown", mwiAccount: "\(user)@\(host)", isLocal: true)
    }

    private mutating func registered(
        _ row: SwitchRegistration, _ message: SIPMessage, seconds: Int64, on index: Int
    ) {
        let name = profiles[index].settings.name
        fireCustom(
            "sofia::register", from: EventOrigin("sofia_reg.c", "sofia_reg_handle_register_token", 2059)
        ) { headers in
            headers.append("profile-name", name)
            headers.append("from-user", row.user)
            headers.append("from-host", row.host)
            headers.append("presence-hosts", "n/a")
            headers.append("contact", row.contact)
            headers.append("call-id", row.callID)
            headers.append("rpid", row.rpid)
            headers.append("status", row.status)
            headers.append("expires", "\(seconds)")
            headers.append("to-user", row.user)
            headers.append("to-host", row.host)
            headers.append("network-ip", row.networkIP)
            headers.append("network-port", row.networkPort)
            headers.append("username", row.username)
            headers.append("realm", row.realm)
            headers.append("user-agent", row.userAgent)
        }
    }

    private mutating func unregistered(
        _ row: SwitchRegistration, _ message: SIPMessage, from source: SIPEndpoint, on index: Int
    ) {
        let name = profiles[index].settings.name
        fireCustom(
            "sofia::unregister", from: EventOrigin("sofia_reg.c", "sofia_reg_handle_register_token", 2213)
        ) { headers in
            headers.append("profile-name", name)
            headers.append("username", row.username)
            headers.append("from-user", row.user)
            headers.append("from-host", row.host)
            headers.append("contact", row.contact)
            headers.append("call-id", message.callID)
            headers.append("rpid", row.rpid)
            headers.append("realm", "unknown")
            headers.append("network-ip", source.ip)
            headers.append("network-port", "\(source.port)")
            headers.append("user-agent", message["User-Agent"] ?? "unknown")
            headers.append("expires", "0")
        }
    }

    /// Expired rows of each profile that is not in standby (sofia.c: sofia_profile_worker_thread_run).
    mutating func sweepRegistrations() {
        agenda.note(.sweep, at: now + settings.sweep)
        let time = now.seconds
        for profile in profiles where !profile.isStandby {
            let name = profile.settings.name
            for row in registrations[name]?.remove(where: { $0.expires > 0 && $0.expires <= time }) ?? [] {
                fireCustom(
                    "sofia::expire", from: EventOrigin("sofia_reg.c", "sofia_reg_del_callback", 726)
                ) { headers in
                    headers.append("profile-name", name)
                    headers.append("call-id", row.callID)
                    headers.append("user", row.user)
                    headers.append("username", row.user)
                    headers.append("host", row.host)
                    headers.append("contact", row.contact)
                    headers.append("expires", "\(row.expires)")
                    headers.append("user-agent", row.userAgent)
                    headers.append("realm", row.realm)
                    headers.append("network-ip", row.networkIP)
                    headers.append("network-port", row.networkPort)
                }
            }
        }
    }

    /// A `multicast::event` of another node (sofia.c: event_handler); what it lacks has documented effects.
    mutating func inject(_ headers: Headers) {
        func value(_ name: String) -> String { headers["orig-" + name] ?? "" }
        let profile = value("profile-name")
        guard profileIndex(profile) != nil else { return }
        let change: InjectedRegistration.Change
        switch value("event-subclass") {
        case "sofia::register":
            let time = now.seconds
            let expires = Int64(value("expires")) ?? 0
            change = .put(
                SwitchRegistration(
                    user: value("from-user"), host: value("from-host"), contact: value("contact"),
                    callID: value("call-id"), status: "Registered",
                    expires: time + min(max(0, expires), 1 << 30), nominal: time + expires,
                    networkIP: value("network-ip"), networkPort: value("network-port"),
                    username: value("username"), realm: value("realm"), userAgent: value("user-agent"),
                    mwiAccount: headers["orig-mwi-account"] ?? "\(value("from-user"))@", isLocal: false))
        case "sofia::unregister":
            change = .remove(
                address: "\(value("from-user"))@\(value("from-host"))", callID: value("call-id"))
        default: return
        }
        registrationTime = max(registrationTime, now + chance.between(settings.registrationLag))
        agenda.note(
            .injected(InjectedRegistration(profile: profile, change: change)), at: registrationTime)
    }

    mutating func apply(_ injected: InjectedRegistration) {
        switch injected.change {
        case .put(let row): registrations[injected.profile]?.inject(row)
        case .remove(let address, let callID):
            if registrations[injected.profile]?.kind == .single {
                registrations[injected.profile]?.remove(address: address)
            } else {
                registrations[injected.profile]?.remove(callID: callID)
            }
        }
    }

    /// Registrations of an earlier life of the process; `show registrations` knows nothing of them.
    package mutating func restoreRegistrations(
        _ stored: [(id: UInt64, row: SwitchRegistration)], on profile: String
    ) {
        registrations[profile]?.restore(stored)
    }

    /// `sofia_contact`: how to reach a user; several are separated by commas.
    func contacts(of address: String, on name: String?) -> [String] {
        profiles.filter { name == nil || $0.settings.name == name }.flatMap { profile in
            (registrations[profile.settings.name]?.of(address) ?? []).map {
                "sofia/\(profile.settings.name)/\($0.uri)"
            }
        }
    }
}
