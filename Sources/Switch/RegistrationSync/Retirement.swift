import Primitives
import Replication

/// The word of a node that a registration counts no more.
package struct Retirement: Hashable, Sendable {
    /// Told to the holder of the address. Records are told again when a stream begins anew; each counts once.
    package static let lifetime: Duration = .seconds(60)
    /// A registration is known by its end, too, which a refresh changes; clocks are told apart as well as that.
    private static let slack: Duration = .seconds(2)

    /// Drawn anew each time.
    package var number: UInt64
    /// The registration; its profile is the address it is at.
    package var name: RegistrationName
    /// Milliseconds from the end of this word to that of the registration; nil as earlier releases say it.
    package var endsLater: Int64?
    /// Nobody held the address: the word counts as long as the registration would.
    package var isFinal: Bool
    /// Kept for another node.
    package var isEcho = false

    package init(
        number: UInt64, name: RegistrationName, endsLater: Int64?, isFinal: Bool, isEcho: Bool
    ) {
        self.number = number
        self.name = name
        self.endsLater = endsLater
        self.isFinal = isFinal
        self.isEcho = isEcho
    }

    package init(_ registration: Registration, number: UInt64, at now: Instant, isFinal: Bool) {
        self.init(
            number: number, name: RegistrationName(registration),
            endsLater: isFinal
                ? 0 : (registration.expires - now - Self.lifetime).nanoseconds / 1_000_000,
            isFinal: isFinal, isEcho: false)
    }

    package var address: String { name.profile }

    /// Whether it is that very registration, and no later one of the same phone.
    ///
    /// - Parameter end: of this word.
    package func names(_ registration: Registration, end: Instant?) -> Bool {
        guard let end, let endsLater, endsLater.magnitude < 1 << 42,
            name.isSameRow(as: RegistrationName(registration))
        else { return false }
        let drift = end + .milliseconds(endsLater) - registration.expires
        return drift < Self.slack && drift > .zero - Self.slack
    }

    /// Of the record that says so.
    package static func key(_ name: RegistrationName, mode: RegistrationMode) -> [UInt8] {
        let discriminator =
            switch mode {
            case .single: name.profile
            case .callID: "\(name.profile) \(name.callID)"
            case .contact: "\(name.profile) \(name.contact)"
            }
        return Record.key(user: name.user, host: name.host, discriminator: discriminator)
    }
}
