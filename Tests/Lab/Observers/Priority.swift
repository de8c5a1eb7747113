@preconcurrency import Glibc

/// Real-time scheduling for the lab's instruments, so that what they measure is not their own waiting.
enum Priority {
    static func raise(_ priority: Int32) {
        var parameters = sched_param()
        parameters.sched_priority = priority
        _ = sched_setscheduler(0, SCHED_RR, &parameters)
        _ = mlockall(Int32(MCL_CURRENT))
    }
}
