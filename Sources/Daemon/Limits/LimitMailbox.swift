@preconcurrency import Glibc
import Limits
import Synchronization

/// What other threads want done with the limit book, in order; everything put is done exactly once.
final class LimitMailbox: Sendable {
    typealias Task = @Sendable (inout LimitBook, LimitMoment) -> Void

    private struct State {
        var tasks: [Task] = []
        var isClosed = false
    }

    /// Readable when something waits.
    let descriptor: Int32
    private let waker: Int32
    private let state = Mutex(State())

    /// - Throws: `ServiceFailure` when the system has no descriptor left.
    init() throws(ServiceFailure) {
        var pair: [Int32] = [-1, -1]
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
            throw ServiceFailure("cannot make a socket pair: \(errorText(errno))")
        }
        descriptor = pair[0]
        waker = pair[1]
    }

    deinit {
        Glibc.close(descriptor)
        Glibc.close(waker)
    }

    /// False after `close`: then it is not done.
    @discardableResult
    func put(_ task: @escaping Task) -> Bool {
        let wasEmpty: Bool? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.tasks.append(task)
            return state.tasks.count == 1
        }
        if wasEmpty == true { wake() }
        return wasEmpty != nil
    }

    /// What was put is still done; nothing more is taken.
    func close() {
        state.withLock { $0.isClosed = true }
        wake()
    }

    /// Everything that waits, oldest first, and whether it was the last.
    func take() -> (tasks: [Task], isClosed: Bool) {
        var byte: UInt8 = 0
        while recv(descriptor, &byte, 1, 0) > 0 {}
        return state.withLock { state in
            defer { state.tasks = [] }
            return (state.tasks, state.isClosed)
        }
    }

    private func wake() {
        var byte: UInt8 = 1
        send(waker, &byte, 1, Int32(MSG_NOSIGNAL))
    }
}
