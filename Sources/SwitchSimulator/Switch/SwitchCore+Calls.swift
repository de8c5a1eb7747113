import EventSocket

/// Event origins of call progress.
enum Origin {
    static let create = EventOrigin("switch_core_state_machine.c", "switch_core_session_run", 626)
    static let execute = EventOrigin("switch_core_session.c", "switch_core_session_exec", 2966)
    static let answer = EventOrigin("switch_channel.c", "switch_channel_perform_mark_answered", 3848)
    static let bridge = EventOrigin("switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1689)
    static let unbridge = EventOrigin("switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1879)
    static let update = EventOrigin("mod_sofia.c", "sofia_receive_message", 2133)
    static let hangup = EventOrigin("switch_channel.c", "switch_channel_perform_hangup", 3447)
    static let complete = EventOrigin(
        "switch_core_state_machine.c", "switch_core_session_reporting_state", 943)
    static let destroy = EventOrigin("switch_core_session.c", "switch_core_session_perform_destroy", 1588)
    static let limit = EventOrigin("switch_limit.c", "switch_limit_fire_event", 64)
}

extension SwitchCore {
    /// The called leg's progress reaches the caller when the originating loop looks next.
    static let originateTick = Duration.milliseconds(20)
    static let bridgeDelay = Duration.milliseconds(2)

    /// A new call.
    mutating func invite(
        _ message: SIPMessage, _ key: Transactions.ServerKey, from source: SIPEndpoint, on index: Int
    ) {
        guard let uri = message.uri.flatMap({ SIPURI(parsing: $0) }), let contact = message.contact else {
            return respond(message, 400, "Bad Request", from: source, on: index)
        }
        guard let session = SessionDescription(message.body) else {
            return respond(message, 488, "Not Acceptable Here", from: source, on: index)
        }
        respond(message, 100, "Trying", from: source, on: index)
        let channel = callingLeg(message, uri, contact, session, from: source, on: index)
        transactions.note(key, leg: channel.uuid)
        add(channel)
        profiles[index].callsIn += 1
        fireChannel("CHANNEL_CREATE", channel, from: Origin.create)
        if globals["fsdns_drain"] == "true" {
            return refuse(channel.uuid, 503, "Draining", .temporary)
        }
        dial(channel.uuid)
    }

    mutating func add(_ channel: Leg) {
        channels[channel.uuid] = channel
        order.append(channel.uuid)
        dialogs[channel.dialog.key] = channel.uuid
        countSession()
    }

    private mutating func callingLeg(
        _ message: SIPMessage, _ uri: SIPURI, _ contact: SIPAddress, _ session: SessionDescription,
        from source: SIPEndpoint, on index: Int
    ) -> Leg {
        let from = message.from!
        let dialled = uri.user ?? uri.host
        let uuid = chance.uuid()
        let tag = chance.tag()
        let number = from.uri.user ?? "0000000000"
        let name = "sofia/\(profiles[index].settings.name)/\(from.uri.bare)"
        let caller = CallerProfile(
            username: number, callerName: from.display ?? number, callerNumber: number,
            networkAddress: source.ip, ani: number, destination: dialled, uuid: uuid, channelName: name)
        let contactHost = "sip:\(dialled)@\(profiles[index].place);transport=udp"
        // Requests of ours go where the nearest proxy wants them, else to the phone (RFC 3261 §12.2.1.1).
        let routes = message.all("Record-Route")
        let nearest = routes.first.flatMap { SIPAddress(parsing: $0) } ?? contact
        let dialog = Dialog(
            callID: message.callID, inviting: .theirs, local: (message["To"] ?? "") + ";tag=\(tag)",
            localTag: tag, remote: message["From"] ?? "", remoteTag: from.tag ?? "",
            target: contact.uriText, routes: routes,
            peer: nearest.uri.endpoint ?? source, localSequence: clockSequence,
            remoteSequence: message.sequence?.number ?? 1, contact: "<\(contactHost)>", pending: message,
            answerTo: source)
        var channel = Leg(
            uuid: uuid, direction: .inbound, profile: profiles[index].settings.name, name: name,
            caller: caller, dialog: dialog, media: media(.answer, on: index), profileUUID: chance.uuid())
        channel.times.created = now.microseconds
        channel.times.profileCreated = now.microseconds
        channel.hasCodec = true
        sessionNumber += 1
        channel.setInvited(
            message, uri, from, contact, session, source: source, session: sessionNumber,
            profile: profiles[index], at: now)
        return channel
    }

    mutating func media(_ kind: MediaOffer.Kind, on index: Int) -> MediaOffer {
        let port = UInt16(16_384 + 2 * chance.below(8_192))
        return MediaOffer(
            kind: kind, ip: profiles[index].settings.ip, port: port, session: now.seconds - Int64(port))
    }

    /// The dialplan: limits by prefix, then `park…` is parked and everything else bridged, to a phone that
    /// never answers once the caller was answered himself.
    mutating func dial(_ uuid: String) {
        guard var channel = channels[uuid] else { return }
        let dialled = channel.caller.destination
        channel.extensionName = dialled
        channel.state = .execute
        let rules = settings.limits.filter { dialled.hasPrefix($0.prefix) }
        channel.plan = rules.map { Application(name: "limit", data: $0.data) }
        if isParked(dialled) || (!rules.isEmpty && targets(of: channel).isEmpty) {
            channel.plan += [Application(name: "answer", data: ""), Application(name: "park", data: "")]
        } else {
            if dialled.hasPrefix(CallLoad.silentPrefix) {
                channel.plan.append(Application(name: "answer", data: ""))
            }
            channel.plan.append(Application(name: "bridge", data: bridgeTemplate(for: channel)))
        }
        channels[uuid] = channel
        proceed(uuid, at: 0)
    }

    private func isParked(_ dialled: String) -> Bool { dialled.hasPrefix("park") }

    /// Executes the extension from one of its applications on; a limit service's answer continues later.
    mutating func proceed(_ uuid: String, at step: Int) {
        guard let channel = channels[uuid], channel.hangupCause == nil, step < channel.plan.count else {
            return
        }
        let application = channel.plan[step]
        switch application.name {
        case "limit":
            note(application, on: uuid)
            guard let rule = settings.limits.first(where: { $0.data == application.data }) else { break }
            guard rule.backend == .hash else {
                return ask(rule, for: uuid)
            }
            guard limits.acquire(rule, at: now) else {
                setLimitVariables(rule, on: uuid, isHeld: false)
                return refuse(uuid, 603, "Decline", .rejected)
            }
            held(rule, by: uuid, usage: limits.localUsage(realm: rule.realm, id: rule.id))
        case "answer":
            if channel.answer == .ringing {
                note(application, on: uuid)
                answerCall(uuid)
                // The next application runs once the caller has acknowledged.
                channels[uuid]?.nextStep = step + 1
                return
            }
        case "park":
            channels[uuid]?.application = application
            channels[uuid]?.state = .execute
            track(uuid)
            if channel.variables["current_application"] != application.name {
                channels[uuid]?.variables["current_application"] = application.name
            }
            fireExecute(application, on: uuid)
            return
        case "bridge": return placeCall(for: uuid)
        case "hangup":
            note(application, on: uuid)
            return hangUp(uuid, HangupCause(named: application.data) ?? .normal, how: .sent)
        default: break
        }
        proceed(uuid, at: step + 1)
    }

    /// The running application, as variables and log have it.
    mutating func note(_ application: Application, on uuid: String) {
        guard var channel = channels[uuid] else { return }
        if !application.data.isEmpty { channel.variables["current_application_data"] = application.data }
        channel.variables["current_application"] = application.name
        channel.application = application
        channel.log.append((application, now))
        channels[uuid] = channel
        fireExecute(application, on: uuid)
    }

    private mutating func fireExecute(_ application: Application, on uuid: String) {
        guard let channel = channels[uuid] else { return }
        let id = chance.uuid()
        fire("CHANNEL_EXECUTE", from: Origin.execute) { headers in
            channel.describe(into: &headers)
            headers.append("Application", application.name)
            if !application.data.isEmpty { headers.append("Application-Data", application.data) }
            headers.append("Application-UUID", id)
        }
    }

    /// Sends the 200 to the caller.
    mutating func answerCall(_ uuid: String) {
        guard var channel = channels[uuid], let message = channel.dialog.pending,
            let index = profileIndex(channel.profile)
        else { return }
        channel.setAnswered(chance: &chance)
        channel.answer = .answered
        channel.callState = "RINGING"
        channel.times.answered = now.microseconds
        channel.dialog.pending = nil
        let callee =
            channel.caller.calleeName.isEmpty ? channel.caller.destination : channel.caller.calleeName
        var response = message.response(
            200, "OK", from: channel.dialog.answerTo, tag: channel.dialog.localTag)
        response.append("Contact", channel.dialog.contact)
        response.appendCapabilities(channel.dialog.hasAnsweredWithTag ? .events : .full)
        response.appendSession(channel.media)
        response.appendLength()
        response.append(
            "Remote-Party-ID", remoteParty(callee, channel.caller.destination, on: index))
        channel.dialog.unacknowledged = response.bytes
        fireChannel("CHANNEL_ANSWER", channel, from: Origin.answer)
        channel.callState = "ACTIVE"
        channel.variables.set([
            "endpoint_disposition": "ANSWER", "sip_to_tag": channel.dialog.localTag,
        ])
        let source = channel.dialog.answerTo
        channel.dialog.answerTo = message.via?.reply(to: source) ?? source
        channels[uuid] = channel
        answer(message, with: response, from: source, on: index)
        agenda.note(
            .resendAnswer(uuid, interval: Transactions.t1, until: now + Transactions.life),
            at: now + Transactions.t1)
        track(uuid)
    }

    func remoteParty(_ name: String, _ number: String, on index: Int) -> String {
        let host = SIPURI.bracketed(profiles[index].settings.ip)
        return "\"\(name)\" <sip:\(number)@\(host)>;party=calling;privacy=off;screen=no"
    }

    /// The row of a leg that can be revived, as it is now, goes into the SQL queue.
    mutating func track(_ uuid: String) {
        guard var channel = channels[uuid], let index = profileIndex(channel.profile),
            profiles[index].settings.tracksCalls, channel.answer == .answered, channel.hangupCause == nil
        else { return }
        let row = RecoveryRow(
            runtimeUUID: identity.coreUUID, profileName: channel.profile, hostname: identity.switchname,
            uuid: uuid, metadata: channel.metadata(identity))
        let change: RecoveryChange = channel.isTracked ? .rewrite(row) : .put(row)
        channel.isTracked = true
        channels[uuid] = channel
        queue([change])
    }

    mutating func queue(_ changes: [RecoveryChange]) {
        databaseTime = max(databaseTime, now + chance.between(settings.databaseLag))
        agenda.note(.store(changes), at: databaseTime)
    }

    // MARK: Limits

    private mutating func setLimitVariables(_ rule: LimitRule, on uuid: String, isHeld: Bool) {
        let usage = limits.localUsage(realm: rule.realm, id: rule.id)
        let key = "\(rule.realm)_\(rule.id)"
        let backends = backends(of: uuid, adding: isHeld ? rule.backend : nil)
        // mod_hiredis leaves none but the name of the backend.
        guard rule.backend == .hash else {
            channels[uuid]?.variables.set(["limit_backend": backends])
            return
        }
        channels[uuid]?.variables.set([
            "limit_realm": rule.realm, "limit_id": rule.id, "limit_max": "\(rule.max)",
            "limit_rate": rule.interval == nil ? "0" : "\(usage.rate)",
            "limit_usage": "\(usage.total)", "limit_usage_\(key)": "\(usage.total)",
            "limit_rate_\(key)": rule.interval == nil ? nil : "\(usage.rate)",
            "limit_backend": backends,
        ])
    }

    /// `limit_backend` as switch_limit_incr has it: every backend that let the call pass, once.
    private func backends(of uuid: String, adding backend: LimitRule.Backend?) -> String? {
        var names = (channels[uuid]?.variables["limit_backend"] ?? "").split(separator: ",").map(String.init)
        if let name = backend?.rawValue, !names.contains(name) { names.append(name) }
        return names.isEmpty ? nil : names.joined(separator: ",")
    }

    mutating func held(_ rule: LimitRule, by uuid: String, usage: LimitTable.Usage) {
        // A revived leg that kept `limit_backend` installs no hook: its count leaks (freeswitch-integration §5).
        let isLeaking = channels[uuid]?.revival != nil && channels[uuid]?.variables["limit_backend"] != nil
        setLimitVariables(rule, on: uuid, isHeld: true)
        if !isLeaking {
            channels[uuid]?.holds.append(LimitHold(backend: rule.backend, realm: rule.realm, id: rule.id))
        }
        guard rule.backend == .hash else { return }
        fireCustom("limit::usage", from: Origin.limit) { headers in
            headers.append("backend", rule.backend.rawValue)
            headers.append("realm", rule.realm)
            headers.append("key", rule.id)
            headers.append("usage", "\(usage.total)")
            headers.append("rate", "\(usage.rate)")
            headers.append("max", "\(rule.max)")
            headers.append("ratemax", "\(rule.max)")
        }
    }
}
