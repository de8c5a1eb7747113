import Cluster
import Consensus
import GRDB
@preconcurrency import Glibc
import Primitives
import Synchronization

/// Makes the node's log and votes durable, in order, on a thread of its own.
///
/// What is asked while a write is under way is written together in the next transaction, so that a slow disk sees
/// few synchronous writes. What a full disk does not take is kept and tried again: a node that holds an address needs no disk to
/// go on holding it, and other machines' disks are likely to be as full.
final class Storage: Sendable {
    /// Also used to record a new incarnation.
    enum Job: Sendable {
        case store(StoreRequest<StampedCommand, ControlState>)
        case recordIncarnation(UInt64)
    }

    private struct State {
        var waiting: [Job] = []
        var isWriting = false
        /// Since when the write under way has not ended.
        var since: Instant?
        /// Why the write under way is tried again and again.
        var obstacle: String?
        var isFinishing = false
        var room = DiskRoom.enough
        var nextLook = Instant.zero
        /// Since when a look at the disk has not ended.
        var lookingSince: Instant?
    }

    private static let pause: Duration = .milliseconds(250)
    private static let lookInterval: Duration = .seconds(5)
    /// A write that takes longer is told of.
    private static let patience: Duration = .seconds(2)

    private let file: StateFile
    private let queue = WorkQueue("storage")
    /// Not that of the decisions: they wait for nothing but their disk.
    private let looks = WorkQueue("disk")
    private let state = Mutex(State())
    private let directory: String
    private let answer: @Sendable (Event) -> Void

    /// - Parameters:
    ///   - directory: where the file is, whose disk is watched.
    ///   - answer: gets `.stored`, `.storeFailed` and `.incarnationRecorded`, in the order of the jobs.
    init(file: StateFile, directory: String, answer: @escaping @Sendable (Event) -> Void) {
        self.file = file
        self.directory = directory
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

    /// Waits until everything asked for is written, or the disk is found full.
    func finish() {
        state.withLock { $0.isFinishing = true }
        queue.flush()
    }

    /// What is wrong with the disk, in words; nil when nothing is. To be asked about once a second; does not wait for the disk.
    func trouble(at now: Instant) -> Blocker? {
        let (state, isDue) = state.withLock { state in
            let isDue = now >= state.nextLook && state.lookingSince == nil
            if isDue {
                state.nextLook = now + Self.lookInterval
                state.lookingSince = now
            }
            return (state, isDue)
        }
        if isDue { looks.async { self.look() } }
        if let obstacle = state.obstacle {
            return Blocker(.disk, nil, "no decision can be written, \(obstacle): make room in \(directory)")
        }
        let hangs = [state.since, state.lookingSince].contains { since in
            since.map { now - $0 > Self.patience } ?? false
        }
        if hangs {
            return Blocker(.disk, nil, "nothing was written for 2 s, the disk hangs: that of \(directory)")
        }
        return state.room.trouble.map { Blocker(.room, nil, "\($0): make room in \(directory)") }
    }

    /// A disk that hangs is known before something must be written: a byte is, to a file of its own.
    private func look() {
        let room = DiskRoom(of: directory)
        let probe = open("\(directory)/probe", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if probe >= 0 {
            var byte: UInt8 = 0
            _ = pwrite(probe, &byte, 1, 0)
            _ = fdatasync(probe)
            close(probe)
        }
        state.withLock {
            $0.room = room
            $0.lookingSince = nil
        }
    }

    private func writeAll() {
        while true {
            let jobs: [Job] = state.withLock { state in
                if state.waiting.isEmpty { state.isWriting = false }
                state.since = state.isWriting ? Instant.now() : nil
                defer { state.waiting = [] }
                return state.waiting
            }
            if jobs.isEmpty { return }
            do {
                try write(jobs)
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

    /// Tries again for as long as the disk is full. What waits meanwhile is a vote, the entries of a leader that goes on, or
    /// nothing: without an answer of this disk no decision counts it in.
    private func write(_ jobs: [Job]) throws {
        defer { state.withLock { $0.obstacle = nil } }
        while true {
            do {
                return try file.write(jobs)
            } catch {
                guard let obstacle = StateFile.obstacle(error), !state.withLock(\.isFinishing) else {
                    throw error
                }
                state.withLock { $0.obstacle = obstacle }
                usleep(UInt32(Self.pause.nanoseconds / 1000))
            }
        }
    }
}
