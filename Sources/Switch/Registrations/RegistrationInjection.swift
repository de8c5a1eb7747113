import EventSocket
import Primitives
import Replication

/// What a `sendevent CUSTOM` says to put a replicated registration into another switch, or to take it out.
///
/// mod_sofia takes `multicast::event` whether or not mod_event_multicast is loaded (sofia.c: event_handler); it
/// fires no `sofia::register` for it, so nothing goes round in circles.
package enum RegistrationInjection {
    /// Who tells: only shown by the receiver, and used by `rewrite-multicasted-fs-path`.
    package struct Origin: Hashable, Sendable {
        package var address: String
        package var switchname: String

        package init(address: String, switchname: String) {
            self.address = address
            self.switchname = switchname
        }
    }

    /// - Parameter lateMargin: what the receiver shall keep it longer than its time, as the switch that has the
    ///   phone does (`sip-expires-late-margin`, 60 s by default); the receiver adds none itself.
    /// - Returns: nil when its time is over.
    package static func register(
        _ registration: Registration, at now: Instant, origin: Origin, lateMargin: Duration
    ) -> SwitchEvent? {
        let left = (registration.expires - now).wholeSeconds
        if left <= 0 { return nil }
        func or(_ value: String, _ other: String) -> String { value.isEmpty ? other : value }
        let account = "\(registration.user)@\(registration.host)"
        var headers = begin("sofia::register", registration.profile)
        add(&headers, "from-user", registration.user)
        add(&headers, "from-host", registration.host)
        add(&headers, "presence-hosts", or(registration.presenceHosts, "n/a"))
        add(&headers, "contact", registration.contact)
        add(&headers, "call-id", registration.callID)
        add(&headers, "rpid", or(registration.rpid, "unknown"))
        add(&headers, "status", or(registration.status, "Registered"))
        add(&headers, "expires", "\(left + lateMargin.wholeSeconds)")
        add(&headers, "to-user", or(registration.toUser, registration.user))
        add(&headers, "to-host", or(registration.toHost, registration.host))
        add(&headers, "network-ip", registration.networkIP)
        add(&headers, "network-port", registration.networkPort)
        add(&headers, "username", or(registration.username, "unknown"))
        add(&headers, "realm", or(registration.realm, registration.host))
        add(&headers, "user-agent", registration.userAgent)
        // Without it the row has an account of `user@`.
        add(&headers, "mwi-account", or(registration.mwiAccount, account))
        add(&headers, "FreeSWITCH-IPv4", origin.address)
        add(&headers, "FreeSWITCH-Hostname", origin.switchname)
        return SwitchEvent(headers: headers)
    }

    /// A profile with one registration a user deletes by user and host, the others by Call-ID.
    package static func unregister(_ name: RegistrationName) -> SwitchEvent {
        var headers = begin("sofia::unregister", name.profile)
        add(&headers, "from-user", name.user)
        add(&headers, "from-host", name.host)
        if !name.callID.isEmpty { add(&headers, "call-id", name.callID) }
        return SwitchEvent(headers: headers)
    }

    private static func begin(_ subclass: String, _ profile: String) -> Headers {
        var headers = Headers()
        headers.append("Event-Name", "CUSTOM")
        headers.append("Event-Subclass", "multicast::event")
        if subclass == "sofia::register" { add(&headers, "event-name", "CUSTOM") }
        add(&headers, "event-subclass", subclass)
        add(&headers, "profile-name", profile)
        return headers
    }

    /// `sendevent` takes values as they are: a line break in one would begin another header.
    private static func add(_ headers: inout Headers, _ name: String, _ value: String) {
        let isClean = value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        let text =
            isClean
            ? value
            : String(
                String.UnicodeScalarView(value.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 }))
        headers.append("orig-\(name)", text)
    }
}

extension Registration {
    /// How the phone is connected, in capitals: `UDP`, `TCP`, `TLS`, `WS` or `WSS`.
    package var transport: String {
        if let open = status.firstIndex(of: "("), let close = status[open...].firstIndex(of: ")") {
            // `UDP-NAT`, `TLS-NAT`: behind a translation of addresses.
            let word = status[status.index(after: open)..<close].prefix { $0 != "-" }.uppercased()
            if Self.transports.contains(word) { return word }
        }
        let parameter = ";transport="
        if let start = contact.lowercased().firstRange(of: parameter) {
            let rest = contact.lowercased()[start.upperBound...]
            let word = rest.prefix { $0.isLetter }.uppercased()
            if Self.transports.contains(word) { return word }
        }
        return "UDP"
    }

    private static let transports = ["UDP", "TCP", "TLS", "WS", "WSS"]

    /// Whether a switch that has the row only by replication can call the phone. A connection is not replicated:
    /// a phone on TCP, TLS or a web socket is reached again once it has come back by itself.
    package var isReachableElsewhere: Bool { transport == "UDP" }
}
