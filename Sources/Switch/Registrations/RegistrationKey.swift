import Replication

/// How a sofia profile tells two registrations of one user apart: its parameter `multiple-registrations`.
package enum RegistrationMode: UInt8, Hashable, Sendable, CaseIterable {
    /// Off: a user has one registration, the newest.
    case single = 0
    /// `true` or `call-id`: one for each Call-ID.
    case callID = 1
    /// `contact`: one for each contact.
    case contact = 2

    /// - Parameter parameter: the value of `multiple-registrations`; nil when the profile does not set it.
    /// - Returns: nil for a value FreeSWITCH does not know.
    package init?(parameter: String?) {
        switch parameter?.lowercased() {
        case nil, "", "false", "no", "off", "0": self = .single
        case "true", "yes", "on", "1", "call-id": self = .callID
        case "contact": self = .contact
        default: return nil
        }
    }
}

/// What FreeSWITCH tells about a registration that ended.
package struct RegistrationName: Hashable, Sendable {
    package var profile: String
    package var user: String
    package var host: String
    package var contact: String
    package var callID: String

    package init(profile: String, user: String, host: String, contact: String, callID: String) {
        self.profile = profile
        self.user = user
        self.host = host
        self.contact = contact
        self.callID = callID
    }

    package init(_ registration: Registration) {
        self.init(
            profile: registration.profile, user: registration.user, host: registration.host,
            contact: registration.contact, callID: registration.callID)
    }
}

/// Names one registration of a profile: two are the same to the switch if and only if their keys are equal.
///
/// The bytes are stable: the mode, then user, host and (by mode) Call-ID or contact, each behind its length.
package struct RegistrationKey: Hashable, Comparable, Sendable {
    package let bytes: [UInt8]

    package init(_ name: RegistrationName, mode: RegistrationMode) {
        var bytes = [mode.rawValue]
        func append(_ text: String) {
            var length = text.utf8.count
            while length > 127 {
                bytes.append(UInt8(length & 127) | 128)
                length >>= 7
            }
            bytes.append(UInt8(length))
            bytes.append(contentsOf: text.utf8)
        }
        append(name.user)
        append(name.host)
        switch mode {
        case .single: break
        case .callID: append(name.callID)
        case .contact: append(name.contact)
        }
        self.bytes = bytes
    }

    package init(_ registration: Registration, mode: RegistrationMode) {
        self.init(RegistrationName(registration), mode: mode)
    }

    package static func < (a: RegistrationKey, b: RegistrationKey) -> Bool {
        a.bytes.lexicographicallyPrecedes(b.bytes)
    }
}
