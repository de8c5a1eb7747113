import Primitives
import Replication

// The newest registration wins on every address: a phone that moved from one master to another, as DNS and drains make it do, is not
// called at its old contact until that ends by itself; and a phone that logs out anywhere is out everywhere. Where a user may have
// several registrations, this holds for what is the same one to the switch: the same Call-ID, or the same contact.
//
// The holder of an address writes its registrations, and takes out what another holder retires. An address nobody holds has no
// writer: there the word itself counts, on every node, for as long as the registration would have lasted.

extension RegistrationSync {
    private static let seenLimit = 10_000

    /// A phone of this machine's switch has registered just now: what it has elsewhere is older.
    mutating func supersede(_ registration: Registration, _ turn: inout Turn) {
        for older in others(like: RegistrationName(registration), turn) { retire(older, &turn) }
    }

    /// A phone has logged out at this machine's switch, which has let it: it may have registered at another.
    mutating func unregistered(_ name: RegistrationName, _ turn: inout Turn) {
        for older in others(like: name, turn) where mode != .single || name.isSamePhone(as: older) {
            retire(older, &turn)
        }
    }

    /// What is known at other addresses under the same key.
    private func others(like name: RegistrationName, _ turn: Turn) -> [Registration] {
        let key = RegistrationKey(name, mode: mode)
        return turn.view.streams.compactMap { stream in
            guard case .address(let address) = stream, address != name.profile,
                var older = turn.registration(key.bytes, at: address)
            else { return nil }
            older.profile = address
            return older
        }
    }

    mutating func retirement(
        of registration: Registration, isFinal: Bool, at now: Instant
    ) -> Retirement {
        Retirement(registration, number: numbers.next(), at: now, isFinal: isFinal)
    }

    private mutating func retire(_ older: Registration, _ turn: inout Turn) {
        let isFinal = unheld.contains(older.profile)
        let word = retirement(of: older, isFinal: isFinal, at: turn.now)
        if books[older.profile] != nil { return takeOut(word, &turn) }
        turn.effects.append(
            .retire(word, until: isFinal ? older.expires : turn.now + Retirement.lifetime))
        if isFinal { takeOutUnheld(word, &turn) }
    }

    /// Another node's word of an older registration.
    mutating func retired(
        _ word: Retirement, end: Instant?, by node: String, _ turn: inout Turn
    ) {
        if seen.count >= Self.seenLimit { seen = [] }
        guard seen.insert(word.number).inserted else { return }
        if let book = books[word.address]?.book {
            // Such a word is old when it is told again: the phone may have come back with the same contact.
            if word.isFinal {
                guard let known = book.registration(RegistrationKey(word.name, mode: mode)),
                    word.names(known, end: end)
                else { return }
            }
            return takeOut(word, &turn)
        }
        guard word.isFinal, unheld.contains(word.address), let end, turn.now < end else { return }
        takeOutUnheld(word, &turn)
        // One other node keeps the word, should this one begin anew and forget it.
        if !word.isEcho, heard.first(where: { $0 != node }) == settings.node {
            var echo = word
            echo.isEcho = true
            turn.effects.append(.retire(echo, until: end))
        }
    }

    /// From an address held here.
    mutating func takeOut(_ word: Retirement, _ turn: inout Turn) {
        let changes = books[word.address]?.book.supersede(by: word.name, at: turn.now) ?? []
        guard !changes.isEmpty else { return }
        for change in changes { books[word.address]?.corrected[change.key] = turn.now }
        write(changes, to: word.address, &turn)
        // By the queue, which outlasts a connection.
        _ = queue.offer(.absent(word.name), mode: mode)
        tend(&turn)
    }

    /// From this switch's copy of an address nobody holds.
    private mutating func takeOutUnheld(_ word: Retirement, _ turn: inout Turn) {
        let key = RegistrationKey(word.name, mode: mode)
        guard let known = turn.registration(key.bytes, at: word.address),
            RegistrationName(known).isSameRow(as: word.name)
        else { return }
        if !queue.offer(.absent(word.name), mode: mode) { unaudit(word.address) }
        pump(&turn)
    }
}

// MARK: - Addresses nobody holds

extension RegistrationSync {
    mutating func noteHolders(_ snapshot: PlacementSnapshot, _ turn: inout Turn) {
        let former = unheld
        heard = snapshot.heard
        unheld = Set(snapshot.placements.filter { $0.holder == nil && !$0.isHere }.map(\.name))
        for placement in snapshot.placements {
            guard let holder = placement.holder, holder != settings.node else { continue }
            abandoned.remove(placement.name)
        }
        abandoned.formUnion(unheld)
        for name in unheld.subtracting(former).sorted() { settle(name, &turn) }
    }

    /// Its holder went before it could take out what it was told to.
    private mutating func settle(_ name: String, _ turn: inout Turn) {
        for word in turn.view.ownRetirements where word.address == name && !word.isFinal {
            let key = RegistrationKey(word.name, mode: mode)
            guard var known = turn.registration(key.bytes, at: name) else { continue }
            known.profile = name
            if RegistrationName(known).isSameRow(as: word.name) { retire(known, &turn) }
        }
    }

    /// Whether a registration counts no more that stands at an address nobody holds, or that came here from nobody and is not
    /// looked through yet.
    package func isOut(
        _ registration: Registration, at address: String, seeing view: any RegistrationSyncView
    ) -> Bool {
        guard abandoned.contains(address) || books[address]?.adoption?.wasUnheld == true else { return false }
        return isRetired(registration, at: address, seeing: view)
            || hasNewer(registration, than: address, seeing: view)
    }

    /// Whether a node's word retires it.
    func isRetired(
        _ registration: Registration, at address: String, seeing view: any RegistrationSyncView
    ) -> Bool {
        var name = RegistrationName(registration)
        name.profile = address
        let key = Retirement.key(name, mode: mode)
        return view.streams.contains { stream in
            guard case .node = stream, let (word, end) = view.retirement(key, in: stream) else {
                return false
            }
            return word.names(registration, end: end)
        }
    }

    /// While an address had no holder nobody could register there: what stands at one that has is newer.
    func hasNewer(
        _ registration: Registration, than address: String, seeing view: any RegistrationSyncView
    ) -> Bool {
        let key = RegistrationKey(registration, mode: mode)
        return view.streams.contains { stream in
            guard case .address(let name) = stream, name != address, !unheld.contains(name) else {
                return false
            }
            return view.record(.registration, key: key.bytes, in: stream) != nil
        }
    }
}
