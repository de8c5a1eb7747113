import Cluster
import Primitives
import Replication
import Switch

// The newest registration wins on every address: a phone that moved from one master to another, as DNS and drains make it do, is not
// called at its old contact until that ends by itself; and a phone that logs out anywhere is out everywhere. Where a user may have
// several registrations, this holds for what is the same one to the switch: the same Call-ID, or the same contact.
//
// The holder of an address writes its registrations, and takes out what another holder retires. An address nobody holds has no
// writer: there the word itself counts, on every node, for as long as the registration would have lasted.

extension RegistrationSharing {
    private static let seenLimit = 10_000

    /// A phone of this machine's switch has registered just now: what it has elsewhere is older.
    func supersede(_ registration: Registration) {
        for older in others(like: RegistrationName(registration)) { retire(older) }
    }

    /// A phone has logged out at this machine's switch, which has let it: it may have registered at another.
    func unregistered(_ name: RegistrationName) {
        for older in others(like: name) where mode != .single || name.isSamePhone(as: older) {
            retire(older)
        }
    }

    /// What is known at other addresses under the same key.
    private func others(like name: RegistrationName) -> [Registration] {
        let key = RegistrationKey(name, mode: mode)
        return replica.streams.compactMap { stream in
            guard case .address(let address) = stream, address != name.profile,
                let record = replica.record(.registration, key: key.bytes, in: stream),
                var older = try? record.registration()
            else { return nil }
            older.profile = address
            return older
        }
    }

    private func retire(_ older: Registration) {
        let now = Instant.now()
        let isFinal = unheld.contains(older.profile)
        let retired = RetiredRegistration(older, at: now, isFinal: isFinal)
        if books[older.profile] != nil { return takeOut(retired, at: now) }
        tell(retired, until: isFinal ? older.expires : now + RetiredRegistration.lifetime)
        if isFinal { takeOutUnheld(retired) }
    }

    private func tell(_ retired: RetiredRegistration, until end: Instant) {
        let record = retired.record(until: end, mode: mode)
        if record.fault == nil { replica.write(.node(me), [.put(record)]) }
    }

    /// Another node's word of an older registration.
    func superseded(_ retired: RetiredRegistration, end: Instant?, by node: String) {
        if seen.count >= Self.seenLimit { seen = [] }
        guard seen.insert(retired.number).inserted else { return }
        let now = Instant.now()
        if let book = books[retired.address]?.book {
            // Such a word is old when it is told again: the phone may have come back with the same contact.
            if retired.isFinal {
                guard let known = book.registration(RegistrationKey(retired.name, mode: mode)),
                    retired.names(known, end: end)
                else { return }
            }
            return takeOut(retired, at: now)
        }
        guard retired.isFinal, unheld.contains(retired.address), let end, now < end else { return }
        takeOutUnheld(retired)
        // One other node keeps the word, should this one begin anew and forget it.
        if !retired.isEcho, heard.first(where: { $0 != node }) == me {
            var echo = retired
            echo.isEcho = true
            tell(echo, until: end)
        }
    }

    /// From an address held here.
    func takeOut(_ retired: RetiredRegistration, at now: Instant) {
        let changes = books[retired.address]?.book.supersede(by: retired.name, at: now) ?? []
        guard !changes.isEmpty else { return }
        for change in changes { books[retired.address]?.corrected[change.key] = now }
        write(changes, to: retired.address)
        // By the queue, which outlasts a connection.
        _ = queue.offer(.absent(retired.name), mode: mode)
        tend()
    }

    /// From this switch's copy of an address nobody holds.
    private func takeOutUnheld(_ retired: RetiredRegistration) {
        let key = RegistrationKey(retired.name, mode: mode)
        let known = try? replica.record(
            .registration, key: key.bytes, in: .address(retired.address))?.registration()
        guard let known, RegistrationName(known).isSameRow(as: retired.name) else { return }
        if !queue.offer(.absent(retired.name), mode: mode) { unaudit(retired.address) }
        pump()
    }
}

// MARK: - Addresses nobody holds

extension RegistrationSharing {
    func noteHolders(_ survey: Survey) {
        let former = unheld
        heard = survey.heard
        unheld = Set(
            survey.placements.filter { $0.holder == nil && !$0.isHere }.map(\.address.name))
        for placement in survey.placements {
            guard let holder = placement.holder, holder.name != me else { continue }
            abandoned.remove(placement.address.name)
        }
        abandoned.formUnion(unheld)
        for name in unheld.subtracting(former).sorted() { settle(name) }
    }

    /// Its holder went before it could take out what it was told to.
    private func settle(_ name: String) {
        var waiting: [RetiredRegistration] = []
        replica.forEach(in: .node(me)) { record in
            guard let retired = RetiredRegistration(record), retired.address == name, !retired.isFinal else {
                return
            }
            waiting.append(retired)
        }
        for retired in waiting {
            let key = RegistrationKey(retired.name, mode: mode)
            guard
                var known = try? replica.record(.registration, key: key.bytes, in: .address(name))?
                    .registration()
            else { continue }
            known.profile = name
            if RegistrationName(known).isSameRow(as: retired.name) { retire(known) }
        }
    }

    /// Whether a registration counts no more that stands at an address nobody holds, or that came here from nobody and is not
    /// looked through yet.
    func isOut(_ registration: Registration, at address: String) -> Bool {
        guard abandoned.contains(address) || books[address]?.adoption?.wasUnheld == true else { return false }
        return isRetired(registration, at: address) || hasNewer(registration, than: address)
    }

    /// Whether a node's word retires it.
    func isRetired(_ registration: Registration, at address: String) -> Bool {
        var name = RegistrationName(registration)
        name.profile = address
        let key = RetiredRegistration.key(name, mode: mode)
        return replica.streams.contains { stream in
            guard case .node = stream,
                let record = replica.record(RetiredRegistration.kind, key: key, in: stream),
                let retired = RetiredRegistration(record)
            else { return false }
            return retired.names(registration, end: record.expires)
        }
    }

    /// While an address had no holder nobody could register there: what stands at one that has is newer.
    func hasNewer(_ registration: Registration, than address: String) -> Bool {
        let key = RegistrationKey(registration, mode: mode)
        return replica.streams.contains { stream in
            guard case .address(let name) = stream, name != address, !unheld.contains(name) else {
                return false
            }
            return replica.record(.registration, key: key.bytes, in: stream) != nil
        }
    }
}
