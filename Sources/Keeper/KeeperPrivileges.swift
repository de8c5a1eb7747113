import CLinux
@preconcurrency import Glibc
import KeeperProtocol

/// What the keeper takes for itself at start (locked memory, a real-time turn), and what it then gives away.
package enum KeeperPrivileges {
    /// Above the node service's own real-time threads, below the kernel's (50).
    private static let realtimePriority: Int32 = 20
    /// linux/sched.h: children do not inherit the scheduling policy.
    private static let resetOnFork: Int32 = 0x4000_0000

    /// Arms what this process is allowed to; never fails, says what it got.
    static func arm() -> KeeperArms {
        let isUnlimited = clinux_unlimit_locked_memory() == 0
        let arms = bePunctual()
        var kept: [Int32] = [CAP_NET_ADMIN, CAP_NET_RAW]
        // With memory locked and the limit in force, the next growth of the heap would fail without this one.
        if arms.contains(.memoryLocked), !isUnlimited { kept.append(CAP_IPC_LOCK) }
        keepOnly(kept)
        _ = clinux_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        hideMemory()
        return arms
    }

    /// A real-time turn, which children do not inherit, and locked memory.
    @discardableResult
    static func bePunctual() -> KeeperArms {
        var arms: KeeperArms = []
        var parameter = sched_param()
        parameter.sched_priority = realtimePriority
        if sched_setscheduler(0, SCHED_RR | resetOnFork, &parameter) == 0 { arms.insert(.realtime) }
        if lockMemory() == 0 { arms.insert(.memoryLocked) }
        return arms
    }

    /// Locks this process's memory; lifts the limit on that before, where it may. Zero, or the error number.
    package static func lockMemory() -> Int32 {
        _ = clinux_unlimit_locked_memory()
        // MCL_ONFAULT: pages are locked as they are used, not all that could ever be.
        return mlockall(MCL_CURRENT | MCL_FUTURE | Int32(MCL_ONFAULT)) == 0 ? 0 : errno
    }

    /// What this process is called in `ps`: a keeper that the spawner started would be `exe`.
    static func call(_ name: String) {
        name.withCString { _ = clinux_prctl(PR_SET_NAME, UInt(bitPattern: $0), 0, 0, 0) }
    }

    /// No other process of this user may look into this one or take it over, and no core of it is kept.
    package static func hideMemory() {
        _ = clinux_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        _ = clinux_keep_no_core()
    }

    /// The spawner hands on what a keeper takes, and nothing besides.
    static func restrictSpawner() {
        // What it has otherwise goes with the bounding set when the keeper's program begins (capabilities(7)).
        dropBounds(except: [
            CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK, CAP_SYS_NICE, CAP_SYS_RESOURCE, CAP_SETPCAP,
        ])
        _ = clinux_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        hideMemory()
    }

    /// Gives every capability up, for this thread, the threads it makes and all they start; what the keeper needs is
    /// the spawner's. To be called before there is another thread. What could not be given up, each a sentence.
    package static func giveUpEverything(realtimePriority: UInt32) -> [String] {
        // Real-time threads and locked memory, which take no privilege within these limits.
        _ = clinux_allow_realtime(realtimePriority)
        _ = clinux_unlimit_locked_memory()
        dropBounds(except: [])
        _ = clinux_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
        var warnings: [String] = []
        // Neither a program with capabilities of its own nor root's being root brings any back.
        if clinux_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            warnings.append("programs started from here may gain privileges: \(SystemFailure("prctl").text)")
        }
        if clinux_set_capabilities(0, 0) != 0 {
            warnings.append("privileges are kept: \(SystemFailure("capset").text)")
        }
        return warnings
    }

    private static func dropBounds(except kept: [Int32]) {
        for capability in 0...Int32(CAP_LAST_CAP) where !kept.contains(capability) {
            _ = clinux_prctl(PR_CAPBSET_DROP, UInt(capability), 0, 0, 0)
        }
    }

    /// Has what `body` starts keep what a keeper needs, which a program that is not root's loses otherwise.
    static func handingOn<Result>(_ body: () -> Result) -> Result {
        var permitted: UInt64 = 0
        guard clinux_permitted(&permitted) == 0 else { return body() }
        let kept = [CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK].filter { permitted & 1 << UInt64($0) != 0 }
        _ = clinux_set_capabilities(permitted, kept.reduce(0) { $0 | 1 << UInt64($1) })
        for capability in kept {
            _ = clinux_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_RAISE), UInt(capability), 0, 0)
        }
        defer {
            _ = clinux_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
            _ = clinux_set_capabilities(permitted, 0)
        }
        return body()
    }

    /// Gives up the network too: loopback mode needs nothing.
    static func giveUpNetwork() {
        keepOnly([CAP_IPC_LOCK])
    }

    /// Keeps those of the capabilities that this process has, and cannot get back others.
    private static func keepOnly(_ kept: [Int32]) {
        var permitted: UInt64 = 0
        guard clinux_permitted(&permitted) == 0 else { return }
        var wanted: UInt64 = 0
        for capability in kept { wanted |= 1 << UInt64(capability) }
        dropBounds(except: kept)
        _ = clinux_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
        _ = clinux_set_capabilities(wanted & permitted, 0)
    }
}
