@preconcurrency import Glibc
import Primitives

/// Decides which addresses to add, refresh, announce and remove, from requests, outcomes and the time alone.
///
/// Whatever the event, holds that ended are let go of first: after a pause, no queued renewal is looked at
/// before that.
///
///     hold ─▶ adding ──added──▶ held ──asked, expired, peer gone──▶ removing ──removed──▶ (gone)
///               ▲   │            │ ▲                                  ▲
///               └───┼──lost──────┘ └──renewed, refreshed, announced   │
///                   └──asked, expired, peer gone──────────────────────┘
package struct Holdings: Equatable, Sendable {
    /// What happened. Each `add`, `remove` and `announce` is answered by exactly one outcome.
    package enum Event: Equatable, Sendable {
        /// `present` are the managed addresses found on the machine.
        case configured(managed: [KeeperAddress], present: [KeeperAddress], armed: KeeperArms)
        case requested(KeeperRequest)
        case deadlineReached
        /// `isNew` is false when the address was on the machine already.
        case added(KeeperAddress, isNew: Bool)
        case addFailed(KeeperAddress, errno: Int32, text: String)
        case announced(KeeperAddress)
        case announceFailed(KeeperAddress)
        case removed(KeeperAddress)
        case removeFailed(KeeperAddress, errno: Int32, text: String)
        /// The kernel says the address was deleted, perhaps by an older request of our own.
        case vanished(KeeperAddress)
        /// A link came back: neighbours may have forgotten us.
        case linkReturned
        /// Another machine says that it has the address.
        case contested(KeeperAddress, hardware: UInt64)
        case peerClosed
        case terminated
    }

    package enum Action: Equatable, Sendable {
        case add(KeeperAddress)
        case refresh(KeeperAddress)
        case remove(KeeperAddress)
        case announce(KeeperAddress)
        case report(KeeperReport)
        /// End the process with this exit code.
        case stop(Int32)
    }

    /// Nanoseconds between renewals of the kernel lifetime (1 s): four may fail before the address goes.
    package static let refreshInterval: Int64 = 200_000_000
    /// Nanoseconds after adding at which the neighbours are told again: the first packets may be lost while a
    /// switch learns the port.
    package static let announcements: [Int64] = [100_000_000, 500_000_000, 2_000_000_000, 5_000_000_000]
    /// Adding and removing are tried again each `eagerRetry` for `eagerTime`, then each `patientRetry`.
    package static let eagerRetry: Int64 = 1_000_000
    package static let eagerTime: Int64 = 50_000_000
    package static let patientRetry: Int64 = 20_000_000
    /// At the end, removals are tried for this long; then the kernel lifetime has done it.
    package static let farewell: Int64 = 3_000_000_000

    private(set) var managed: [KeeperAddress] = []
    /// Sorted by address.
    private(set) var entries: [Holding] = []
    private var armed: KeeperArms = []
    private var readyIsDue = false
    private var ending: Ending?

    private enum Ending: Equatable, Sendable {
        case removing(by: Instant)
        case stopped
    }

    package init() {}

    /// How many addresses are, or may be, on the machine.
    package var count: Int { entries.count }

    /// Until when the address may be held; nil when it is not wanted.
    package func end(of address: KeeperAddress) -> Instant? {
        guard let index = index(of: address) else { return nil }
        if case .removing = entries[index].phase { return nil }
        return entries[index].until
    }

    /// When the address must be gone from the machine, also while it is being removed; nil when it is not there.
    package func deadline(of address: KeeperAddress) -> Instant? {
        index(of: address).map { entries[$0].until }
    }

    /// When `deadlineReached` is due; nil when nothing waits for time.
    package var nextDeadline: Instant? {
        var earliest: Instant?
        for entry in entries {
            guard let deadline = entry.nextDeadline else { continue }
            earliest = min(earliest ?? deadline, deadline)
        }
        if case .removing(let by)? = ending { earliest = min(earliest ?? by, by) }
        return earliest
    }

    package mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        var actions: [Action] = []
        letGoOfEndedHolds(at: now, &actions)
        switch event {
        case .configured(let managed, let present, let armed):
            configure(managed, present, armed, at: now, &actions)
        case .requested(let request):
            answer(request, at: now, &actions)
        case .deadlineReached:
            doWhatIsDue(at: now, &actions)
        case .added, .addFailed, .announced, .announceFailed, .removed, .removeFailed:
            note(event, at: now, &actions)
        case .vanished(let address):
            if let index = index(of: address), entries[index].isHeld { actions.append(.add(address)) }
        case .linkReturned:
            for index in entries.indices where entries[index].isHeld { announce(index, at: now, &actions) }
        case .contested(let address, let hardware):
            if let index = index(of: address), entries[index].isHeld {
                let token = entries[index].token
                actions.append(.report(.contested(address, token: token, hardware: hardware)))
            }
        case .peerClosed:
            end(.peerGone, at: now, &actions)
        case .terminated:
            end(.asked, at: now, &actions)
        }
        settle(at: now, &actions)
        return actions
    }

    private func index(of address: KeeperAddress) -> Int? {
        entries.firstIndex { $0.address == address }
    }

    private mutating func letGo(
        _ index: Int, _ cause: ReleaseCause, at now: Instant, _ actions: inout [Action]
    ) {
        if case .removing = entries[index].phase { return }
        entries[index].phase = .removing(cause, since: now, retryAt: nil)
        actions.append(.remove(entries[index].address))
    }

    private mutating func letGoOfEndedHolds(at now: Instant, _ actions: inout [Action]) {
        for index in entries.indices where entries[index].until <= now {
            letGo(index, .expired, at: now, &actions)
        }
    }

    private mutating func end(_ cause: ReleaseCause, at now: Instant, _ actions: inout [Action]) {
        guard ending == nil else { return }
        ending = .removing(by: now + .nanoseconds(Self.farewell))
        for index in entries.indices { letGo(index, cause, at: now, &actions) }
    }

    /// Says `ready` once nothing is left over, and stops once everything is gone.
    private mutating func settle(at now: Instant, _ actions: inout [Action]) {
        if case .removing(let by)? = ending, entries.isEmpty || by <= now {
            ending = .stopped
            actions.append(.stop(entries.isEmpty ? 0 : 1))
        }
        guard readyIsDue, ending == nil, !entries.contains(where: \.isBeingRemoved) else { return }
        readyIsDue = false
        let holding = UInt16(clamping: entries.count)
        actions.append(.report(.ready(holding: holding, armed: armed, version: HoldCodec.version)))
    }
}

// MARK: - Requests

extension Holdings {
    private mutating func configure(
        _ managed: [KeeperAddress], _ present: [KeeperAddress], _ armed: KeeperArms, at now: Instant,
        _ actions: inout [Action]
    ) {
        guard ending == nil else { return }
        self.managed = managed
        self.armed = armed
        readyIsDue = true
        for index in entries.indices where !managed.contains(entries[index].address) {
            letGo(index, .asked, at: now, &actions)
        }
        for address in present.sorted() where managed.contains(address) && index(of: address) == nil {
            insert(
                Holding(
                    address: address, token: 0, until: now, phase: .removing(nil, since: now, retryAt: nil)))
            actions.append(.remove(address))
        }
    }

    private mutating func insert(_ entry: Holding) {
        let position = entries.firstIndex { entry.address < $0.address } ?? entries.endIndex
        entries.insert(entry, at: position)
    }

    private mutating func answer(_ request: KeeperRequest, at now: Instant, _ actions: inout [Action]) {
        switch request {
        case .configure:
            preconditionFailure("parts of a configuration are put together before they reach the holdings")
        case .hold(let address, let until, let token):
            if let refusal = hold(address, until, token, at: now, &actions) {
                let (code, text) = refusal
                actions.append(.report(.failed(address, token: token, errno: code, text: text)))
            }
        case .release(let address, let token):
            guard let index = index(of: address) else {
                actions.append(.report(.released(address, token: token, at: now, cause: .asked)))
                return
            }
            entries[index].token = token
            if case .removing(nil, let since, let retryAt) = entries[index].phase {
                entries[index].phase = .removing(.asked, since: since, retryAt: retryAt)
            }
            letGo(index, .asked, at: now, &actions)
        case .announce(let address):
            if let index = index(of: address), entries[index].isHeld { announce(index, at: now, &actions) }
        }
    }

    /// The reason when the hold is refused.
    private mutating func hold(
        _ address: KeeperAddress, _ until: Instant, _ token: UInt64, at now: Instant,
        _ actions: inout [Action]
    ) -> (Int32, String)? {
        guard ending == nil else { return (ECANCELED, "the keeper is ending") }
        guard managed.contains(address) else { return (EPERM, "\(address) is not a managed address") }
        guard until <= now + .nanoseconds(KeeperLimits.longestHold) else {
            return (EINVAL, "the hold would last longer than 60 s")
        }
        guard let index = index(of: address) else {
            guard until > now else { return (ETIMEDOUT, "the hold ended before it was read") }
            insert(
                Holding(
                    address: address, token: token, until: until, phase: .adding(since: now, retryAt: nil)))
            actions.append(.add(address))
            return nil
        }
        if entries[index].isBeingRemoved { return (EBUSY, "the address is still being removed") }
        let isNewQuestion = entries[index].token != token
        entries[index].until = until
        entries[index].token = token
        guard until > now else {
            letGo(index, .expired, at: now, &actions)
            return nil
        }
        if isNewQuestion { entries[index].reportedErrno = nil }
        if case .held(let held) = entries[index].phase, isNewQuestion, !held.reportIsDue {
            let report = KeeperReport.held(
                address, token: token, at: held.addedAt, announcedAt: held.announcedAt)
            actions.append(.report(report))
        }
        return nil
    }
}

// MARK: - Outcomes and duties

extension Holdings {
    private mutating func announce(_ index: Int, at now: Instant, _ actions: inout [Action]) {
        guard case .held(var held) = entries[index].phase else { return }
        held.announcedFrom = now
        held.repeats = 0
        entries[index].phase = .held(held)
        actions.append(.announce(entries[index].address))
    }

    private mutating func note(_ outcome: Event, at now: Instant, _ actions: inout [Action]) {
        switch outcome {
        case .added(let address, let isNew):
            noteAdded(address, isNew: isNew, at: now, &actions)
        case .addFailed(let address, let code, let text):
            noteAddFailed(address, code, text, at: now, &actions)
        case .announced(let address):
            noteAnnounced(address, announcedAt: now, &actions)
        case .announceFailed(let address):
            noteAnnounced(address, announcedAt: nil, &actions)
        case .removed(let address):
            guard let index = index(of: address) else { return }
            guard case .removing(let cause, _, _) = entries[index].phase else { return }
            let token = entries.remove(at: index).token
            guard let cause else { return }
            actions.append(.report(.released(address, token: token, at: now, cause: cause)))
        case .removeFailed(let address, let code, let text):
            guard let index = index(of: address) else { return }
            guard case .removing(let cause, let since, _) = entries[index].phase else { return }
            entries[index].phase = .removing(cause, since: since, retryAt: Self.retry(since: since, at: now))
            reportFailure(index, code, text, &actions)
        case .configured, .requested, .deadlineReached, .vanished, .linkReturned, .contested, .peerClosed,
            .terminated:
            preconditionFailure("\(outcome) is not an outcome")
        }
    }

    private mutating func noteAdded(
        _ address: KeeperAddress, isNew: Bool, at now: Instant, _ actions: inout [Action]
    ) {
        guard let index = index(of: address) else { return }
        switch entries[index].phase {
        case .removing:
            return
        case .held(var held) where !isNew:
            held.refreshedAt = now
            entries[index].phase = .held(held)
        case .held, .adding:
            entries[index].reportedErrno = nil
            entries[index].phase = .held(Holding.Held(addedAt: now))
            actions.append(.announce(address))
        }
    }

    private mutating func noteAddFailed(
        _ address: KeeperAddress, _ code: Int32, _ text: String, at now: Instant,
        _ actions: inout [Action]
    ) {
        guard let index = index(of: address) else { return }
        switch entries[index].phase {
        case .removing:
            return
        case .held:
            let report = KeeperReport.released(address, token: entries[index].token, at: now, cause: .lost)
            actions.append(.report(report))
            entries[index].phase = .adding(since: now, retryAt: Self.retry(since: now, at: now))
        case .adding(let since, _):
            entries[index].phase = .adding(since: since, retryAt: Self.retry(since: since, at: now))
        }
        reportFailure(index, code, text, &actions)
    }

    /// A failure that repeats is told once.
    private mutating func reportFailure(
        _ index: Int, _ code: Int32, _ text: String, _ actions: inout [Action]
    ) {
        guard entries[index].reportedErrno != code else { return }
        entries[index].reportedErrno = code
        let entry = entries[index]
        actions.append(.report(.failed(entry.address, token: entry.token, errno: code, text: text)))
    }

    private mutating func noteAnnounced(
        _ address: KeeperAddress, announcedAt: Instant?, _ actions: inout [Action]
    ) {
        guard let index = index(of: address), case .held(var held) = entries[index].phase else { return }
        if let announcedAt, held.announcedAt == nil { held.announcedAt = announcedAt }
        if held.reportIsDue {
            held.reportIsDue = false
            let report = KeeperReport.held(
                address, token: entries[index].token, at: held.addedAt, announcedAt: held.announcedAt)
            actions.append(.report(report))
        }
        entries[index].phase = .held(held)
    }

    private mutating func doWhatIsDue(at now: Instant, _ actions: inout [Action]) {
        for index in entries.indices {
            let address = entries[index].address
            switch entries[index].phase {
            case .adding(let since, let retryAt?) where retryAt <= now:
                entries[index].phase = .adding(since: since, retryAt: nil)
                actions.append(.add(address))
            case .removing(let cause, let since, let retryAt?) where retryAt <= now:
                entries[index].phase = .removing(cause, since: since, retryAt: nil)
                actions.append(.remove(address))
            case .held(var held):
                if held.refreshAt <= now {
                    held.refreshedAt = now
                    actions.append(.refresh(address))
                }
                if let announceAt = held.announceAt, announceAt <= now {
                    held.skipRepeats(until: now)
                    actions.append(.announce(address))
                }
                entries[index].phase = .held(held)
            case .adding, .removing:
                break
            }
        }
    }

    private static func retry(since: Instant, at now: Instant) -> Instant {
        let isEager = now < since + .nanoseconds(eagerTime)
        return now + .nanoseconds(isEager ? eagerRetry : patientRetry)
    }
}
