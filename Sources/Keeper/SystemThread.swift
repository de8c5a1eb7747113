import CLinux

/// Threads of this process, where it matters to know that there is one: Foundation's say nothing when there is none.
package enum SystemThread {
    /// Starts a detached thread that runs `work` once.
    ///
    /// - Parameter stack: in bytes.
    /// - Returns: whether there is such a thread now; false when the limits of the process or of the machine are reached.
    package static func start(stack: Int, _ work: @escaping @Sendable () -> Void) -> Bool {
        let job = Unmanaged.passRetained(Job(work: work))
        let failure = clinux_start_thread(
            { argument in
                guard let argument else { return nil }
                Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().work()
                return nil
            }, job.toOpaque(), stack)
        if failure != 0 { job.release() }
        return failure == 0
    }

    private final class Job: Sendable {
        let work: @Sendable () -> Void
        init(work: @escaping @Sendable () -> Void) { self.work = work }
    }
}
