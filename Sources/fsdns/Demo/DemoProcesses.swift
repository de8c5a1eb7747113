@preconcurrency import Glibc

/// The processes of one demonstration, each the head of a session of its own, all ended together.
struct DemoProcesses: Sendable {
    struct Child: Hashable, Sendable {
        var name: String
        var pid: pid_t
        var log: String
        /// How it ended, as a sentence; nil while it runs.
        var ended: String?
    }

    private(set) var children: [Child] = []

    /// Starts this program, or another one, with these arguments; both outputs go to `log`.
    mutating func start(
        _ name: String, program: String = Local.program, _ arguments: [String], log: String
    ) throws(DemoFailure) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // We wait for signals with all of them blocked; a child must not inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        // Of its own session, so that a ^C of the terminal reaches only us.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | Self.setSession))
        var argv = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in argv { free(word) } }
        var pid = pid_t()
        let status = posix_spawn(&pid, program, &actions, &attributes, &argv, environ)
        guard status == 0 else {
            throw DemoFailure("cannot start \(name): \(String(cString: strerror(status)))")
        }
        children.append(Child(name: name, pid: pid, log: log))
    }

    /// POSIX_SPAWN_SETSID of <spawn.h>, which only shows with _GNU_SOURCE.
    private static let setSession: Int32 = 0x80

    func pid(of name: String) -> pid_t? { children.first { $0.name == name && $0.ended == nil }?.pid }

    /// SIGKILL to this one process and to nothing it started.
    func kill(_ name: String) {
        if let pid = pid(of: name) { Glibc.kill(pid, SIGKILL) }
    }

    /// Notices who ended, and returns them.
    mutating func reap() -> [Child] {
        var ended: [Child] = []
        for index in children.indices where children[index].ended == nil {
            var status: Int32 = 0
            guard waitpid(children[index].pid, &status, WNOHANG) == children[index].pid else { continue }
            let signal = status & 0x7F
            children[index].ended =
                signal == 0 ? "ended with exit code \((status >> 8) & 0xFF)" : "was ended by signal \(signal)"
            ended.append(children[index])
        }
        return ended
    }

    /// Asks each service to end, which ends what it started; whatever is left of a session then is killed.
    mutating func stop() {
        for child in children where child.ended == nil { Glibc.kill(child.pid, SIGTERM) }
        let watch = Stopwatch()
        while watch.elapsed < .seconds(3), children.contains(where: { Glibc.kill(-$0.pid, 0) == 0 }) {
            _ = reap()
            Stopwatch.sleep(.milliseconds(20))
        }
        for child in children { Glibc.kill(-child.pid, SIGKILL) }
        _ = reap()
    }
}
