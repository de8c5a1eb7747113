@preconcurrency import Glibc
import Primitives

/// One program while it runs: its process group, and the pipe both its outputs go to. Belongs to one thread.
struct CommandProcess: ~Copyable {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// How late the end of a process is noticed whose output somebody else still holds open.
    private static let longestPause: Duration = .milliseconds(20)
    private let pid: pid_t
    private let pipe: Int32
    private let limit: Int
    private(set) var output: [UInt8] = []
    private(set) var dropped = 0
    private var isAtEnd = false
    private var pause: Duration = .milliseconds(1)

    /// - Throws: when the pipe or the process cannot be made.
    init(_ order: CommandRunner.Order) throws(Failure) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else {
            throw Failure(description: "cannot make a pipe: \(errorText(errno))")
        }
        // A program that another thread starts meanwhile gets none of our descriptors either.
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        // Out of the way of descriptors 0 to 2, which the child's file actions write to.
        let childEnd = fcntl(ends[1], F_DUPFD_CLOEXEC, 10)
        let code = errno
        close(ends[1])
        guard childEnd >= 0 else {
            close(ends[0])
            throw Failure(description: "cannot duplicate a pipe: \(errorText(code))")
        }
        defer { close(childEnd) }
        do throws(Failure) {
            pid = try Self.spawn(order, childEnd)
        } catch {
            close(ends[0])
            throw error
        }
        pipe = ends[0]
        limit = order.outputLimit
        _ = fcntl(pipe, F_SETFL, O_NONBLOCK)
    }

    private static func spawn(_ order: CommandRunner.Order, _ childEnd: Int32) throws(Failure) -> pid_t {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&files, childEnd, 1)
        posix_spawn_file_actions_adddup2(&files, childEnd, 2)
        guard let closeFrom else {
            throw Failure(description: "this C library cannot close descriptors in a new process")
        }
        // Not all of ours are CLOEXEC: accepted sockets are not.
        guard closeFrom(&files, 3) == 0 else { throw Failure(description: "out of memory") }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var every = sigset_t()
        sigfillset(&every)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &every)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

        let variables = order.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        var words = try cStrings([order.program] + order.arguments)
        defer { for word in words { free(word) } }
        var environment = try cStrings(variables)
        defer { for word in environment { free(word) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, order.program, &files, &attributes, &words, &environment)
        guard code == 0 else {
            throw Failure(description: "cannot start \(order.program): \(errorText(code))")
        }
        // It has begun, and no thread of its own yet. Where that is too late, or forbidden, it only takes more.
        if order.isBackground { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(pid), 15) }
        return pid
    }

    /// With nil at the end, as C wants it.
    private static func cStrings(_ texts: [String]) throws(Failure) -> [UnsafeMutablePointer<CChar>?] {
        // It would silently cut the word off.
        if let bad = texts.first(where: { $0.utf8.contains(0) }) {
            throw Failure(description: "a word has a NUL in it: \(bad.prefix { $0 != "\0" })…")
        }
        var words: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
        guard !words.contains(nil) else {
            for word in words { free(word) }
            throw Failure(description: "out of memory")
        }
        words.append(nil)
        return words
    }

    private typealias CloseFrom =
        @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

    /// <spawn.h> tells of it only to GNU sources (glibc 2.34).
    private static let closeFrom: CloseFrom? = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np")
        .map { unsafeBitCast($0, to: CloseFrom.self) }

    /// Takes what was printed, without waiting; of one who prints without end, a part.
    mutating func read() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var turns = 0
        while !isAtEnd, turns < 16 {
            turns += 1
            let count = Glibc.read(pipe, &chunk, chunk.count)
            if count == 0 { isAtEnd = true }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            let kept = min(count, limit - output.count)
            output += chunk[..<kept]
            dropped += count - kept
        }
    }

    /// Whether the process is over; it stays to be reaped, so that its number and its group's belong to nobody else.
    var hasEnded: Bool {
        var facts = siginfo_t()
        while waitid(P_PID, id_t(pid), &facts, WEXITED | WNOHANG | WNOWAIT) != 0 {
            guard errno == EINTR else { return true }
        }
        return facts.si_signo != 0
    }

    func terminate() { Glibc.kill(-pid, SIGTERM) }

    func kill() { Glibc.kill(-pid, SIGKILL) }

    /// Until something was printed, or a moment has passed; never after `latest`.
    mutating func wait(until latest: Instant) {
        let left = max(.milliseconds(1), min(latest - Instant.now(), Self.longestPause))
        if isAtEnd {
            // Nothing but its end can come: soon, as a rule.
            var time = timespec(tv_sec: 0, tv_nsec: Int(min(left, pause).nanoseconds))
            nanosleep(&time, nil)
            pause = min(pause * 2, Self.longestPause)
        } else {
            var entry = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
            poll(&entry, 1, Int32(left.nanoseconds / 1_000_000))
        }
    }

    /// After `hasEnded`: kills what it left behind, reaps it, and takes the last of its output.
    mutating func finish() -> CommandRunner.Outcome.Ending {
        kill()
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        read()
        // <sys/wait.h>: the low 7 bits are the signal, the next byte the exit code.
        let signal = status & 0x7f
        return signal == 0 ? .exited(status >> 8 & 0xff) : .signalled(signal)
    }

    deinit { close(pipe) }
}
