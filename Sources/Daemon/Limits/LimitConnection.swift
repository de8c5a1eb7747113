@preconcurrency import Glibc
import Limits
import Primitives

/// One client of the limit service: its socket, its session, and what waits for more bytes or for being sent.
final class LimitConnection {
    enum State {
        case open
        /// The password was wrong, and this is not said yet.
        case waiting
        /// Closed once everything is sent.
        case closing
        case gone
    }

    let descriptor: Int32
    /// Its place among the clients.
    let slot: UInt64
    let since: Instant
    var session: LimitSession
    /// It has given the password, and has a place among those that have.
    var isProven = false
    var state = State.open
    /// Half a command, or what came before a wait.
    var held: [UInt8] = []
    /// Since when half a command waits for its rest.
    var halfSince: Instant?
    /// The window of the service's turn in which it was heard last.
    var heardIn: UInt64 = 0
    private(set) var unsent: [UInt8] = []
    /// Since when replies are not read.
    private(set) var unsentSince: Instant?

    init(descriptor: Int32, slot: UInt64, id: UInt64, needsPassword: Bool, at now: Instant) {
        self.descriptor = descriptor
        self.slot = slot
        since = now
        session = LimitSession(id: id, needsPassword: needsPassword)
    }

    /// What poll(2) is to watch for. Nothing more is read while replies are not, or a wrong password waits: what is
    /// kept for one client is bounded by what one read can ask for.
    var watched: Int16 {
        if !unsent.isEmpty { return Int16(POLLOUT) }
        return state == .open ? Int16(POLLIN) : 0
    }

    /// Whether something has lasted too long.
    func isOverdue(at now: Instant, _ settings: LimitService.Settings) -> Bool {
        if !session.isAuthenticated, state != .waiting, now - since > settings.strangerPatience {
            return true
        }
        return [halfSince, unsentSince].contains { $0.map { now - $0 > settings.patience } ?? false }
    }

    /// Sends, and keeps what the socket does not take. False when the client is gone.
    @inline(__always)
    func send(_ replies: inout RESPReplies, at now: Instant) -> Bool {
        if replies.isEmpty { return true }
        defer { replies.removeAll() }
        guard unsent.isEmpty else {
            unsent += replies.bytes
            return true
        }
        let sent = replies.bytes.withUnsafeBytes { Self.send(descriptor, $0) }
        guard sent >= 0 else { return false }
        if sent < replies.bytes.count {
            unsent = Array(replies.bytes[sent...])
            unsentSince = now
        }
        return true
    }

    /// Sends what was kept. False when the client is gone.
    func sendRest(at now: Instant) -> Bool {
        let sent = unsent.withUnsafeBytes { Self.send(descriptor, $0) }
        guard sent >= 0 else { return false }
        if sent > 0 {
            unsent.removeFirst(sent)
            unsentSince = unsent.isEmpty ? nil : now
        }
        return true
    }

    /// How many bytes the socket took; -1 when it is broken.
    private static func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        while true {
            let sent = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if sent >= 0 { return sent }
            if errno == EAGAIN { return 0 }
            if errno != EINTR { return -1 }
        }
    }

    /// Closes so that a last reply arrives: unread bytes would make the kernel throw it away.
    func close() {
        var rest = [UInt8](repeating: 0, count: 4096)
        for _ in 0..<16 where recv(descriptor, &rest, rest.count, Int32(MSG_DONTWAIT)) <= 0 { break }
        Glibc.close(descriptor)
    }
}
