import CLinux
@preconcurrency import Glibc
import Primitives

/// A second process beside the keeper: it removes an address whose hold ended when the keeper, frozen or killed, does not.
///
/// Without it such an address would stay until the kernel's lifetime is over, a second and more, while another machine takes
/// it when the lease has ended. It adds nothing and renews nothing, and does nothing as long as the keeper works.
final class HoldGuard {
    /// Nanoseconds (5 ms) that the keeper has for it.
    static let allowance: Int64 = 5_000_000
    /// Milliseconds between two looks at most: a hold lasts longer. What could not be removed is tried again after `retry`.
    private static let (pause, retry): (Int32, Int32) = (20, 2)
    /// Tries of 20 ms each, when nobody is left to hold anything.
    private static let lastTries = 50

    private let ledger: HoldLedger
    private let control: NetlinkSocket
    /// What is gone, with the end of its hold: it is not removed again and again.
    private var gone: [HoldLedger.Entry] = []

    init(_ ledger: HoldLedger) throws(SystemFailure) {
        self.ledger = ledger
        control = try NetlinkSocket()
    }

    /// Removes what is overdue.
    ///
    /// - Returns: milliseconds until the next look, for poll(2).
    func look(at now: Instant = .now()) -> Int32 {
        ledger.noteLook(at: now)
        let entries = ledger.read()
        gone.removeAll { !entries.contains($0) }
        let due = entries.filter { $0.until + .nanoseconds(Self.allowance) <= now && !gone.contains($0) }
        if !due.isEmpty { gone += remove(due) }
        guard let next = entries.filter({ !gone.contains($0) }).map(\.until).min() else { return Self.pause }
        let wait = next + .nanoseconds(Self.allowance) - now
        let milliseconds = wait.nanoseconds / 1_000_000 + 1
        return Int32(clamping: min(max(milliseconds, Int64(Self.retry)), Int64(Self.pause)))
    }

    /// Removes all that is held, whenever its hold ends: nobody is left to hold it.
    func removeAll() {
        for _ in 0..<Self.lastTries {
            let entries = ledger.read()
            if remove(entries).count == entries.count { return }
            usleep(20_000)
        }
    }

    /// - Returns: those that are not on the machine any more.
    private func remove(_ entries: [HoldLedger.Entry]) -> [HoldLedger.Entry] {
        guard !entries.isEmpty, let table = try? InterfaceTable(dumpedBy: control) else { return [] }
        return entries.filter { entry in
            // The keeper may have come to itself meanwhile: what it holds anew has another end.
            guard ledger.read().contains(entry) else { return false }
            let placements = table.placements.filter { $0.address.isSameHost(as: entry.address) }
            guard !placements.isEmpty else { return true }
            let requests =
                (MuteRules.muting(entry.address).map { [$0] } ?? [])
                + placements.prefix(NetlinkSocket.requestsAtOnce - 1).map(KernelAddresses.requestToDelete)
            guard let answers = try? control.request(together: requests) else { return false }
            let harmless = [EEXIST, EADDRNOTAVAIL, ENODEV]
            for case let failure? in answers where !harmless.contains(failure.errno) {
                KeeperLoop.complain("the guard cannot remove \(entry.address): \(failure.text)")
                return false
            }
            KeeperLoop.complain("the keeper did not remove \(entry.address) in time; its guard did")
            return true
        }
    }

    // MARK: As a process of its own

    /// The keeper's program, which starts as a guard by this word and the number of the process it guards.
    static let word = "guard"

    /// Starts a guard of this process, a keeper with that ledger whose starter is no guard. Without one (no more processes)
    /// the kernel's lifetime is all there is.
    ///
    /// - Returns: its number; nil when there is none.
    static func start(for ledger: HoldLedger) -> pid_t? {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_adddup2(&files, ledger.descriptor, 3)
        _ = clinux_spawn_close_from(&files, 4)
        let arguments: [String] = ["fsdns-guard", word, "\(getpid())"]
        let words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let code = KeeperPrivileges.handingOn {
            posix_spawn(&pid, "/proc/self/exe", &files, nil, words, environ)
        }
        if code != 0 { KeeperLoop.complain(SystemFailure("start a guard", errno: code).text) }
        return code == 0 ? pid : nil
    }

    /// The guard itself, with the ledger as descriptor 3: until the keeper, its parent, is gone, or systemd wants it to end.
    static func run(beside keeper: pid_t) -> Int32 {
        guard let ledger = HoldLedger(descriptor: 3) else {
            KeeperLoop.complain("a guard is started by its keeper; not meant to be run by hand")
            return 64
        }
        KeeperPrivileges.call("fsdns-guard")
        _ = KeeperPrivileges.arm()
        let (signals, guardian): (Int32, HoldGuard)
        do throws(SystemFailure) {
            signals = try KeeperLoop.endSignals()
            guardian = try HoldGuard(ledger)
        } catch {
            KeeperLoop.complain("there is no guard: \(error.text)")
            return 1
        }
        // The keeper's end comes as that signal too.
        _ = clinux_prctl(PR_SET_PDEATHSIG, UInt(SIGTERM), 0, 0, 0)
        while getppid() == keeper {
            var entry = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, guardian.look()) > 0 { break }
        }
        guardian.removeAll()
        return 0
    }
}
