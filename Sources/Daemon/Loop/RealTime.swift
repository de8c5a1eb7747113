@preconcurrency import Glibc
import Keeper

/// Gives the calling thread its turn before ordinary work, and keeps the process in memory.
enum RealTime {
    /// Below the keeper's 20: the hand that lets go comes before the head.
    private static let priority: Int32 = 10
    /// Of any thread of this process.
    static let highest = UInt32(priority)
    /// linux/sched.h: children do not inherit it.
    private static let resetOnFork: Int32 = 0x4000_0000

    /// Gives the calling thread its turn before ordinary work; false when it may not have it. One that has it keeps it
    /// when the process gives up the right to it.
    static func takeTurn() -> Bool {
        var parameter = sched_param()
        parameter.sched_priority = priority
        return sched_setscheduler(0, SCHED_RR | resetOnFork, &parameter) == 0
    }

    /// What could not be had, each a sentence; empty when all is armed.
    static func arm() -> [String] {
        var warnings: [String] = []
        if !takeTurn() {
            warnings.append(
                "no real-time scheduling (\(errorText(errno))): a busy machine may delay heartbeats; "
                    + "grant CAP_SYS_NICE or choose dead-after of 250 ms or more")
        }
        let failure = KeeperPrivileges.lockMemory()
        if failure != 0 {
            warnings.append(
                "memory is not locked (\(errorText(failure))): swapping may delay heartbeats; "
                    + "grant CAP_IPC_LOCK or raise the limit on locked memory")
        }
        return warnings
    }
}

extension RealTime {
    /// Gives the calling thread its turn before ordinary work and after the node's own, or an ordinary one.
    ///
    /// Without the right to it the thread has an ordinary turn, of which `arm` has told already.
    static func goFirst(_ isFirst: Bool) {
        var parameter = sched_param()
        parameter.sched_priority = isFirst ? 1 : 0
        _ = sched_setscheduler(0, (isFirst ? SCHED_RR : SCHED_OTHER) | resetOnFork, &parameter)
    }
}

/// The system's words for an error number.
func errorText(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
