import Cluster
import Consensus
import EventSocket
import NIOCore
import Replication
import Switch

/// Registrations between the local switch and the replicas: out of it for the addresses held here, into it for all others.
final class RegistrationSharing {
    private static let lateMargin: Duration = .seconds(60)
    /// Between two listings of one profile that nothing but doubt asks for.
    private static let listingPause: Duration = .seconds(5)
    private let mode: RegistrationMode
    private let identity: RegistrationIdentity
    private let link: SwitchLink
    private let replica: ReplicaService
    private let log: EventLog
    private let loop: any EventLoop
    private var queue: InjectionQueue
    /// Of the addresses held here.
    private var books: [String: Book] = [:]
    /// Profiles that run in the switch, or nil while they are not known.
    private var profiles: Set<String>?
    private var timer: (due: Instant, task: Scheduled<Void>)?
    private var isUp = false

    private struct Book {
        var book: RegistrationBook
        var epoch: Epoch
        var isListing = false
        var nextListing: Instant
    }

    init(
        mode: RegistrationMode, perSecond: Int, origin: RegistrationInjection.Origin, link: SwitchLink,
        replica: ReplicaService, log: EventLog
    ) {
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
        let now = BootClock.now()
        for placement in survey.placements {
            let name = placement.address.name
            let known = books[name]
            if !placement.isHere {
                books[name] = nil
            } else if known?.epoch != placement.epoch {
                var book =
                    known?.book
                    ?? RegistrationBook(
                        profile: name, settings: RegistrationBook.Settings(mode: mode))
                if known == nil { book.adopt(replicated(name), at: now) }
                books[name] = Book(book: book, epoch: placement.epoch, nextListing: now)
            }
        }
        tend()
    }

    private func replicated(_ address: String) -> [Registration] {
        var found: [Registration] = []
        replica.forEach(in: .address(address)) { record in
            if record.kind == .registration, let registration = try? record.registration() {
                found.append(registration)
            }
        }
        return found
    }

    /// Another node's writes: into the switch with them.
    func changed(_ stream: StreamID, _ changes: Changes) {
        guard case .address(let name) = stream, books[name] == nil, isWanted(name) else { return }
        for change in changes {
            switch change {
            case .put(let record) where record.kind == .registration:
                guard let registration = try? record.registration() else { continue }
                _ = queue.offer(.present(registration), mode: mode)
            case .removed(.registration, let key):
                guard let parts = Record.registrationName(ofKey: key) else { continue }
                _ = queue.offer(
                    .absent(
                        RegistrationName(
                            profile: name, user: parts.user, host: parts.host,
                            contact: identity == .contact ? parts.discriminator : "",
                            callID: identity == .callID ? parts.discriminator : "")), mode: mode)
            // The switch ends its own copy by itself.
            case .put, .removed, .expired: break
            }
        }
        pump()
    }

    private func isWanted(_ profile: String) -> Bool { profiles?.contains(profile) ?? true }

    // MARK: - The switch

    /// Another process than before keeps nothing of what it was told.
    func up(isRestarted: Bool, profiles: Set<String>) {
        isUp = true
        self.profiles = profiles
        if isRestarted { queue.restarted() }
        let now = BootClock.now()
        for name in books.keys { books[name]?.nextListing = now }
        tend()
    }

    func down() {
        isUp = false
        queue.disconnected()
        for name in books.keys { books[name]?.isListing = false }
    }

    /// A profile began: what it should know has to be told again.
    func profilesChanged(_ profiles: Set<String>) {
        let isMore = !profiles.subtracting(self.profiles ?? []).isEmpty
        self.profiles = profiles
        if isMore { queue.restarted() }
        tend()
    }

    func handle(_ event: SwitchEvent) {
        guard let profile = event["profile-name"], books[profile] != nil else { return }
        do throws(SwitchFailure) {
            let changes = try books[profile]?.book.handle(event, at: BootClock.now()) ?? []
            write(changes, to: profile)
        } catch {
            log.warning("registration", profile, "an event cannot be used: \(error)")
        }
        tend()
    }

    private func write(_ changes: [RegistrationBook.Change], to profile: String) {
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

    private func tend() {
        let now = BootClock.now()
        for profile in books.keys.sorted() {
            guard var held = books[profile] else { continue }
            let changes = held.book.sweep(at: now)
            books[profile] = held
            write(changes, to: profile)
            if isUp, held.book.wantsListing, !held.isListing, now >= held.nextListing {
                held.isListing = true
                held.nextListing = now + Self.listingPause
                held.book.beginListing(at: now)
                books[profile] = held
                list(profile)
            }
        }
        if isUp, queue.wantsEverything { offerEverything() }
        pump()
        wake()
    }

    private func list(_ profile: String) {
        link.api("sofia xmlstatus profile \(profile) reg") { [weak self] result in
            guard let self, books[profile]?.isListing == true else { return }
            books[profile]?.isListing = false
            let now = BootClock.now()
            var listing: RegistrationListing?
            if case .success(let answer) = result {
                do throws(SwitchFailure) {
                    listing = try RegistrationListing(
                        reading: answer.body, profile: profile, at: now, lateMargin: Self.lateMargin)
                } catch {
                    log.warning("registration", profile, "\(error)")
                }
            }
            let changes = books[profile]?.book.finishListing(listing, at: now) ?? []
            write(changes, to: profile)
            tend()
        }
    }

    private func offerEverything() {
        for stream in replica.streams {
            guard case .address(let name) = stream, books[name] == nil, isWanted(name) else { continue }
            var isFull = false
            replica.forEach(in: stream) { record in
                guard !isFull, record.kind == .registration, let registration = try? record.registration()
                else { return }
                isFull = !queue.offer(.present(registration), mode: mode, isPass: true)
            }
            // The rest once there is room again.
            if isFull { return }
        }
        queue.offeredEverything()
    }

    private func pump() {
        guard isUp else { return }
        for injection in queue.next(at: BootClock.now()) {
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
                    let hasRoom = queue.backlog.waiting * 2 < queue.settings.capacity
                    if queue.wantsEverything, hasRoom { tend() } else { pump() }
                }
            }
        }
        wake()
    }

    private func wake() {
        var due = books.values.compactMap(\.book.nextDeadline).min()
        for held in books.values where isUp && held.book.wantsListing && !held.isListing {
            due = min(due ?? held.nextListing, held.nextListing)
        }
        if isUp, let slot = queue.nextDeadline { due = min(due ?? slot, slot) }
        guard let due else { return }
        if let timer, timer.due <= due { return }
        timer?.task.cancel()
        let wait = max(.milliseconds(1), due - BootClock.now())
        let task = loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [weak self] in
            self?.timer = nil
            self?.tend()
        }
        timer = (due, task)
    }

    func stop() { timer?.task.cancel() }
}
