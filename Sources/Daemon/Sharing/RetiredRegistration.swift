import FoundationEssentials
import PeerProtocol
import Primitives
import Replication
import Switch

/// That a registration counts no more, in a record of the stream of the node that says so.
struct RetiredRegistration: Hashable, Sendable, Codable {
    static let kind = RecordKind(rawValue: 17)

    var number: UInt64
    /// The address the registration is at.
    var address: String
    var user: String
    var host: String
    var contact: String
    var callID: String
    var endsLater: Int64?
    var isFinal = false
    var isEcho = false

    private enum CodingKeys: String, CodingKey {
        case number, address, user, host, contact, callID, endsLater, isFinal, isEcho
    }

    init(_ word: Retirement) {
        number = word.number
        address = word.address
        user = word.name.user
        host = word.name.host
        contact = word.name.contact
        callID = word.name.callID
        endsLater = word.endsLater
        isFinal = word.isFinal
        isEcho = word.isEcho
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

    var word: Retirement {
        Retirement(
            number: number,
            name: RegistrationName(
                profile: address, user: user, host: host, contact: contact, callID: callID),
            endsLater: endsLater, isFinal: isFinal, isEcho: isEcho)
    }

    func record(until end: Instant, mode: RegistrationMode) -> Record {
        Record(
            kind: Self.kind, key: Retirement.key(word.name, mode: mode), expires: end,
            payload: ControlJSON.encode(self))
    }
}
