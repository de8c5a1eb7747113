import CLinux
@preconcurrency import Glibc

/// What the keeper takes for itself at start (locked memory, a real-time turn), and what it then gives away.
enum KeeperPrivileges {
    /// Above the node service's own real-time threads, below the kernel's (50).
    private static let realtimePriority: Int32 = 20
    /// linux/sched.h: children do not inherit the scheduling policy.
    private static let resetOnFork: Int32 = 0x4000_0000

    /// Arms what this process is allowed to; never fails, says what it got.
    static func arm() -> KeeperArms {
        var arms: KeeperArms = []
        var parameter = sched_param()
        parameter.sched_priority = realtimePriority
        if sched_setscheduler(0, SCHED_RR | resetOnFork, &parameter) == 0 { arms.insert(.realtime) }
        let isUnlimited = clinux_unlimit_locked_memory() == 0
        // MCL_ONFAULT: pages are locked as they are used, not all that could ever be.
        if mlockall(MCL_CURRENT | MCL_FUTURE | Int32(MCL_ONFAULT)) == 0 { arms.insert(.memoryLocked) }
        var kept: [Int32] = [CAP_NET_ADMIN, CAP_NET_RAW]
        // With memory locked and the limit in force, the next growth of the heap would fail without this one.
        if arms.contains(.memoryLocked), !isUnlimited { kept.append(CAP_IPC_LOCK) }
        keepOnly(kept)
        _ = clinux_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return arms
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
        for capability in 0...UInt(CAP_LAST_CAP) where wanted & (1 << UInt64(capability)) == 0 {
            _ = clinux_prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        }
        _ = clinux_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
        _ = clinux_set_capabilities(wanted & permitted)
    }
}
