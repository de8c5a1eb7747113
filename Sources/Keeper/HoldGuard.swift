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

    /// Forks a guard of this process, which is about to become a keeper with this ledger; for a keeper whose starter is no
    /// guard. Without one (no more processes) the kernel's lifetime is all there is, as before.
    static func start(for ledger: HoldLedger) {
        let keeper = getpid()
        guard clinux_fork() == 0 else { return }
        KeeperPrivileges.call("fsdns-guard")
        _ = clinux_close_from(3)
        _ = KeeperPrivileges.arm()
        // The keeper's end is a reason to remove everything at once, as is systemd's wish that it ends.
        signal(SIGTERM, SIG_IGN)
        var ends = sigset_t()
        sigemptyset(&ends)
        sigaddset(&ends, SIGTERM)
        sigprocmask(SIG_BLOCK, &ends, nil)
        signal(SIGTERM, SIG_DFL)
        for ignored in [SIGINT, SIGHUP, SIGPIPE] { signal(ignored, SIG_IGN) }
        _ = clinux_prctl(PR_SET_PDEATHSIG, UInt(SIGTERM), 0, 0, 0)
        let signals = signalfd(-1, &ends, Int32(SFD_CLOEXEC))
        let guardian = HoldGuard(ledger)
        while getppid() == keeper {
            var entry = pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, guardian.look()) > 0 { break }
        }
        guardian.removeAll()
        exit(0)
    }
}
