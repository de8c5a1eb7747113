import CLinux
@preconcurrency import Glibc
import Primitives
import Synchronization

/// Starts keepers for a node service that has given its privileges up.
///
/// A process of its own, started before that and kept as it was: it takes a socket, and starts a keeper with it as its
/// descriptor 3, as a child of the node service. Nothing else can be asked of it. It is the guard of the keepers that it
/// started (`HoldGuard`).
package final class KeeperSpawner: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        /// The process is gone, and no keeper can ever be started again.
        case gone
        case system(SystemFailure)

        package var text: String {
            switch self {
            case .gone: "the process that starts keepers is gone"
            case .system(let failure): failure.text
            }
        }
    }

    /// Of the answer: the process does nothing but answer.
    package static let patience: Duration = .milliseconds(250)
    /// The keeper's program, which starts as a spawner by this word.
    package static let word = "spawn"
    package let path: String
    private let process: KeeperProcess
    private let state = Mutex(State())

    private struct State {
        var number: UInt64 = 0
        /// What was asked only to hear an answer, and when.
        var question: (number: UInt64, at: Int64)?
        /// Keepers nobody waits for any more; to be reaped.
        var late: [KeeperProcess] = []
    }

    /// Throws when there is no such program, or no process can be made.
    package convenience init(path: String) throws(SystemFailure) {
        self.init(process: try KeeperProcess.spawn(path: path, arguments: [Self.word]), path: path)
    }

    /// - Parameter process: one that was started with `word`; its socket is closed with this.
    init(process: KeeperProcess, path: String) {
        self.process = process
        self.path = path
    }

    deinit { close(process.descriptor) }

    package var pid: pid_t { process.pid }

    /// Whether the process has ended: no keeper could ever be started again.
    package var isGone: Bool {
        var entry = pollfd(fd: process.descriptor, events: 0, revents: 0)
        return poll(&entry, 1, 0) == 1 && entry.revents & Int16(POLLHUP) != 0
    }

    /// A new keeper, our child. Blocks for as long as `patience` at most.
    package func start(patience: Duration = patience) throws(Failure) -> KeeperProcess {
        let (own, other): (Int32, Int32)
        do throws(SystemFailure) { (own, other) = try KeeperProcess.socketPair() } catch {
            throw .system(error)
        }
        let number = state.withLock { state in
            state.number += 1
            return state.number
        }
        let isSent = clinux_send_descriptor(process.descriptor, number, other) == 0
        let code = errno
        close(other)
        do throws(Failure) {
            guard isSent else {
                throw code == EPIPE || code == ECONNRESET
                    ? .gone : .system(SystemFailure("ask for a keeper", errno: code))
            }
            return KeeperProcess(pid: try answer(to: number, patience), descriptor: own)
        } catch {
            close(own)
            throw error
        }
    }

    private func answer(to number: UInt64, _ patience: Duration) throws(Failure) -> pid_t {
        var entry = pollfd(fd: process.descriptor, events: Int16(POLLIN), revents: 0)
        let milliseconds = Int32(patience / .milliseconds(1))
        while poll(&entry, 1, milliseconds) == 1 {
            var answer = SpawnAnswer()
            let count = withUnsafeMutableBytes(of: &answer) {
                recv(process.descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
            }
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count == MemoryLayout<SpawnAnswer>.size else { throw .gone }
            // A late answer to an earlier question: that keeper found its socket closed and ends.
            if answer.number != number {
                state.withLock { if $0.question?.number == answer.number { $0.question = nil } }
                let keeper = KeeperProcess(pid: answer.pid, descriptor: -1)
                if answer.pid > 0 { state.withLock { $0.late.append(keeper) } }
                continue
            }
            guard answer.pid > 0 else { throw .system(SystemFailure("start \(path)", errno: answer.code)) }
            return answer.pid
        }
        throw .system(SystemFailure("wait for a keeper to be started", errno: ETIMEDOUT))
    }

    /// Whether the process answers: asked at each call for what costs nothing, and given so long.
    ///
    /// It is the guard of what is held, too: one that stands still is worth telling before it is needed.
    package func isAnswering(within patience: Duration = .seconds(2)) -> Bool {
        let now = Instant.now().nanoseconds
        return state.withLock { state in
            var answer = SpawnAnswer()
            while withUnsafeMutableBytes(
                of: &answer,
                {
                    recv(process.descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
                }) > 0
            {
                if answer.pid > 0 { state.late.append(KeeperProcess(pid: answer.pid, descriptor: -1)) }
                if answer.number == state.question?.number { state.question = nil }
            }
            if let question = state.question {
                return now - question.at < patience.components.seconds * 1_000_000_000
            }
            state.number += 1
            var number = state.number
            let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
            // Without a descriptor it starts nothing, and says so.
            if send(process.descriptor, &number, MemoryLayout<UInt64>.size, flags) > 0 {
                state.question = (number, now)
            }
            return true
        }
    }

    /// Reaps keepers that ended and that nobody knows of.
    package func reap() { state.withLock { $0.late.removeAll { (try? $0.reap()) != nil } } }
}

/// What the spawner says to a request.
struct SpawnAnswer {
    var number: UInt64 = 0
    var pid: Int32 = 0
    /// An error number where no process could be made.
    var code: Int32 = 0
}

/// The spawner itself.
package enum KeeperSpawning {
    /// Runs until the node service is gone; returns the exit code.
    package static func run(descriptor: Int32) -> Int32 {
        guard KeeperLink(descriptor: descriptor) != nil else {
            let text = Array(
                "fsdns-keeper: started by the fsdns node service; not meant to be run by hand\n".utf8)
            write(STDERR_FILENO, text, text.count)
            return 64
        }
        // The node service ends in good order, and then our socket closes.
        for ignored in [SIGINT, SIGHUP, SIGPIPE, SIGTERM] { signal(ignored, SIG_IGN) }
        _ = clinux_close_from(UInt32(descriptor) + 1)
        KeeperPrivileges.call("fsdns-spawner")
        KeeperPrivileges.bePunctual()
        KeeperPrivileges.restrictSpawner()
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK)
        let (ledger, guardian): (HoldLedger, HoldGuard)
        do throws(SystemFailure) {
            ledger = try HoldLedger()
            guardian = try HoldGuard(ledger)
        } catch {
            KeeperLoop.complain(error.text)
            return 1
        }
        // Nobody is left: neither is a keeper, before long.
        defer { guardian.removeAll() }
        while true {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, guardian.look()) > 0 else { continue }
            var answer = SpawnAnswer()
            var socket: Int32 = -1
            let count = clinux_receive_descriptor(descriptor, &answer.number, &socket)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return 0 }
            if socket >= 0 {
                answer.pid = start(socket, ledger)
                answer.code = answer.pid < 0 ? errno : 0
                close(socket)
            } else {
                answer.code = EBADF
            }
            _ = withUnsafeBytes(of: answer) {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
        }
    }

    /// The very program that runs here, whatever has been installed since: it fits the node service.
    private static func start(_ socket: Int32, _ ledger: HoldLedger) -> pid_t {
        let word = strdup("fsdns-keeper")
        defer { free(word) }
        let words: [UnsafeMutablePointer<CChar>?] = [word, nil]
        return clinux_start_sibling("/proc/self/exe", words, Glibc.environ, socket, ledger.descriptor)
    }
}
