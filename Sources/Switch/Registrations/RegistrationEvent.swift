import EventSocket
import Primitives
import Replication

/// What one of sofia's registration events says (sofia_reg.c).
package enum RegistrationEvent: Hashable, Sendable {
    /// A first REGISTER or a refresh.
    case registered(Registration)
    /// The phone took it back.
    case unregistered(RegistrationName)
    /// Its time ran out, late margin included.
    case expired(RegistrationName)

    /// The subclasses to subscribe to.
    package static let subclasses = ["sofia::register", "sofia::unregister", "sofia::expire"]

    /// - Parameter now: when the event came; it tells seconds from then.
    /// - Returns: nil when the event is about something else.
    /// - Throws: when a header that names the registration is not there.
    package init?(_ event: SwitchEvent, at now: Instant) throws(SwitchFailure) {
        switch event.subclass {
        case "sofia::register":
            let name = try Self.name(of: event, user: "from-user", host: "from-host")
            let expires = try Self.expires(of: event)
            // An expiry of 0 takes back, whatever the event is called.
            self =
                expires > 0
                ? .registered(Self.registration(name, of: event, expires: now + .seconds(expires)))
                : .unregistered(name)
        case "sofia::unregister":
            self = .unregistered(try Self.name(of: event, user: "from-user", host: "from-host"))
        case "sofia::expire":
            // Other names for the same, and an absolute time of the day that nobody needs.
            self = .expired(try Self.name(of: event, user: "user", host: "host"))
        default: return nil
        }
    }

    private static func name(
        of event: SwitchEvent, user: String, host: String
    ) throws(SwitchFailure) -> RegistrationName {
        func required(_ header: String) throws(SwitchFailure) -> String {
            guard let value = event[header], !value.isEmpty else {
                throw .missing(header, in: event.subclass ?? "")
            }
            return value
        }
        return RegistrationName(
            profile: try required("profile-name"), user: try required(user), host: try required(host),
            contact: event["contact"] ?? "", callID: event["call-id"] ?? "")
    }

    private static func expires(of event: SwitchEvent) throws(SwitchFailure) -> Int64 {
        guard let text = event["expires"] else { throw .missing("expires", in: "sofia::register") }
        // RFC 3261 §20.19: 32 bits.
        guard let seconds = Int64(text), (0...Int64(UInt32.max)).contains(seconds) else {
            throw .malformed("expires", value: text, in: "sofia::register")
        }
        return seconds
    }

    /// Only these headers: the directory may have mixed variables of the user into the event.
    private static func registration(
        _ name: RegistrationName, of event: SwitchEvent, expires: Instant
    ) -> Registration {
        Registration(
            profile: name.profile, user: name.user, host: name.host, contact: name.contact,
            callID: name.callID, status: event["status"] ?? "",
            presenceHosts: event["presence-hosts"] ?? "", rpid: event["rpid"] ?? "",
            toUser: event["to-user"] ?? "", toHost: event["to-host"] ?? "",
            networkIP: event["network-ip"] ?? "", networkPort: event["network-port"] ?? "",
            username: event["username"] ?? "", realm: event["realm"] ?? "",
            userAgent: event["user-agent"] ?? "",
            mwiAccount: event["mwi-account"] ?? "\(name.user)@\(name.host)", expires: expires)
    }
}
