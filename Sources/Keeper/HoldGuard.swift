import CLinux
@preconcurrency import Glibc

/// A second process beside the keeper: it removes an address whose hold ended when the keeper, frozen or killed, does not.
///
/// Without it such an address would stay until the kernel's lifetime is over, a second and more, while another machine takes
/// it when the lease has ended. It adds nothing and renews nothing, and does nothing as long as the keeper works.
final class HoldGuard {
    /// Nanoseconds (5 ms) that the keeper has for it.
    static let allowance: Int64 = 5_000_000
    /// Milliseconds between two looks while nothing is held: a hold lasts longer.
    private static let idle: Int32 = 20

    private let ledger: HoldLedger
    /// What was removed, and the end of its hold: it is not removed again and again.
    private var removed: [HoldLedger.Entry] = []

    init(_ ledger: HoldLedger) { self.ledger = ledger }

    /// Removes what is overdue.
    ///
    /// - Returns: milliseconds until the next look, for poll(2).
    func look(at now: BootInstant = KeeperLoop.now()) -> Int32 {
        let entries = ledger.read()
        removed.removeAll { !entries.contains($0) }
        let due = entries.filter {
            $0.until.advanced(by: Self.allowance) <= now && !removed.contains($0)
        }
        if !due.isEmpty {
            Self.remove(due.map(\.address))
            removed += due
        }
        let next = entries.filter { !removed.contains($0) }.map(\.until).min()
        guard let next else { return Self.idle }
        let wait = (next.nanoseconds &+ Self.allowance &- now.nanoseconds) / 1_000_000 + 1
        return Int32(clamping: min(max(wait, 1), Int64(Self.idle)))
    }

    /// Removes all that is held, whenever its hold ends: nobody is left to hold it.
    func removeAll() {
        let all = ledger.read().map(\.address)
        if !all.isEmpty { Self.remove(all) }
    }

    private static func remove(_ addresses: [KeeperAddress]) {
        do throws(SystemFailure) {
            let place = try KernelAddresses()
            place.manage(addresses)
            for address in try place.present() {
                if case .removeFailed(_, let code, let text) = place.remove(address) {
                    KeeperLoop.complain("cannot remove \(address): \(text) (\(code))")
                } else {
                    KeeperLoop.complain("the keeper did not remove \(address) in time; its guard did")
                }
            }
            place.finish()
        } catch {
            KeeperLoop.complain(error.text)
        }
    }

    // MARK: As a process of its own

    /// The keeper's program, which starts as a guard by this word and the number of the process it guards.
    static let word = "guard"

    /// Starts a guard of this process, which is about to become a keeper with that ledger; for a keeper whose starter is no
    /// guard. Without one (no more processes) the kernel's lifetime is all there is.
    static func start(for ledger: HoldLedger) {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_adddup2(&files, ledger.descriptor, 3)
        _ = clinux_spawn_close_from(&files, 4)
        let arguments: [String] = ["fsdns-guard", word, "\(getpid())"]
        let words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, "/proc/self/exe", &files, nil, words, environ)
        if code != 0 { KeeperLoop.complain(SystemFailure("start a guard", errno: code).text) }
    }

    /// The guard itself, with the ledger as descriptor 3: until the keeper, its parent, is gone, or systemd wants it to end.
    static func run(beside keeper: pid_t) -> Int32 {
        guard let ledger = HoldLedger(descriptor: 3) else {
            KeeperLoop.complain("a guard is started by its keeper; not meant to be run by hand")
            return 64
        }
        KeeperPrivileges.call("fsdns-guard")
        _ = KeeperPrivileges.arm()
        var ends = sigset_t()
        sigemptyset(&ends)
        sigaddset(&ends, SIGTERM)
        sigprocmask(SIG_BLOCK, &ends, nil)
        for ignored in [SIGINT, SIGHUP, SIGPIPE] { signal(ignored, SIG_IGN) }
        let signals = signalfd(-1, &ends, Int32(SFD_CLOEXEC))
        // The keeper's end comes as that signal too.
        _ = clinux_prctl(PR_SET_PDEATHSIG, UInt(SIGTERM), 0, 0, 0)
        let guardian = HoldGuard(ledger)
        while getppid() == keeper {
            var entry = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, guardian.look()) > 0 { break }
        }
        guardian.removeAll()
        return 0
    }
}
