import EventSocket

extension SwitchCore {
    /// Whether new sessions are taken: pause of everything, or a shutdown as soon as possible, ends it.
    var isAccepting: Bool { isReady && pause.shutdown?.isASAP != true }

    /// `fsctl …`
    mutating func control(_ call: Call) -> String? {
        let words = call.words
        let second = words.count > 1 ? words[1] : ""
        switch words.first {
        case "pause", "resume":
            let isPaused = words[0] == "pause"
            if second != "outbound" { pause.inbound = isPaused }
            if second != "inbound" { pause.outbound = isPaused }
            return "+OK\n"
        case "pause_check":
            switch second {
            case "inbound": return "\(pause.inbound || pause.shutdown?.isASAP == true)"
            case "outbound": return "\(pause.outbound || pause.shutdown?.isASAP == true)"
            default: return "\(pause.inbound && pause.outbound)"
            }
        case "ready_check": return "\(isAccepting)"
        case "shutdown_check": return "\(pause.shutdown != nil)"
        case "shutdown": return shutDown(second, call)
        case "recover": return recoverByControl(second, call)
        case "sps", "max_sessions": return setLimit(words[0], second)
        case "last_sps": return "+OK last sessions per second: \(counters.lastSecond)\n"
        default: return "-USAGE: [hupall|pause|resume|shutdown|recover|sps|max_sessions|…]\n"
        }
    }

    private mutating func setLimit(_ name: String, _ value: String) -> String {
        if let number = Int(value), number > 0, number <= 1_000_000 {
            if name == "sps" { counters.rate = number } else { counters.limit = number }
        }
        return name == "sps"
            ? "+OK sessions per second: \(sessionRate)\n" : "+OK max sessions: \(sessionLimit)\n"
    }

    private mutating func recoverByControl(_ argument: String, _ call: Call) -> String? {
        let parts = argument.split(separator: ":").map(String.init)
        if parts.first == "flush" {
            emit(.deleteRows(profiles: parts.count > 2 ? [parts[2]] : nil, notOf: nil))
            return "+OK flushed\n"
        }
        guard parts.isEmpty || parts[0] == "sofia" else { return "+OK 0 session(s) recovered in total\n" }
        recover(.control(profile: parts.count > 1 ? parts[1] : nil), ticket: call.ticket)
        return nil
    }

    // MARK: Shutdown

    /// `elegant` and `asap` answer when the last session is gone, or the shutdown is cancelled.
    private mutating func shutDown(_ how: String, _ call: Call) -> String? {
        switch how {
        case "cancel":
            pause.shutdown = nil
            return "+OK\n"
        case "elegant", "asap":
            guard pause.shutdown == nil else { return "-ERR shutdown in progress\n" }
            pause.shutdown = PauseState.Shutdown(isASAP: how == "asap", ticket: call.ticket)
            fire(
                "SHUTDOWN_REQUESTED", from: EventOrigin("switch_core.c", "switch_core_session_ctl", 2825)
            ) { $0.append("Event-Info", how == "asap" ? "ASAP" : "elegant") }
        case "now":
            emit(.reply(call.ticket, "+OK\n"))
            emit(.crash)
            return nil
        default:
            pause.shutdown = PauseState.Shutdown(isASAP: true, ticket: call.ticket)
            agenda.note(.finishShutdown, at: now + Self.stopLag)
            return "+OK\n"
        }
        agenda.note(.pollShutdown(call.ticket), at: now + Self.shutdownPoll)
        return nil
    }

    /// How often a waiting shutdown looks for sessions (switch_core.c: switch_core_session_ctl).
    static let shutdownPoll = Duration.milliseconds(500)
    /// Until the main thread sees that it is to end.
    private static let stopLag = Duration.milliseconds(20)

    mutating func pollShutdown(_ ticket: Ticket) {
        guard let waiting = pause.shutdown, waiting.ticket == ticket else {
            return emit(.reply(ticket, "+OK\n"))
        }
        guard sessionCount == 0 else {
            return agenda.note(.pollShutdown(ticket), at: now + Self.shutdownPoll)
        }
        emit(.reply(ticket, "+OK\n"))
        agenda.note(.finishShutdown, at: now + .milliseconds(520))
    }

    mutating func finishShutdown() {
        guard pause.shutdown != nil else { return }
        fire("SHUTDOWN", from: EventOrigin("switch_core.c", "switch_core_destroy", 3033)) {
            $0.append("Event-Info", "System Shutting Down")
        }
        for uuid in order { hangUp(uuid, .stopped, how: .sent) }
        emit(.shutDown)
    }

    // MARK: The laboratory's own command

    /// `simulator …`: what no FreeSWITCH has; breaks things and makes load.
    mutating func simulate(_ arguments: String) -> String {
        let words = arguments.split(separator: " ").map(String.init)
        switch words.first {
        case "events" where words.count == 2 && words[1] == "stuck":
            faults.eventsStuck = true
            return "+OK\n"
        case "events" where words.count == 2 && words[1] == "flow":
            mendEvents()
            return "+OK\n"
        case "commands" where words.count == 2 && (words[1] == "refuse" || words[1] == "accept"):
            faults.commandsRefused = words[1] == "refuse"
            return "+OK\n"
        case "database" where words.count == 2 && (words[1] == "off" || words[1] == "on"):
            faults.isDatabaseOff = words[1] == "off"
            return "+OK\n"
        case "options" where words.count == 2:
            guard let milliseconds = Int64(words[1]), (0...60_000).contains(milliseconds) else {
                return "-ERR from 0 to 60000\n"
            }
            faults.optionsDelay = .milliseconds(milliseconds)
            return "+OK\n"
        case "load": return simulateLoad(words)
        case "freeze":
            let seconds = words.count > 1 ? Int64(words[1]) : nil
            emit(.freeze(seconds.map { .seconds(min($0, 86_400)) }))
            return "+OK\n"
        case "crash":
            emit(.crash)
            return "+OK\n"
        case "cut":
            emit(.cut)
            return "+OK\n"
        default:
            return """
                -USAGE: simulator events stuck|flow
                       simulator commands refuse|accept
                       simulator database off|on
                       simulator options MILLISECONDS_UNTIL_ANSWERED
                       simulator load bridged|parked|waiting COUNT [PROFILE]
                       simulator load rate CALLS_PER_SECOND
                       simulator load stop
                       simulator freeze [SECONDS]
                       simulator cut
                       simulator crash

                """
        }
    }

    private mutating func simulateLoad(_ words: [String]) -> String {
        if words.count == 2, words[1] == "stop" {
            // The calls that are up stay, and are not replaced when they end.
            load.targets = []
            return "+OK\n"
        }
        guard words.count >= 3, let number = Int(words[2]), (0...100_000).contains(number) else {
            return "-ERR load needs bridged, parked, waiting or rate and a number up to 100000\n"
        }
        if words[1] == "rate" {
            load.rate = max(1, number)
            return "+OK\n"
        }
        let profile = words.count > 3 ? words[3] : profiles.first?.settings.name ?? ""
        guard profileIndex(profile) != nil else { return "-ERR no profile \(profile)\n" }
        guard let kind = CallLoad.Kind(rawValue: words[1]) else {
            return "-ERR load is bridged, parked, waiting or rate\n"
        }
        setLoad(kind, number, on: profile)
        return "+OK\n"
    }

    /// Holds so many calls from the start.
    package mutating func hold(bridged: Int, parked: Int, on profile: String, at now: Timestamp) {
        advance(to: now)
        guard profileIndex(profile) != nil else { return }
        setLoad(.bridged, bridged, on: profile)
        setLoad(.parked, parked, on: profile)
    }

    /// A client's `sendevent`, on its way to all sessions; FreeSWITCH's own handlers see it too.
    package mutating func sent(_ event: SwitchEvent, at now: Timestamp) {
        advance(to: now)
        if event.name == "CUSTOM", event.subclass == "multicast::event" { inject(event.headers) }
        if event.name == "NOTIFY" { notify(event) }
        deliver(stamped(event, EventOrigin("mod_event_socket.c", "parse_command", 2283)))
    }

    /// A `bgapi` command's end.
    package mutating func jobDone(_ event: SwitchEvent, at now: Timestamp) {
        advance(to: now)
        deliver(stamped(event, EventOrigin("mod_event_socket.c", "api_exec", 1580)))
    }

    private mutating func stamped(_ event: SwitchEvent, _ origin: EventOrigin) -> SwitchEvent {
        event.stamped(stamp(origin))
    }
}
