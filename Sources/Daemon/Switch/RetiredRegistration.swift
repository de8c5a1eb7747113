import FoundationEssentials
import PeerProtocol
import Primitives
import Replication
import Switch

/// That a registration counts no more, in a record of the stream of the node that says so.
struct RetiredRegistration: Hashable, Sendable, Codable {
    static let kind = RecordKind(rawValue: 17)
    /// Told to the holder of the address. Records are told again when a stream begins anew; each counts once.
    static let lifetime: Duration = .seconds(60)
    /// A registration is known by its end, too, which a refresh changes; clocks are told apart as well as that.
    private static let slack: Duration = .seconds(2)

    /// Drawn anew each time.
    var number: UInt64
    /// The address the registration is at.
    var address: String
    var user: String
    var host: String
    var contact: String
    var callID: String
    /// Milliseconds from the end of this record to that of the registration; nil as earlier releases say it.
    var endsLater: Int64?
    /// Nobody held the address: the word counts as long as the registration would.
    var isFinal = false
    /// Kept for another node.
    var isEcho = false

    private enum CodingKeys: String, CodingKey {
        case number, address, user, host, contact, callID, endsLater, isFinal, isEcho
    }

    init(_ registration: Registration, at now: Instant, isFinal: Bool) {
        number = .random(in: .min ... .max)
        address = registration.profile
        user = registration.user
        host = registration.host
        contact = registration.contact
        callID = registration.callID
        self.isFinal = isFinal
        endsLater = isFinal ? 0 : (registration.expires - now - Self.lifetime).nanoseconds / 1_000_000
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        number = try container.decode(UInt64.self, forKey: .number)
        address = try container.decode(String.self, forKey: .address)
        user = try container.decode(String.self, forKey: .user)
        host = try container.decode(String.self, forKey: .host)
        contact = try container.decode(String.self, forKey: .contact)
        callID = try container.decode(String.self, forKey: .callID)
        endsLater = try container.decodeIfPresent(Int64.self, forKey: .endsLater)
        isFinal = try container.decodeIfPresent(Bool.self, forKey: .isFinal) ?? false
        isEcho = try container.decodeIfPresent(Bool.self, forKey: .isEcho) ?? false
    }

    init?(_ record: Record) {
        guard record.kind == Self.kind,
            let read = try? JSONDecoder().decode(Self.self, from: Data(record.payload))
        else { return nil }
        self = read
    }

    var name: RegistrationName {
        RegistrationName(profile: address, user: user, host: host, contact: contact, callID: callID)
    }

    /// Whether it is that very registration, and no later one of the same phone.
    ///
    /// - Parameter end: of the record that says so.
    func names(_ registration: Registration, end: Instant?) -> Bool {
        guard let end, let endsLater, endsLater.magnitude < 1 << 42,
            name.isSameRow(as: RegistrationName(registration))
        else { return false }
        let drift = end + .milliseconds(endsLater) - registration.expires
        return drift < Self.slack && drift > .zero - Self.slack
    }

    func record(until end: Instant, mode: RegistrationMode) -> Record {
        Record(
            kind: Self.kind, key: Self.key(name, mode: mode), expires: end, payload: ControlJSON.encode(self))
    }

    static func key(_ name: RegistrationName, mode: RegistrationMode) -> [UInt8] {
        let discriminator =
            switch mode {
            case .single: name.profile
            case .callID: "\(name.profile) \(name.callID)"
            case .contact: "\(name.profile) \(name.contact)"
            }
        return Record.key(user: name.user, host: name.host, discriminator: discriminator)
    }
}
