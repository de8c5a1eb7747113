@preconcurrency import Glibc
import Keeper
import Limits
import Primitives

/// The thread of the limit service: waits for its sockets, serves what came, and tells what changed.
final class LimitLoop {
    private struct Wait {
        var until: Instant
        var connection: LimitConnection
    }

    private static let readSize = 16_384
    private static let tickInterval: Duration = .seconds(1)
    /// What changes so soon after the last changes were told is told together: not every check is worth a message to
    /// every node, least of all when there are many.
    private var tellingInterval: Duration { .milliseconds(turn.isFirst ? 1 : 5) }

    private let settings: LimitService.Settings
    private let mailbox: LimitMailbox
    private let listener: Int32
    private let alarm: Alarm
    private let log: EventLog
    private let refused: @Sendable (String) -> Void
    private let changed: @Sendable ([LimitChange]) -> Void
    private var shared: LimitSession.Shared
    private var replies = RESPReplies()
    private let buffer: UnsafeMutableRawBufferPointer
    private var connections: [LimitConnection] = []
    private var slots: ConnectionSlots
    /// For poll(2): the mailbox, the listener, the alarm, then one for each connection, in their order.
    private var polled: [pollfd] = []
    private static let fixed = 3
    private var hasGone = false
    private var nextID: UInt64 = 1
    private var turn = LimitTurn()
    private var waits: [Wait] = []
    private var nextTick: Instant
    private var nextTelling = Instant.zero
    /// The alarm is set to `nextTelling`.
    private var isAlarmSet = false
    /// Of this turn.
    private var now = LimitMoment(boot: .zero, wall: 0)

    init(
        settings: LimitService.Settings, shared: LimitSession.Shared, mailbox: LimitMailbox, listener: Int32,
        alarm: Alarm, log: EventLog, changed: @escaping @Sendable ([LimitChange]) -> Void,
        refused: @escaping @Sendable (String) -> Void
    ) {
        self.settings = settings
        self.shared = shared
        self.mailbox = mailbox
        self.listener = listener
        self.alarm = alarm
        self.log = log
        self.refused = refused
        self.changed = changed
        // The switch is on this machine, and so is whoever crowds: addresses tell nothing apart.
        slots = ConnectionSlots(
            .init(strangers: settings.strangers, perSource: settings.strangers, proven: settings.clients))
        buffer = .allocate(byteCount: Self.readSize, alignment: 8)
        nextTick = Instant.now() + Self.tickInterval
    }

    deinit { buffer.deallocate() }

    /// Until the mailbox is closed.
    func run() {
        polled = [mailbox.descriptor, listener, alarm.descriptor].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        RealTime.goFirst(turn.isFirst)
        var isEnding = false
        while !isEnding {
            if Glibc.poll(&polled, UInt(polled.count), patience()) < 0 {
                for place in polled.indices { polled[place].revents = 0 }
            }
            now = LimitMoment(boot: Instant.now(), wall: WallClock.seconds())
            for place in connections.indices where polled[place + Self.fixed].revents != 0 {
                happened(Int32(polled[place + Self.fixed].revents), place)
            }
            if hasGone { removeGone() }
            if polled[1].revents != 0 { acceptAll() }
            if polled[0].revents != 0 { isEnding = readMail() }
            if polled[2].revents != 0 { endAlarm() }
            if !waits.isEmpty { endWaits() }
            if now.boot >= nextTick { tick() }
            if hasGone { removeGone() }
            if let isFirst = turn.next(at: now.boot) { RealTime.goFirst(isFirst) }
            tell(isEnding: isEnding)
        }
        end()
    }

    /// In milliseconds, rounded up.
    private func patience() -> Int32 {
        let next = waits.reduce(nextTick) { min($0, $1.until) }
        let left = (next - Instant.now()).nanoseconds
        return left <= 0 ? 0 : Int32(min(left / 1_000_000 + 1, 1000))
    }

    private func readMail() -> Bool {
        let (tasks, isClosed) = mailbox.take()
        for task in tasks { task(&shared.book, now) }
        return isClosed
    }

    private func endAlarm() {
        alarm.clear()
        isAlarmSet = false
    }

    private func tell(isEnding: Bool) {
        guard shared.book.hasChanges else { return }
        guard isEnding || now.boot >= nextTelling else {
            if !isAlarmSet { alarm.set(nanoseconds: (nextTelling - now.boot).nanoseconds) }
            isAlarmSet = true
            return
        }
        nextTelling = now.boot + tellingInterval
        let changes = shared.book.takeChanges()
        if !changes.isEmpty { changed(changes) }
    }

    private func tick() {
        nextTick = now.boot + Self.tickInterval
        shared.book.sweep(at: now)
        for connection in connections where connection.isOverdue(at: now.boot, settings) { drop(connection) }
        polled[1].fd = listener
    }

    private func end() {
        for connection in connections { drop(connection) }
        close(listener)
    }

    // MARK: - Coming and going

    private func acceptAll() {
        for _ in 0..<64 {
            let descriptor = accept(listener, nil, nil)
            if descriptor >= 0 {
                admit(descriptor)
                continue
            }
            if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM {
                log.warning("limit-service", "accept", "\(errorText(errno)); trying again in a second")
                polled[1].fd = -1
            }
            if errno != EINTR && errno != ECONNABORTED { return }
        }
    }

    private func admit(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let (slot, evicted) = slots.admit(source: nil)
        for connection in connections where evicted.contains(connection.slot) { drop(connection) }
        let connection = LimitConnection(
            descriptor: descriptor, slot: slot, id: nextID, needsPassword: shared.passwords.isNeeded,
            at: now.boot)
        nextID += 1
        for (level, option, value) in [
            (Int32(IPPROTO_TCP), TCP_NODELAY, Int32(1)), (SOL_SOCKET, SO_KEEPALIVE, 1),
            (Int32(IPPROTO_TCP), TCP_KEEPIDLE, 60),
        ] {
            var value = value
            setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
        connections.append(connection)
        polled.append(pollfd(fd: descriptor, events: connection.watched, revents: 0))
        prove(connection)
    }

    /// Gives a client that has given the password, or needs none, a place that no stranger takes from it.
    private func prove(_ connection: LimitConnection) {
        guard !connection.isProven, connection.session.isAuthenticated else { return }
        connection.isProven = slots.prove(connection.slot)
        guard !connection.isProven else { return }
        log.warning("limit-service", "clients", "there are \(settings.clients) already; another was refused")
        replies.removeAll()
        replies.failure("ERR max number of clients reached")
        connection.state = .closing
        settle(connection)
    }

    /// Closes at once; its places are given up at the end of the turn.
    private func drop(_ connection: LimitConnection) {
        guard connection.state != .gone else { return }
        connection.state = .gone
        slots.leave(connection.slot)
        connection.close()
        hasGone = true
    }

    private func removeGone() {
        hasGone = false
        connections.removeAll { $0.state == .gone }
        polled.removeLast(polled.count - Self.fixed)
        polled += connections.map { pollfd(fd: $0.descriptor, events: $0.watched, revents: 0) }
        waits.removeAll { $0.connection.state == .gone }
    }

    // MARK: - Serving

    private func happened(_ events: Int32, _ place: Int) {
        let connection = connections[place]
        guard connection.state != .gone else { return }
        if events & POLLIN != 0, connection.state == .open {
            read(connection)
        } else if events & POLLOUT != 0 {
            if connection.sendRest(at: now.boot) { settle(connection) } else { drop(connection) }
        } else {
            // POLLERR or POLLHUP alone: nobody is there any more.
            drop(connection)
        }
        polled[place + Self.fixed].events = connection.watched
    }

    private func read(_ connection: LimitConnection) {
        let count = recv(connection.descriptor, buffer.baseAddress, buffer.count, 0)
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            drop(connection)
            return
        }
        turn.heard(&connection.heardIn)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        if connection.held.isEmpty {
            let used = serve(bytes, connection)
            if used < count { connection.held.append(contentsOf: bytes[used...]) }
        } else {
            connection.held.append(contentsOf: bytes)
            serveHeld(connection)
        }
        settle(connection)
    }

    private func serveHeld(_ connection: LimitConnection) {
        var bytes = connection.held
        connection.held = []
        let used = bytes.withUnsafeBytes { serve($0, connection) }
        if used > 0 { bytes.removeFirst(used) }
        connection.held = bytes
    }

    /// Returns how many bytes were used.
    private func serve(_ bytes: UnsafeRawBufferPointer, _ connection: LimitConnection) -> Int {
        let (used, next) = connection.session.receive(bytes, &shared, at: now, into: &replies)
        if used > 0 { connection.halfSince = nil }
        if connection.halfSince == nil, connection.session.isUnderWay { connection.halfSince = now.boot }
        follow(next, connection)
        prove(connection)
        return used
    }

    private func follow(_ next: LimitSession.Next, _ connection: LimitConnection) {
        switch next {
        case .more: connection.state = .open
        case .close: connection.state = .closing
        case .wait(let delay):
            connection.state = .waiting
            waits.append(Wait(until: now.boot + delay, connection: connection))
            let peer = peer(of: connection)
            let from = peer.map { "\($0)" } ?? "?"
            log.stranger("limit-service", from, "a wrong password was given")
            // Where somebody of that host has the right one, it is another who guesses.
            if !connections.contains(where: { $0.isProven && $0.state != .gone && self.peer(of: $0) == peer })
            {
                refused(from)
            }
        }
    }

    private func peer(of connection: LimitConnection) -> IPAddress? {
        LimitListener.name(of: connection.descriptor, getpeername)?.ip
    }

    /// Sends what there is to say, and does what then follows from the connection's state.
    private func settle(_ connection: LimitConnection) {
        guard connection.send(&replies, at: now.boot) else { return drop(connection) }
        if connection.state == .closing, connection.unsent.isEmpty { drop(connection) }
    }

    private func endWaits() {
        let over = waits.filter { $0.until <= now.boot }
        guard !over.isEmpty else { return }
        waits.removeAll { $0.until <= now.boot }
        for connection in over.map(\.connection) where connection.state == .waiting {
            follow(connection.session.resume(into: &replies), connection)
            if connection.state == .open, !connection.held.isEmpty { serveHeld(connection) }
            settle(connection)
        }
        for place in connections.indices { polled[place + Self.fixed].events = connections[place].watched }
    }
}
