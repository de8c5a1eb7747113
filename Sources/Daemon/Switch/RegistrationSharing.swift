import Cluster
import EventSocket
import NIOCore
import Primitives
import Replication
import Switch

/// Registrations between the local switch and the replicas: out of it for the addresses held here, into it for all others.
final class RegistrationSharing {
    static let lateMargin: Duration = .seconds(60)
    let me: String
    let mode: RegistrationMode
    private let identity: RegistrationIdentity
    let link: SwitchLink
    let replica: ReplicaService
    let log: EventLog
    let loop: any EventLoop
    var queue: InjectionQueue
    /// Of the addresses held here.
    var books: [String: Book] = [:]
    /// What the switch is told of everything that others hold, as far as it is offered.
    var pass: Pass?
    /// A slice of what takes long is due soon.
    var isSlicing = false
    /// What was told of older registrations here, and is done.
    var seen: Set<UInt64> = []
    /// Addresses nobody holds.
    var unheld: Set<String> = []
    /// Those, and such as were given to this node since, but are not here yet.
    var abandoned: Set<String> = []
    /// Names of the nodes that are heard, sorted.
    var heard: [String] = []
    /// Listings asked for; each has its own number.
    var listings: UInt64 = 0
    /// What profiles have of their own from another time is held against what is known.
    var audits: [String: Audit] = [:]
    /// Profiles of which nothing of the kind is left.
    var audited: Set<String> = []
    /// Copies whose end a profile in standby would not see, in the order they are due.
    var endings = Endings()
    /// Profiles that run in the switch, or nil while they are not known.
    private(set) var profiles: Set<String>?
    /// A phone registered here; its domain.
    var registered: ((String) -> Void)?
    private var timer: (due: Instant, task: Scheduled<Void>)?
    private(set) var isUp = false
    private var wasUp = false
    private(set) var isStopped = false

    struct Book {
        var book: RegistrationBook
        var epoch: Epoch
        /// The number of the listing that is under way.
        var listing: UInt64?
        var nextListing: Instant
        /// While the replica's registrations are taken over.
        var adoption: Adoption?
        /// The book knows better than what the switch has from another time: others wrote it, or a listing.
        var isWitness: Bool
        /// Rows that were corrected a moment ago, and when.
        var corrected: [RegistrationKey: Instant] = [:]

        /// Whether a listing is wanted that may be asked for.
        var wantsListing: Bool { book.wantsListing && listing == nil && adoption == nil }
    }

    struct Adoption {
        var cursor: PageCursor?
        /// The switch was about to be told of them, as of others' registrations.
        var isInjected: Bool
        /// Nobody held the address before: who registered elsewhere meanwhile has left it.
        var wasUnheld: Bool
    }

    /// The switch is told of these streams, the first of them from the cursor on.
    struct Pass {
        var streams: [StreamID]
        var cursor: PageCursor?
    }

    init(
        me: String, mode: RegistrationMode, perSecond: Int, origin: RegistrationInjection.Origin,
        link: SwitchLink,
        replica: ReplicaService, log: EventLog
    ) {
        self.me = me
        self.mode = mode
        self.link = link
        self.replica = replica
        self.log = log
        loop = link.loop
        identity =
            switch mode {
            case .single: .user
            case .callID: .callID
            case .contact: .contact
            }
        var settings = InjectionQueue.Settings(origin: origin)
        settings.perSecond = perSecond
        settings.lateMargin = Self.lateMargin
        queue = InjectionQueue(settings: settings)
    }

    /// Of phones at the addresses held here.
    var count: Int { books.values.reduce(0) { $0 + $1.book.count } }

    /// Whether the switch was told everything that is known.
    var isIdle: Bool { isUp && queue.isIdle }
    var untold: Int { queue.backlog.waiting + queue.backlog.underWay }
    /// Of phones at one address held here.
    func count(at address: String) -> Int { books[address]?.book.count ?? 0 }
    func registrations(at address: String) -> [Registration] { books[address]?.book.registrations ?? [] }
    /// Whether that very registration is the one an address held here has.
    func isHere(_ registration: Registration, at address: String) -> Bool {
        guard let book = books[address]?.book else { return false }
        return book.registration(book.key(of: registration)) != nil
    }

    // MARK: - The cluster

    func surveyed(_ survey: Survey) {
        let now = Instant.now()
        noteHolders(survey)
        for placement in survey.placements {
            let name = placement.address.name
            let known = books[name]
            if !placement.isHere {
                if known != nil { unaudit(name) }
                books[name] = nil
            } else if known?.epoch != placement.epoch {
                var book =
                    known?.book
                    ?? RegistrationBook(
                        profile: name, settings: RegistrationBook.Settings(mode: mode))
                book.beginAdoption(at: now)
                let isInherited = replica.status(of: .address(name))?.isInherited == true
                if known == nil { unaudit(name) }
                books[name] = Book(
                    book: book, epoch: placement.epoch, listing: known?.listing, nextListing: now,
                    adoption: Adoption(
                        isInjected: pass?.streams.contains(.address(name)) == true,
                        wasUnheld: abandoned.remove(name) != nil),
                    isWitness: known?.isWitness ?? isInherited, corrected: known?.corrected ?? [:])
                sliceSoon()
            }
        }
        tend()
    }

    /// Another node's writes: into the switch with them.
    func changed(_ stream: StreamID, _ changes: Changes) {
        guard case .address(let name) = stream, books[name] == nil, isWanted(name) else { return }
        for change in changes {
            switch change {
            case .put(let record) where record.kind == .registration:
                guard let registration = try? record.registration(), !isOut(registration, at: name) else {
                    continue
                }
                _ = queue.offer(.present(registration), mode: mode)
            case .removed(.registration, let key):
                takeOut(key, of: name)
            case .expired(.registration, let key):
                if !endings.add(key, of: name, at: Instant.now()) { unaudit(name) }
            case .put, .removed, .expired: break
            }
        }
        if audited.contains(name) { pump() } else { tend() }
    }

    /// A registration of an address that is elsewhere is over.
    func takeOut(_ key: [UInt8], of name: String) {
        guard let parts = Record.registrationName(ofKey: key) else { return }
        let gone = RegistrationName(
            profile: name, user: parts.user, host: parts.host,
            contact: identity == .contact ? parts.discriminator : "",
            callID: identity == .callID ? parts.discriminator : "")
        if !queue.offer(.absent(gone), mode: mode) { unaudit(name) }
    }

    func isWanted(_ profile: String) -> Bool { profiles?.contains(profile) ?? true }

    // MARK: - The switch

    /// Another process than before keeps nothing of what it was told.
    func up(isRestarted: Bool, profiles: Set<String>) {
        isUp = true
        let now = Instant.now()
        for name in books.keys {
            // What waits takes rows out that a listing would still have.
            books[name]?.nextListing = queue.isIdle ? now : now + Self.tableLag
        }
        if isRestarted || !wasUp { for name in audited.union(audits.keys) { unaudit(name) } }
        wasUp = true
        self.profiles = profiles
        if isRestarted { queue.restarted() }
        tend()
    }

    func down() {
        isUp = false
        queue.disconnected()
        interruptAudits()
        for name in books.keys.sorted() where books[name]?.listing != nil {
            books[name]?.listing = nil
            books[name]?.book.failListing()
        }
    }

    /// A profile began: what it should know has to be told again.
    func profilesChanged(_ profiles: Set<String>) {
        let more = profiles.subtracting(self.profiles ?? [])
        self.profiles = profiles
        for name in more { unaudit(name) }
        if !more.isEmpty { queue.restarted() }
        tend()
    }

    func handle(_ event: SwitchEvent) {
        guard let profile = event["profile-name"], books[profile] != nil else { return }
        do throws(SwitchFailure) {
            let now = Instant.now()
            let told = try RegistrationEvent(event, at: now)
            let changes = told.flatMap { books[profile]?.book.handle($0, at: now) } ?? []
            // Of before the address came here: the switch knows better by now.
            for change in changes { queue.withdraw(change.key, of: profile) }
            write(changes, to: profile)
            keep(changes, at: profile)
            for case .put(_, let registration, _) in changes {
                registered?(registration.host)
                supersede(registration)
            }
            if case .unregistered(let name)? = told { unregistered(name) }
        } catch {
            log.warning("registration", profile, "an event cannot be used: \(error)")
        }
        tend()
    }

    func write(_ changes: [RegistrationBook.Change], to profile: String) {
        if changes.isEmpty { return }
        var writes: [Write] = []
        for change in changes {
            switch change {
            case .put(_, let registration, _):
                do throws(RecordFailure) {
                    writes.append(.put(try Record(registration, identity: identity)))
                } catch {
                    log.warning(
                        "registration", "\(registration.user)@\(registration.host)",
                        "is not replicated: \(error)")
                }
            case .removed(_, let registration, _):
                writes.append(.remove(.registration, key: key(of: registration)))
            }
        }
        replica.write(.address(profile), writes)
    }

    private func key(of registration: Registration) -> [UInt8] {
        let discriminator =
            switch identity {
            case .user: ""
            case .contact: registration.contact
            case .callID: registration.callID
            }
        return Record.key(user: registration.user, host: registration.host, discriminator: discriminator)
    }

    // MARK: - What is due

    func tend() {
        let now = Instant.now()
        for profile in books.keys.sorted() {
            write(books[profile]?.book.sweep(at: now) ?? [], to: profile)
            if mayList(profile), let held = books[profile], now >= held.nextListing { list(profile) }
        }
        tendAudits(at: now)
        takeOutEnded(at: now)
        if isUp, queue.wantsEverything { beginPass() }
        pump()
        wake()
    }

    func pump() {
        guard isUp else { return }
        for injection in queue.next(at: Instant.now()) {
            for (place, event) in injection.events.enumerated() {
                let isLast = place == injection.events.count - 1
                link.command(.sendevent(event)) { [weak self] reply in
                    guard isLast, let self else { return }
                    switch reply {
                    case .success(let reply):
                        queue.finished(injection.ticket, refusal: reply.isError ? reply.text : nil)
                    // Told by `down` for all at once, or it could not be sent at all.
                    case .failure(.disconnected), .failure(.notReady): return
                    case .failure(let failure): queue.finished(injection.ticket, refusal: "\(failure)")
                    }
                    if queue.wantsEverything { tend() } else { pump() }
                    if pass != nil, queue.hasRoomForPass { sliceSoon() }
                }
            }
        }
        wake()
    }

    private func wake() {
        var due = books.values.compactMap(\.book.nextDeadline).min()
        for (profile, held) in books where mayList(profile) {
            due = min(due ?? held.nextListing, held.nextListing)
        }
        for next in [auditDeadline, endings.nextDeadline] {
            if let next { due = min(due ?? next, next) }
        }
        if isUp, let slot = queue.nextDeadline { due = min(due ?? slot, slot) }
        guard let due else { return }
        if let timer, timer.due <= due { return }
        timer?.task.cancel()
        let wait = max(.milliseconds(1), due - Instant.now())
        let task = loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [weak self] in
            self?.timer = nil
            self?.tend()
        }
        timer = (due, task)
    }

    func stop() {
        timer?.task.cancel()
        isStopped = true
    }
}
