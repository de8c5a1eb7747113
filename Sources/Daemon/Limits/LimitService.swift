@preconcurrency import Glibc
import Keeper
import Limits
import Primitives

/// The limit service: answers mod_hiredis's limit checks over RESP2, from one thread that owns the limit book.
///
/// All connections live on that thread, so a check takes no lock. What others say of their usage hops to it; what
/// must be written to our own stream leaves it in batches, one for each turn of its loop. It works the sockets
/// itself: each check costs one `recv` and one `send`, and hardly more time than these.
final class LimitService: Sendable {
    struct Settings: Sendable {
        /// Loopback, unless the switch runs elsewhere. Port 0 lets the system choose.
        var endpoint = Endpoint(ip: IPAddress("127.0.0.1")!, port: 6379)
        /// Nil when none is asked for.
        var password: [UInt8]?
        /// With the password.
        var clients = 64
        /// Without it yet; the oldest makes room.
        var strangers = 64
        /// Until the password must have been given.
        var strangerPatience: Duration = .seconds(10)
        /// Half a command, or replies nobody reads, are kept so long. A quiet connection stays.
        var patience: Duration = .seconds(30)
    }

    /// Where it listens.
    let endpoint: Endpoint
    private let mailbox: LimitMailbox
    private let thread: pthread_t

    /// Listens and serves, until `stop`.
    ///
    /// - Parameter changed: gets what must be written to our own stream, on the service's thread; it must not block.
    /// - Throws: `ServiceFailure` when the address cannot be listened at.
    init(
        settings: Settings, book: LimitBook, log: EventLog,
        changed: @escaping @Sendable ([LimitChange]) -> Void,
        refused: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(ServiceFailure) {
        let mailbox = try LimitMailbox()
        let alarm: Alarm
        do throws(SystemFailure) {
            alarm = try Alarm()
        } catch {
            throw ServiceFailure("the limit service has no timer: \(error.text)")
        }
        let listener = try LimitListener(at: settings.endpoint)
        self.mailbox = mailbox
        endpoint = listener.endpoint
        thread = startThread {
            let shared = LimitSession.Shared(
                book: book, passwords: PasswordGuard(password: settings.password))
            let loop = LimitLoop(
                settings: settings, shared: shared, mailbox: mailbox, listener: listener.descriptor,
                alarm: alarm, log: log, changed: changed, refused: refused)
            loop.run()
        }
    }

    /// Hangs up on all clients and ends the thread, after everything asked before; to be called once, not on it.
    func stop() {
        mailbox.close()
        _ = pthread_join(thread, nil)
    }

    // MARK: - From any thread

    /// Changes the book in its turn: records of others, reach, revived calls, dumps of our own switch.
    /// Nothing happens after `stop`.
    func update(_ change: @escaping @Sendable (inout LimitBook, LimitMoment) -> Void) { mailbox.put(change) }

    /// As `update`, with an answer: what mod_hash's remote is told, reports, audits. Nil after `stop`.
    func ask<Answer: Sendable>(
        _ question: @escaping @Sendable (inout LimitBook, LimitMoment) -> Answer
    ) async -> Answer? {
        await withCheckedContinuation { continuation in
            let isTaken = mailbox.put { book, now in continuation.resume(returning: question(&book, now)) }
            if !isTaken { continuation.resume(returning: nil) }
        }
    }
}

/// The socket the limit service listens at.
struct LimitListener: Sendable {
    let descriptor: Int32
    let endpoint: Endpoint

    init(at wanted: Endpoint) throws(ServiceFailure) {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(wanted.ip.family == .v4 ? AF_INET : AF_INET6, kind, 0)
        guard descriptor >= 0 else {
            throw ServiceFailure("the limit service has no descriptor left: \(errorText(errno))")
        }
        var isOn: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
        let isBound = wanted.withSocketAddress { bind(descriptor, $0, $1) == 0 }
        guard isBound, listen(descriptor, 512) == 0, let endpoint = Self.name(of: descriptor, getsockname)
        else {
            let code = errno
            close(descriptor)
            throw ServiceFailure("the limit service cannot listen at \(wanted): \(errorText(code))")
        }
        self.descriptor = descriptor
        self.endpoint = endpoint
    }

    /// One end of a socket.
    static func name(
        of descriptor: Int32,
        _ ask: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> Endpoint? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                ask(descriptor, $0, &length) == 0 ? Endpoint($0) : nil
            }
        }
    }
}
