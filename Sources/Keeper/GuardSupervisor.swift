import CLinux
@preconcurrency import Glibc
import Primitives

/// The guard of a keeper that has no starter of its own (`HoldGuard`): started with the keeper, looked at four times a
/// second, and replaced when it has ended or stands still. Nothing here waits for it, but for its start, which on a loaded
/// machine takes some milliseconds (posix_spawn(3) returns when the program has begun).
final class GuardSupervisor {
    /// Nanoseconds (250 ms) between two looks.
    private static let interval: Int64 = 250_000_000
    /// A guard that has not looked for so long (500 ms, of at most 20) at two looks in a row stands still; one alone may be
    /// a pause of the whole machine.
    private static let patience: Int64 = 500_000_000
    /// Nanoseconds (1 s) between two starts.
    private static let pause: Int64 = 1_000_000_000
    /// Killed ones that the kernel holds back at the same time; then no more are started.
    private static let most = 4

    let ledger: HoldLedger
    private let alarm: Alarm
    private var pid: pid_t?
    /// Killed, and not to be waited for.
    private var dying: [pid_t] = []
    private var startedAt: Instant?
    private var isLate = false
    /// One was lost: the next one counts when it has looked at the ledger, not when it was started.
    private var isProofWanted = false
    /// Whoever started this keeper guards it, as long as that looks.
    private var isStarterTrusted = false
    /// Whether a guard runs, as far as was last seen.
    private(set) var isWell = false

    init() throws(SystemFailure) {
        ledger = try HoldLedger()
        alarm = try Alarm()
        start(at: .now())
        alarm.set(nanoseconds: Self.interval)
    }

    /// For a keeper whose starter is its guard (`KeeperSpawner`): another one is started once that has ended or stands still.
    init(besideStarter ledger: HoldLedger) throws(SystemFailure) {
        self.ledger = ledger
        alarm = try Alarm()
        (isStarterTrusted, isWell, startedAt) = (true, true, .now())
        alarm.set(nanoseconds: Self.interval)
    }

    /// Readable when it is time to look.
    var descriptor: Int32 { alarm.descriptor }

    /// - Parameter mayStart: whether there is anything to guard.
    /// - Returns: whether there is a guard, when that has changed.
    func look(at now: Instant = .now(), mayStart: Bool = true) -> Bool? {
        alarm.clear()
        alarm.set(nanoseconds: Self.interval)
        let before = isWell
        if isStarterTrusted {
            guard mayStart, isStandingStill(at: now) else { return nil }
            lose("(whoever started this keeper) has ended or stands still")
            (isStarterTrusted, startedAt) = (false, nil)
        }
        dying.removeAll(where: hasEnded)
        if let pid, hasEnded(pid) { lose("has ended") }
        if let pid, isStandingStill(at: now) {
            kill(pid, SIGKILL)
            dying.append(pid)
            lose("stands still")
        }
        if pid == nil, dying.count < Self.most,
            startedAt.map({ $0 + .nanoseconds(Self.pause) <= now }) ?? true
        {
            start(at: now)
        }
        let hasLooked = startedAt.map { ledger.lastLook >= $0 } ?? false
        isWell = pid != nil && (hasLooked || !isProofWanted)
        return isWell == before ? nil : isWell
    }

    private func hasEnded(_ pid: pid_t) -> Bool {
        let ended = waitpid(pid, nil, WNOHANG)
        return ended == pid || (ended < 0 && errno == ECHILD)
    }

    private func isStandingStill(at now: Instant) -> Bool {
        let seen = max(ledger.lastLook, startedAt ?? now)
        let wasLate = isLate
        isLate = seen + .nanoseconds(Self.patience) < now
        return isLate && wasLate
    }

    private func lose(_ what: String) {
        // One that ends again and again is told of once.
        if isWell { KeeperLoop.complain("the guard \(what); another one will be started") }
        (pid, isLate, isProofWanted) = (nil, false, true)
    }

    private func start(at now: Instant) {
        startedAt = now
        pid = HoldGuard.start(for: ledger)
        isWell = pid != nil && !isProofWanted
    }
}
