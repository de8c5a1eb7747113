import EventSocket

/// The place in FreeSWITCH's source that fires an event, as the event's headers tell it.
struct EventOrigin: Hashable, Sendable {
    var file: String
    var function: String
    var line: Int

    init(_ file: String, _ function: String, _ line: Int) {
        self.file = file
        self.function = function
        self.line = line
    }
}

extension SwitchCore {
    /// Fires an event: the common headers first (switch_event.c: switch_event_prep_for_delivery_detailed).
    mutating func fire(_ name: String, from origin: EventOrigin, _ add: (inout Headers) -> Void) {
        var headers = Headers()
        headers.append("Event-Name", name)
        appendCommon(&headers, origin)
        add(&headers)
        deliver(SwitchEvent(headers: headers))
    }

    /// Fires a CUSTOM event: its subclass comes before all else.
    mutating func fireCustom(_ subclass: String, from origin: EventOrigin, _ add: (inout Headers) -> Void) {
        var headers = Headers()
        headers.append("Event-Subclass", subclass)
        headers.append("Event-Name", "CUSTOM")
        appendCommon(&headers, origin)
        add(&headers)
        deliver(SwitchEvent(headers: headers))
    }

    mutating func fireChannel(_ name: String, _ channel: Leg, from origin: EventOrigin) {
        fire(name, from: origin) { channel.describe(into: &$0) }
    }

    mutating func appendCommon(_ headers: inout Headers, _ origin: EventOrigin) {
        for field in stamp(origin).fields { headers.append(field.name, field.value) }
    }

    /// Counts an event.
    mutating func stamp(_ origin: EventOrigin) -> EventStamp {
        sequence += 1
        return EventStamp(
            origin: EventStamp.Origin(
                coreUUID: identity.coreUUID, hostname: identity.hostname, switchname: identity.switchname),
            microseconds: now.microseconds, file: origin.file, function: origin.function, line: origin.line,
            sequence: UInt64(sequence))
    }

    /// A stuck event system keeps what is fired until it is mended.
    mutating func deliver(_ event: SwitchEvent) {
        guard faults.eventsStuck else { return emit(.event(event)) }
        if faults.backlog.count < Faults.backlogLimit { faults.backlog.append(event) }
    }

    mutating func mendEvents() {
        faults.eventsStuck = false
        for event in faults.backlog { emit(.event(event)) }
        faults.backlog = []
    }

    var sessionCount: Int { channels.count + deadSessions.count }

    mutating func beat() {
        agenda.note(.heartbeat, at: now + settings.heartbeat)
        let up = now - started
        let core = self
        fire("HEARTBEAT", from: EventOrigin("switch_core.c", "send_heartbeat", 95)) { headers in
            headers.append("Event-Info", core.isReady ? "System Ready" : "System Not Ready")
            headers.append("Up-Time", up.spelled)
            headers.append("FreeSWITCH-Version", SwitchSettings.version + "~64bit")
            headers.append("Uptime-msec", "\(up.wholeMicroseconds / 1000)")
            headers.append("Session-Count", "\(core.sessionCount)")
            headers.append("Max-Sessions", "\(core.sessionLimit)")
            headers.append("Session-Per-Sec", "\(core.sessionRate)")
            headers.append("Session-Per-Sec-Last", "\(core.counters.lastSecond)")
            headers.append("Session-Per-Sec-Max", "\(core.counters.peakRate)")
            headers.append("Session-Per-Sec-FiveMin", "\(core.counters.peakRateFiveMinutes)")
            headers.append("Session-Since-Startup", "\(core.counters.total)")
            headers.append("Session-Peak-Max", "\(core.counters.peak)")
            headers.append("Session-Peak-FiveMin", "\(core.counters.peakFiveMinutes)")
            headers.append("Idle-CPU", "90.000000")
        }
    }

    /// Zero in the counters means the configured value has not been changed at run time.
    var sessionLimit: Int { counters.limit > 0 ? counters.limit : settings.sessionLimit }
    var sessionRate: Int { counters.rate > 0 ? counters.rate : settings.sessionRate }

    var isReady: Bool { !(pause.inbound && pause.outbound) }

    mutating func countSecond() {
        agenda.note(.second, at: now + .seconds(1))
        counters.lastSecond = counters.thisSecond
        counters.thisSecond = 0
        if (now - started).wholeSeconds % 300 == 0 {
            counters.peakFiveMinutes = sessionCount
            counters.peakRateFiveMinutes = counters.lastSecond
        }
    }

    mutating func countSession() {
        counters.total += 1
        counters.thisSecond += 1
        counters.peak = max(counters.peak, sessionCount)
        counters.peakFiveMinutes = max(counters.peakFiveMinutes, sessionCount)
        counters.peakRate = max(counters.peakRate, counters.thisSecond)
        counters.peakRateFiveMinutes = max(counters.peakRateFiveMinutes, counters.thisSecond)
    }
}
