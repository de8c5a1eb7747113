import Replication

/// How a sofia profile tells two registrations of one user apart: its parameter `multiple-registrations`.
package enum RegistrationMode: Hashable, Sendable, CaseIterable {
    /// Off: a user has one registration, the newest.
    case single
    /// `true` or `call-id`: one for each Call-ID.
    case callID
    /// `contact`: one for each contact.
    case contact

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

    /// What tells the replicated records apart.
    package var identity: RegistrationIdentity {
        switch self {
        case .single: .user
        case .callID: .callID
        case .contact: .contact
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

    /// Whether it is the same contact under the same Call-ID.
    package func isSameRow(as other: RegistrationName) -> Bool {
        user == other.user && host == other.host && contact == other.contact && callID == other.callID
    }

    /// Whether who logs out by this name means that registration: by its Call-ID, by where it is, or by `Contact: *`.
    package func isSamePhone(as registration: Registration) -> Bool {
        guard user == registration.user, host == registration.host else { return false }
        if !callID.isEmpty, callID == registration.callID { return true }
        let place = Self.place(contact)
        return place == "*" || !place.isEmpty && place == Self.place(registration.contact)
    }

    /// `user@host:port` of a contact, without what a switch or a phone adds to it.
    private static func place(_ contact: String) -> Substring {
        var text = contact[...]
        if let open = text.firstIndex(of: "<") { text = text[text.index(after: open)...] }
        if let end = text.firstIndex(where: { $0 == ">" || $0 == ";" || $0 == "?" }) { text = text[..<end] }
        if let colon = text.firstIndex(of: ":"), ["sip", "sips"].contains(text[..<colon].lowercased()) {
            text = text[text.index(after: colon)...]
        }
        return text
    }
}

/// Names one registration of a profile: two are the same to the switch if and only if their keys are equal.
package struct RegistrationKey: Hashable, Comparable, Sendable {
    /// The key of the replicated record.
    package let bytes: [UInt8]

    package init(_ name: RegistrationName, mode: RegistrationMode) {
        let discriminator =
            switch mode {
            case .single: ""
            case .callID: name.callID
            case .contact: name.contact
            }
        bytes = Record.key(user: name.user, host: name.host, discriminator: discriminator)
    }

    package init(_ registration: Registration, mode: RegistrationMode) {
        self.init(RegistrationName(registration), mode: mode)
    }

    package static func < (a: RegistrationKey, b: RegistrationKey) -> Bool {
        a.bytes.lexicographicallyPrecedes(b.bytes)
    }
}
