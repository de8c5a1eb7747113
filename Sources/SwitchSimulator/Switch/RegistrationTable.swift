/// One registration of a profile, its own or injected (sofia_reg.c: table sip_registrations).
package struct SwitchRegistration: Hashable, Sendable {
    package var user: String
    package var host: String
    /// The whole name-addr: `"" <sip:1001@192.0.2.7>`.
    package var contact: String
    package var callID: String
    /// `Registered(UDP)`; injected ones are `Registered`.
    package var status: String
    package var rpid = "unknown"
    /// Seconds since 1970, with the late margin for the switch's own.
    package var expires: Int64
    /// As the phone was promised.
    package var nominal: Int64
    package var networkIP: String
    package var networkPort: String
    package var username: String
    package var realm: String
    package var userAgent: String
    package var mwiAccount: String
    /// Made here and not injected: listed by `show registrations`.
    package var isLocal: Bool

    package var address: String { "\(user)@\(host)" }

    /// The URI inside the contact's angle brackets.
    package var uri: String {
        guard let open = contact.firstIndex(of: "<"), let close = contact.lastIndex(of: ">"), open < close
        else { return contact }
        return String(contact[contact.index(after: open)..<close])
    }
}

/// The registrations of one profile, oldest first, found by address of record.
struct RegistrationTable: Sendable {
    let kind: SwitchSettings.Profile.Registrations
    private var rows: [UInt64: SwitchRegistration] = [:]
    private var byAddress: [String: [UInt64]] = [:]
    private var byCallID: [String: [UInt64]] = [:]
    private var last: UInt64 = 0
    /// What was done since `takeChanges`, for the profile's file.
    private var changes: [RegistrationChange] = []

    init(kind: SwitchSettings.Profile.Registrations) { self.kind = kind }

    var count: Int { rows.count }
    var all: [SwitchRegistration] { rows.sorted { $0.key < $1.key }.map(\.value) }

    func of(_ address: String) -> [SwitchRegistration] {
        (byAddress[address] ?? []).compactMap { rows[$0] }
    }

    /// Every user of that name, whatever the host.
    func ofUser(_ user: String) -> [SwitchRegistration] { all.filter { $0.user == user } }

    /// What a phone's own REGISTER replaces: by user, Call-ID or contact, as the profile is set.
    mutating func register(_ row: SwitchRegistration) {
        switch kind {
        case .single: remove(address: row.address)
        case .callID: remove(callID: row.callID)
        case .contact: remove { $0.address == row.address && $0.contact == row.contact }
        }
        insert(row)
    }

    /// An injected one replaces by user, or by Call-ID on every profile with several per user.
    mutating func inject(_ row: SwitchRegistration) {
        if kind == .single { remove(address: row.address) } else { remove(callID: row.callID) }
        insert(row)
    }

    mutating func takeChanges() -> [RegistrationChange] {
        defer { changes = [] }
        return changes
    }

    /// Rows of the file, oldest first; they keep their numbers.
    mutating func restore(_ stored: [(id: UInt64, row: SwitchRegistration)]) {
        for (id, row) in stored {
            last = id - 1
            insert(row)
        }
        changes = []
    }

    @discardableResult
    mutating func remove(address: String) -> [SwitchRegistration] { remove(byAddress[address] ?? []) }

    @discardableResult
    mutating func remove(callID: String) -> [SwitchRegistration] { remove(byCallID[callID] ?? []) }

    @discardableResult
    mutating func remove(where matches: (SwitchRegistration) -> Bool) -> [SwitchRegistration] {
        remove(rows.filter { matches($0.value) }.keys.sorted())
    }

    private mutating func remove(_ ids: [UInt64]) -> [SwitchRegistration] {
        ids.compactMap { id in
            guard let row = rows.removeValue(forKey: id) else { return nil }
            changes.append(.remove(id))
            byAddress[row.address]?.removeAll { $0 == id }
            if byAddress[row.address]?.isEmpty == true { byAddress[row.address] = nil }
            byCallID[row.callID]?.removeAll { $0 == id }
            if byCallID[row.callID]?.isEmpty == true { byCallID[row.callID] = nil }
            return row
        }
    }

    private mutating func insert(_ row: SwitchRegistration) {
        last += 1
        rows[last] = row
        changes.append(.put(last, row))
        byAddress[row.address, default: []].append(last)
        byCallID[row.callID, default: []].append(last)
    }
}

/// A change of a profile's registrations, rows by their numbers.
package enum RegistrationChange: Hashable, Sendable {
    case put(UInt64, SwitchRegistration)
    case remove(UInt64)
}

/// A `multicast::event` on its way into a registration table.
struct InjectedRegistration: Hashable, Sendable {
    var profile: String
    var change: Change

    enum Change: Hashable, Sendable {
        case put(SwitchRegistration)
        /// Single-registration profiles delete by user, others by Call-ID.
        case remove(address: String, callID: String)
    }
}
