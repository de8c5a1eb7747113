import Primitives

/// What tells two registrations of one user from each other: FreeSWITCH's `multiple-registrations` decides.
package enum RegistrationIdentity: Hashable, Sendable {
    /// One registration for each user and host.
    case user
    /// `multiple-registrations=contact`
    case contact
    /// `multiple-registrations=true` or `call-id`
    case callID
}

extension Record {
    /// Bytes before the texts: the version.
    private static let registrationVersion: UInt8 = 1

    /// The key of a registration; `discriminator` is its contact or call-id, or empty, as the identity says.
    package static func key(user: String, host: String, discriminator: String) -> [UInt8] {
        let capacity =
            user.utf8.count + host.utf8.count + discriminator.utf8.count + 2 * FieldWriter.number
        return FieldWriter.bytes(capacity: capacity) { writer in
            writer.text(user)
            writer.text(host)
            writer.content(discriminator)
        }
    }

    /// The compact form of a registration: what its key says is not said again.
    package init(_ registration: Registration, identity: RegistrationIdentity = .callID) throws(RecordFailure)
    {
        let discriminator =
            switch identity {
            case .user: ""
            case .contact: registration.contact
            case .callID: registration.callID
            }
        self.init(
            kind: .registration,
            key: Record.key(user: registration.user, host: registration.host, discriminator: discriminator),
            expires: registration.expires,
            payload: Record.payload(registration, discriminator: discriminator))
        if let fault { throw fault }
    }

    private static func payload(_ it: Registration, discriminator: String) -> [UInt8] {
        var capacity = 1 + 15 * FieldWriter.number
        capacity += it.profile.utf8.count + it.contact.utf8.count + it.callID.utf8.count
        capacity += it.status.utf8.count + it.presenceHosts.utf8.count + it.rpid.utf8.count
        capacity += it.toUser.utf8.count + it.toHost.utf8.count + it.networkIP.utf8.count
        capacity += it.networkPort.utf8.count + it.username.utf8.count + it.realm.utf8.count
        capacity += it.userAgent.utf8.count + it.mwiAccount.utf8.count
        return FieldWriter.bytes(capacity: capacity) { writer in
            writer.byte(registrationVersion)
            writer.text(it.profile)
            writer.text(it.contact, or: discriminator)
            writer.text(it.callID, or: discriminator)
            writer.text(it.status, or: "Registered(UDP)", "Registered(UDP-NAT)")
            writer.text(it.presenceHosts, or: it.host, "n/a")
            writer.text(it.rpid, or: "unknown")
            writer.text(it.toUser, or: it.user)
            writer.text(it.toHost, or: it.host)
            writer.text(it.networkIP)
            writer.text(it.networkPort, or: "5060")
            writer.text(it.username, or: it.user, "unknown")
            writer.text(it.realm, or: it.host)
            writer.text(it.userAgent)
            writer.mailbox(it.mwiAccount, user: it.user, host: it.host)
        }
    }

    /// What the key of a registration names; nil for a key that is none.
    package static func registrationName(
        ofKey key: [UInt8]
    ) -> (user: String, host: String, discriminator: String)? {
        key.withBytes { key in
            var reader = FieldReader(key)
            guard let user = try? reader.text("user"), let host = try? reader.text("host"),
                let discriminator = try? reader.content("discriminator", reader.remaining)
            else { return nil }
            return (user, host, discriminator)
        }
    }

    /// The registration this record holds.
    package func registration() throws(RecordFailure) -> Registration {
        guard kind == .registration else { throw .wrongKind(kind) }
        guard let expires else { throw .malformed("expires") }
        return try key.withBytes { key throws(RecordFailure) in
            try payload.withBytes { payload throws(RecordFailure) in
                try Record.registration(key: key, payload: payload, expires: expires)
            }
        }
    }

    private static func registration(
        key: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, expires: Instant
    ) throws(RecordFailure) -> Registration {
        var names = FieldReader(key)
        let user = try names.text("user")
        let host = try names.text("host")
        let discriminator = try names.content("discriminator", names.remaining)
        var reader = FieldReader(payload)
        let version = try reader.byte()
        guard version == registrationVersion else {
            if version > registrationVersion { throw .newerVersion(version) }
            throw .malformed("version")
        }
        let profile = try reader.text("profile")
        let contact = try reader.text("contact", or: discriminator)
        let callID = try reader.text("call-id", or: discriminator)
        let registration = Registration(
            profile: profile, user: user, host: host, contact: contact, callID: callID,
            status: try reader.text("status", or: "Registered(UDP)", "Registered(UDP-NAT)"),
            presenceHosts: try reader.text("presence-hosts", or: host, "n/a"),
            rpid: try reader.text("rpid", or: "unknown"), toUser: try reader.text("to-user", or: user),
            toHost: try reader.text("to-host", or: host), networkIP: try reader.text("network-ip"),
            networkPort: try reader.text("network-port", or: "5060"),
            username: try reader.text("username", or: user, "unknown"),
            realm: try reader.text("realm", or: host), userAgent: try reader.text("user-agent"),
            mwiAccount: try reader.mailbox(user: user, host: host), expires: expires)
        try reader.end()
        return registration
    }
}

/// What stands before a text: 0 or 1 for one of the two that are expected, else its length and this.
private let literal = 2

extension FieldWriter {
    /// A text that is often one of two others; those take one byte.
    @inline(__always)
    fileprivate mutating func text(_ text: String, or first: String, _ second: String = "") {
        let count = text.utf8.count
        if count == first.utf8.count, text.hasSameBytes(as: first) { return byte(0) }
        if count == second.utf8.count, text.hasSameBytes(as: second) { return byte(1) }
        number(literal + count)
        content(text)
    }

    /// A text that is often user@host.
    fileprivate mutating func mailbox(_ text: String, user: String, host: String) {
        let count = text.utf8.count
        if count == 0 { return byte(0) }
        if count == user.utf8.count + 1 + host.utf8.count, text.hasSameBytes(as: "\(user)@\(host)") {
            return byte(1)
        }
        number(literal + count)
        content(text)
    }
}

extension FieldReader {
    @inline(__always)
    fileprivate mutating func text(_ field: StaticString, or first: String, _ second: String = "")
        throws(RecordFailure) -> String
    {
        let head = try number(field)
        if head == 0 { return first }
        if head == 1 { return second }
        guard head - UInt64(literal) <= UInt64(remaining) else { throw .truncated }
        return try content(field, Int(head) - literal)
    }

    fileprivate mutating func mailbox(user: String, host: String) throws(RecordFailure) -> String {
        if peek == 1 {
            _ = try byte()
            return "\(user)@\(host)"
        }
        return try text("mwi-account", or: "")
    }
}

extension String {
    /// Equal byte for byte, where `==` also takes texts for equal that are only written differently.
    fileprivate func hasSameBytes(as other: String) -> Bool {
        if utf8.count != other.utf8.count { return false }
        let equal = utf8.withContiguousStorageIfAvailable { a in
            other.utf8.withContiguousStorageIfAvailable { b in
                guard let a = a.baseAddress, let b = b.baseAddress else { return true }
                return sameBytes(a, b, count: utf8.count)
            }
        }
        return (equal ?? nil) ?? utf8.elementsEqual(other.utf8)
    }
}
