import EventSocket
import Primitives
import Replication

/// What decides about registrations may look at on its machine, and cannot change.
package protocol RegistrationSyncView {
    /// All streams that are known.
    var streams: [StreamID] { get }
    func status(of stream: StreamID) -> StreamStatus?
    func record(_ kind: RecordKind, key: [UInt8], in stream: StreamID) -> Record?
    /// Some records of a stream, as `Replica.page`.
    func page(
        of stream: StreamID, after cursor: PageCursor?, limit: Int
    ) -> (records: [Record], next: PageCursor?)
    /// What a node says of registrations that count no more, by the key of the word, and until when it says so.
    func retirement(_ key: [UInt8], in stream: StreamID) -> (word: Retirement, end: Instant?)?
    /// All that this node says of that kind.
    var ownRetirements: [Retirement] { get }
}

/// Registrations between the switch of this machine and the replicas: out of it for the addresses held here, into it for all others.
package struct RegistrationSync: Sendable {
    package struct Settings: Sendable {
        /// Name of this node.
        package var node: String
        package var mode: RegistrationMode
        package var queue: InjectionQueue.Settings
        /// Of the numbers that words of older registrations have.
        package var seed: UInt64

        package init(node: String, mode: RegistrationMode, queue: InjectionQueue.Settings, seed: UInt64) {
            self.node = node
            self.mode = mode
            self.queue = queue
            self.seed = seed
        }
    }

    package enum Input: Sendable {
        case cluster(PlacementSnapshot)
        /// Another node's writes to the stream of an address.
        case changed(address: String, Changes)
        /// The copy of a stream is as its writer's.
        case synced
        /// Another node's word of an older registration, which counts until then.
        case retired(Retirement, end: Instant?, by: String)
        /// Commands may be given; another process than before keeps nothing of what it was told.
        case up(isRestarted: Bool, profiles: Set<String>)
        case down
        /// These run in the switch now.
        case profiles(Set<String>)
        case event(SwitchEvent)
        /// The switch has taken an injection, or why it has not.
        case injected(ticket: UInt64, refusal: String?)
        /// What was asked for by `.list`; nil when there is none.
        case listed(UInt64, ListedRegistrations?)
        /// A moment has passed since `.slice`.
        case slice
        case tick
    }

    package enum Effect: Sendable {
        /// The events of one registration for the switch; answered by `.injected`, unless the connection ends or is not there.
        case inject(InjectionQueue.Injection)
        /// The profile's registrations, read as `ListedRegistrations` of the mode; answered by `.listed`.
        case list(UInt64, profile: String)
        /// Go on soon with what takes long; answered by `.slice`.
        case slice
        /// To the stream of the address.
        case write(address: String, [Write])
        /// A word for the other nodes, which lasts until then.
        case retire(Retirement, until: Instant)
        /// A phone registered here; its domain.
        case registered(host: String)
        case notice(subject: String, String)
        case warning(subject: String, String)
    }

    struct Book {
        var book: RegistrationBook
        var epoch: Epoch
        /// The number of the listing that is under way.
        var listing: UInt64?
        /// When it was asked for.
        var listingAsked = Instant.zero
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

    /// One call of `handle`.
    struct Turn {
        let view: any RegistrationSyncView
        let now: Instant
        var effects: [Effect] = []

        func registration(_ key: [UInt8], at address: String) -> Registration? {
            try? view.record(.registration, key: key, in: .address(address))?.registration()
        }
    }

    let settings: Settings
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
    var endings = RegistrationEndings()
    /// Profiles that run in the switch, or nil while they are not known.
    var profiles: Set<String>?
    var isUp = false
    private var wasUp = false
    var numbers: SeededGenerator

    package init(settings: Settings) {
        self.settings = settings
        queue = InjectionQueue(settings: settings.queue)
        numbers = SeededGenerator(seed: settings.seed)
    }

    var mode: RegistrationMode { settings.mode }

    // MARK: - Reading

    /// Of phones at the addresses held here.
    package var count: Int { books.values.reduce(0) { $0 + $1.book.count } }
    /// Whether the switch was told everything that is known.
    package var isIdle: Bool { isUp && queue.isIdle }
    package var untold: Int { queue.backlog.waiting + queue.backlog.underWay }
    /// Of phones at one address held here.
    package func count(at address: String) -> Int { books[address]?.book.count ?? 0 }
    package func registrations(at address: String) -> [Registration] {
        books[address]?.book.registrations ?? []
    }
    /// Whether that very registration is the one an address held here has.
    package func isHere(_ registration: Registration, at address: String) -> Bool {
        guard let book = books[address]?.book else { return false }
        return book.registration(book.key(of: registration)) != nil
    }

    /// When to give `.tick`.
    package var nextDeadline: Instant? {
        var dues = books.values.compactMap(\.book.nextDeadline)
        for (profile, held) in books where mayList(profile) { dues.append(held.nextListing) }
        dues += [auditDeadline, endings.nextDeadline, isUp ? queue.nextDeadline : nil].compactMap { $0 }
        return dues.min()
    }

    // MARK: - Deciding

    package mutating func handle(
        _ input: Input, seeing view: any RegistrationSyncView, at now: Instant
    ) -> [Effect] {
        var turn = Turn(view: view, now: now)
        switch input {
        case .cluster(let snapshot): take(snapshot, &turn)
        case .changed(let address, let changes): changed(address, changes, &turn)
        case .synced, .tick: tend(&turn)
        case .retired(let word, let end, let node): retired(word, end: end, by: node, &turn)
        case .up(let isRestarted, let profiles): up(isRestarted, profiles, &turn)
        case .down: down(at: now)
        case .profiles(let profiles): profilesChanged(profiles, &turn)
        case .event(let event): take(event, &turn)
        case .injected(let ticket, let refusal): injected(ticket, refusal, &turn)
        case .listed(let number, let listing): listed(number, listing, &turn)
        case .slice:
            isSlicing = false
            if slice(&turn) { sliceSoon(&turn) }
        }
        return turn.effects
    }

    // MARK: - The cluster

    private mutating func take(_ snapshot: PlacementSnapshot, _ turn: inout Turn) {
        noteHolders(snapshot, &turn)
        for placement in snapshot.placements {
            let name = placement.name
            let known = books[name]
            if !placement.isHere {
                if known != nil { unaudit(name) }
                books[name] = nil
            } else if known?.epoch != placement.epoch {
                var book =
                    known?.book
                    ?? RegistrationBook(profile: name, settings: RegistrationBook.Settings(mode: mode))
                book.beginAdoption(at: turn.now)
                let isInherited = turn.view.status(of: .address(name))?.isInherited == true
                if known == nil { unaudit(name) }
                books[name] = Book(
                    book: book, epoch: placement.epoch, listing: known?.listing,
                    listingAsked: known?.listingAsked ?? .zero, nextListing: turn.now,
                    adoption: Adoption(
                        isInjected: pass?.streams.contains(.address(name)) == true,
                        wasUnheld: abandoned.remove(name) != nil),
                    isWitness: known?.isWitness ?? isInherited, corrected: known?.corrected ?? [:])
                sliceSoon(&turn)
            }
        }
        tend(&turn)
    }

    /// Another node's writes: into the switch with them.
    private mutating func changed(_ name: String, _ changes: Changes, _ turn: inout Turn) {
        guard books[name] == nil, isWanted(name) else { return }
        for change in changes {
            switch change {
            case .put(let record) where record.kind == .registration:
                guard let registration = try? record.registration(),
                    !isOut(registration, at: name, seeing: turn.view)
                else { continue }
                _ = queue.offer(.present(registration), mode: mode)
            case .removed(.registration, let key):
                takeOut(key, of: name)
            case .expired(.registration, let key):
                if !endings.add(key, of: name, at: turn.now) { unaudit(name) }
            case .put, .removed, .expired: break
            }
        }
        if audited.contains(name) { pump(&turn) } else { tend(&turn) }
    }

    /// A registration of an address that is elsewhere is over.
    mutating func takeOut(_ key: [UInt8], of name: String) {
        guard let parts = Record.registrationName(ofKey: key) else { return }
        let gone = RegistrationName(
            profile: name, user: parts.user, host: parts.host,
            contact: mode == .contact ? parts.discriminator : "",
            callID: mode == .callID ? parts.discriminator : "")
        if !queue.offer(.absent(gone), mode: mode) { unaudit(name) }
    }

    func isWanted(_ profile: String) -> Bool { profiles?.contains(profile) ?? true }

    // MARK: - The switch

    private mutating func up(_ isRestarted: Bool, _ profiles: Set<String>, _ turn: inout Turn) {
        isUp = true
        for name in books.keys {
            // What waits takes rows out that a listing would still have.
            books[name]?.nextListing = queue.isIdle ? turn.now : turn.now + Self.tableLag
        }
        if isRestarted || !wasUp { for name in audited.union(audits.keys) { unaudit(name) } }
        wasUp = true
        self.profiles = profiles
        if isRestarted { queue.restarted() }
        tend(&turn)
    }

    private mutating func down(at now: Instant) {
        isUp = false
        queue.disconnected()
        interruptAudits(at: now)
        for name in books.keys.sorted() where books[name]?.listing != nil {
            books[name]?.listing = nil
            books[name]?.book.failListing()
        }
    }

    /// A profile began: what it should know has to be told again.
    private mutating func profilesChanged(_ profiles: Set<String>, _ turn: inout Turn) {
        let more = profiles.subtracting(self.profiles ?? [])
        self.profiles = profiles
        for name in more { unaudit(name) }
        if !more.isEmpty { queue.restarted() }
        tend(&turn)
    }

    private mutating func take(_ event: SwitchEvent, _ turn: inout Turn) {
        guard let profile = event["profile-name"], books[profile] != nil else { return }
        do throws(SwitchFailure) {
            let told = try RegistrationEvent(event, at: turn.now)
            let changes = told.flatMap { books[profile]?.book.handle($0, at: turn.now) } ?? []
            // Of before the address came here: the switch knows better by now.
            for change in changes { queue.withdraw(change.key, of: profile) }
            write(changes, to: profile, &turn)
            keep(changes, at: profile, turn.now)
            for case .put(_, let registration, _) in changes {
                turn.effects.append(.registered(host: registration.host))
                supersede(registration, &turn)
            }
            if case .unregistered(let name)? = told { unregistered(name, &turn) }
        } catch {
            turn.effects.append(.warning(subject: profile, "an event cannot be used: \(error)"))
        }
        tend(&turn)
    }

    func write(_ changes: [RegistrationBook.Change], to profile: String, _ turn: inout Turn) {
        if changes.isEmpty { return }
        var writes: [Write] = []
        for change in changes {
            switch change {
            case .put(_, let registration, _):
                do throws(RecordFailure) {
                    writes.append(.put(try Record(registration, identity: mode.identity)))
                } catch {
                    turn.effects.append(
                        .warning(
                            subject: "\(registration.user)@\(registration.host)",
                            "is not replicated: \(error)"))
                }
            case .removed(_, let registration, _):
                let key = RegistrationKey(registration, mode: mode)
                writes.append(.remove(.registration, key: key.bytes))
            }
        }
        if !writes.isEmpty { turn.effects.append(.write(address: profile, writes)) }
    }

    // MARK: - What is due

    mutating func tend(_ turn: inout Turn) {
        for profile in books.keys.sorted() {
            write(books[profile]?.book.sweep(at: turn.now) ?? [], to: profile, &turn)
            if mayList(profile), let held = books[profile], turn.now >= held.nextListing {
                list(profile, &turn)
            }
        }
        tendAudits(&turn)
        takeOutEnded(&turn)
        if isUp, queue.wantsEverything { beginPass(&turn) }
        pump(&turn)
    }

    mutating func pump(_ turn: inout Turn) {
        guard isUp else { return }
        turn.effects += queue.next(at: turn.now).map(Effect.inject)
    }

    private mutating func injected(_ ticket: UInt64, _ refusal: String?, _ turn: inout Turn) {
        queue.finished(ticket, refusal: refusal)
        if queue.wantsEverything { tend(&turn) } else { pump(&turn) }
        if pass != nil, queue.hasRoomForPass { sliceSoon(&turn) }
    }
}
