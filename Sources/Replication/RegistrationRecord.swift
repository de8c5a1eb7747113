import Consensus

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
    package init(_ registration: Registration, identity: RegistrationIdentity = .callID) throws(RecordFailure) {
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
            writer.registrationText(it.profile, or: "")
            writer.registrationText(it.contact, or: discriminator)
            writer.registrationText(it.callID, or: discriminator)
            writer.registrationText(it.status, or: "Registered(UDP)")
            writer.registrationText(it.presenceHosts, or: it.host)
            writer.registrationText(it.rpid, or: "unknown")
            writer.registrationText(it.toUser, or: it.user)
            writer.registrationText(it.toHost, or: it.host)
            writer.registrationText(it.networkIP, or: "")
            writer.registrationText(it.networkPort, or: "5060")
            writer.registrationText(it.username, or: it.user)
            writer.registrationText(it.realm, or: it.host)
            writer.registrationText(it.userAgent, or: "")
            writer.registrationText(it.mwiAccount, or: "")
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
        let profile = try reader.registrationText("profile", or: "")
        let contact = try reader.registrationText("contact", or: discriminator)
        let callID = try reader.registrationText("call-id", or: discriminator)
        let registration = Registration(
            profile: profile, user: user, host: host, contact: contact, callID: callID,
            status: try reader.registrationText("status", or: "Registered(UDP)"),
            presenceHosts: try reader.registrationText("presence-hosts", or: host),
            rpid: try reader.registrationText("rpid", or: "unknown"),
            toUser: try reader.registrationText("to-user", or: user),
            toHost: try reader.registrationText("to-host", or: host),
            networkIP: try reader.registrationText("network-ip", or: ""),
            networkPort: try reader.registrationText("network-port", or: "5060"),
            username: try reader.registrationText("username", or: user),
            realm: try reader.registrationText("realm", or: host),
            userAgent: try reader.registrationText("user-agent", or: ""),
            mwiAccount: try reader.registrationText("mwi-account", or: ""), expires: expires)
        try reader.end()
        return registration
    }
}

/// Texts FreeSWITCH writes in many registrations; the order is part of version 1 of the format.
private let commonTexts = ["unknown", "n/a", "Registered(TCP)", "Registered(TLS)", "Registered(WSS)"]

/// 0 is the text the reader expects, then room for 15 common texts, then a length.
private let literal = 16

extension FieldWriter {
    /// A text that is often `expected` or a common one; those take one byte.
    fileprivate mutating func registrationText(_ text: String, or expected: String) {
        if text.hasSameBytes(as: expected) { return byte(0) }
        let count = text.utf8.count
        if count == 7 || count == 3 || count == 15 {
            for index in 0..<commonTexts.count where text.hasSameBytes(as: commonTexts[index]) {
                return byte(UInt8(index + 1))
            }
        }
        number(literal + count)
        content(text)
    }
}

extension FieldReader {
    fileprivate mutating func registrationText(_ field: StaticString, or expected: String)
        throws(RecordFailure) -> String
    {
        let head = try number(field)
        if head == 0 { return expected }
        if head >= UInt64(literal) {
            guard head - UInt64(literal) <= UInt64(remaining) else { throw .truncated }
            return try content(field, Int(head) - literal)
        }
        guard head <= UInt64(commonTexts.count) else { throw .malformed("\(field)") }
        return commonTexts[Int(head) - 1]
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
