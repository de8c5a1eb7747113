import EventSocket
import FoundationEssentials
import PeerProtocol
import Primitives
import Replication
import Switch

// Where a user has one registration, the newest wins on every address: a phone that moved from one master to another, as DNS and
// drains make it do, is not called at its old contact until that ends by itself.

/// What the holder of the newer registration says to the holder of the older one, in a record of its node's own stream.
struct RetiredRegistration: Hashable, Sendable, Codable {
    static let kind = RecordKind(rawValue: 17)
    /// Records are told again when a stream begins anew; each counts once.
    static let lifetime: Duration = .seconds(60)

    /// Drawn anew each time.
    var number: UInt64
    /// The address the older registration is at.
    var address: String
    var user: String
    var host: String
    var contact: String
    var callID: String

    init(_ registration: Registration, number: UInt64) {
        self.number = number
        address = registration.profile
        user = registration.user
        host = registration.host
        contact = registration.contact
        callID = registration.callID
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

    func record(at now: Instant) -> Record {
        Record(
            kind: Self.kind, key: Record.key(user: user, host: host, discriminator: address),
            expires: now + Self.lifetime, payload: ControlJSON.encode(self))
    }
}

extension RegistrationSharing {
    private static let seenLimit = 10_000

    /// A phone of this machine's switch has registered just now: what it has elsewhere is older.
    func supersede(_ registration: Registration) {
        guard mode == .single else { return }
        let now = BootClock.now()
        let key = Record.key(user: registration.user, host: registration.host, discriminator: "")
        for stream in replica.streams {
            guard case .address(let name) = stream, name != registration.profile,
                let record = replica.record(.registration, key: key, in: stream),
                var older = try? record.registration()
            else { continue }
            older.profile = name
            let retired = RetiredRegistration(older, number: .random(in: .min ... .max))
            if books[name] != nil {
                retire(retired, at: now)
            } else {
                let record = retired.record(at: now)
                if record.fault == nil { replica.write(.node(me), [.put(record)]) }
            }
        }
    }

    /// Another node's word of a registration that is at an address held here.
    func superseded(_ retired: RetiredRegistration) {
        if seen.count >= Self.seenLimit { seen = [] }
        guard seen.insert(retired.number).inserted, mode == .single, books[retired.address] != nil else {
            return
        }
        retire(retired, at: BootClock.now())
    }

    private func retire(_ retired: RetiredRegistration, at now: Instant) {
        let changes = books[retired.address]?.book.supersede(by: retired.name, at: now) ?? []
        guard !changes.isEmpty else { return }
        for change in changes { books[retired.address]?.corrected[change.key] = now }
        write(changes, to: retired.address)
        // By the queue, which outlasts a connection.
        _ = queue.offer(.absent(retired.name), mode: mode)
        tend()
    }
}
