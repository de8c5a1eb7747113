import CLinux
@preconcurrency import Glibc

/// A running keeper as its node service sees it: a process and the socket to it.
package struct KeeperProcess: Sendable, Equatable {
    package enum Exit: Sendable, Equatable {
        case code(Int32)
        case signal(Int32)
    }

    package let pid: pid_t
    /// The node service's end: non-blocking, CLOEXEC, one datagram a message. The caller closes it; the
    /// keeper then removes everything and ends.
    package let descriptor: Int32

    /// Starts the executable at `path` with the other end of a socket pair as descriptor 3, nothing to read
    /// from, our standard error, and no other descriptor. Throws when the pair or the process cannot be made.
    package static func spawn(path: String, arguments: [String] = []) throws(SystemFailure) -> KeeperProcess {
        let (own, childEnd) = try socketPair()
        defer { close(childEnd) }
        do throws(SystemFailure) {
            let pid = try spawn(path: path, arguments, childEnd: childEnd)
            return KeeperProcess(pid: pid, descriptor: own)
        } catch {
            close(own)
            throw error
        }
    }

    /// Our end, and the other process's: out of the way of descriptors 0 to 3, which its file actions write to.
    static func socketPair() throws(SystemFailure) -> (own: Int32, other: Int32) {
        var pair: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else { throw SystemFailure("socketpair") }
        let other = fcntl(pair[1], F_DUPFD_CLOEXEC, 10)
        let duplication = SystemFailure("duplicate socket")
        close(pair[1])
        guard other >= 0 else {
            close(pair[0])
            throw duplication
        }
        return (pair[0], other)
    }

    private static func spawn(
        path: String, _ arguments: [String], childEnd: Int32
    ) throws(SystemFailure) -> pid_t {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&files, 0, 1)
        posix_spawn_file_actions_adddup2(&files, childEnd, 3)
        clinux_spawn_close_from(&files, 4)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var every = sigset_t()
        sigfillset(&every)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &every)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        guard !words.contains(nil) else { throw SystemFailure("strdup") }
        words.append(nil)
        var pid: pid_t = 0
        let code = posix_spawn(&pid, path, &files, &attributes, &words, Glibc.environ)
        guard code == 0 else { throw SystemFailure("start \(path)", errno: code) }
        return pid
    }

    /// How the process ended, once it has; reaps it, so ask no more after the answer.
    package func reap() throws(SystemFailure) -> Exit? { try wait(WNOHANG) }

    /// Waits until the process has ended, and reaps it. Blocks the thread.
    package func wait() throws(SystemFailure) -> Exit {
        guard let exit = try wait(0) else { throw SystemFailure("waitpid", errno: ECHILD) }
        return exit
    }

    private func wait(_ options: Int32) throws(SystemFailure) -> Exit? {
        var status: Int32 = 0
        while true {
            let ended = waitpid(pid, &status, options)
            if ended == 0 { return nil }
            if ended == pid { break }
            guard errno == EINTR else { throw SystemFailure("waitpid \(pid)") }
        }
        // <sys/wait.h>: the low 7 bits are the signal, the next byte the exit code.
        let signal = status & 0x7f
        return signal == 0 ? .code(status >> 8 & 0xff) : .signal(signal)
    }
}
