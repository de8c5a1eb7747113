import Cluster
import Consensus
import GRDB
import Synchronization

/// Makes the node's log and votes durable, in order, on a thread of its own.
///
/// What is asked while a write is under way is written together in the next transaction, so that a slow disk sees
/// few synchronous writes.
final class Storage: Sendable {
    /// Also used to record a new incarnation.
    enum Job: Sendable {
        case store(StoreRequest<StampedCommand, ControlState>)
        case recordIncarnation(UInt64)
    }

    private struct State {
        var waiting: [Job] = []
        var isWriting = false
    }

    private let file: StateFile
    private let queue = WorkQueue("storage")
    private let state = Mutex(State())
    private let answer: @Sendable (Event) -> Void

    /// - Parameter answer: gets `.stored`, `.storeFailed` and `.incarnationRecorded`, in the order of the jobs.
    init(file: StateFile, answer: @escaping @Sendable (Event) -> Void) {
        self.file = file
        self.answer = answer
    }

    func enqueue(_ job: Job) {
        let begin = state.withLock { state in
            state.waiting.append(job)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if begin { queue.async { self.writeAll() } }
    }

    /// Waits until everything asked for is written.
    func finish() { queue.flush() }

    private func writeAll() {
        while true {
            let jobs: [Job] = state.withLock { state in
                if state.waiting.isEmpty { state.isWriting = false }
                defer { state.waiting = [] }
                return state.waiting
            }
            if jobs.isEmpty { return }
            do {
                try file.write(jobs)
                for job in jobs {
                    switch job {
                    case .store(let request): answer(.stored(sequence: request.sequence))
                    case .recordIncarnation(let incarnation): answer(.incarnationRecorded(incarnation))
                    }
                }
            } catch {
                for job in jobs {
                    // A start that is not recorded must not be used: the node stays what it was and stops.
                    let sequence: UInt64 = if case .store(let request) = job { request.sequence } else { 0 }
                    answer(.storeFailed(sequence: sequence, reason: file.explain(error)))
                }
            }
        }
    }
}
