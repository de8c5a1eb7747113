/// One registration of a profile, its own or injected (sofia_reg.c: table sip_registrations).
struct SwitchRegistration: Hashable, Sendable {
    var user: String
    var host: String
    /// The whole name-addr: `"" <sip:1001@192.0.2.7>`.
    var contact: String
    var callID: String
    /// `Registered(UDP)`; injected ones are `Registered`.
    var status: String
    var rpid = "unknown"
    /// Seconds since 1970, with the late margin for the switch's own.
    var expires: Int64
    /// As the phone was promised.
    var nominal: Int64
    var networkIP: String
    var networkPort: String
    var username: String
    var realm: String
    var userAgent: String
    var mwiAccount: String
    /// Made here and not injected: listed by `show registrations`.
    var isLocal: Bool

    var address: String { "\(user)@\(host)" }

    /// The URI inside the contact's angle brackets.
    var uri: String {
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
        byAddress[row.address, default: []].append(last)
        byCallID[row.callID, default: []].append(last)
    }
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
