import Foundation
import Keeper

/// Jobs done in the order they are given, on threads of this queue alone.
///
/// Not a queue of libdispatch: that ends the whole process when it cannot open the file of one of its threads in /proc
/// (src/event/workqueue.c, `_dispatch_workq_count_runnable_workers`), for example while descriptors run short.
final class WorkQueue: Sendable {
    typealias Job = @Sendable () -> Void

    private let bench: Bench

    /// - Parameters:
    ///   - name: of its threads, as `top -H` shows it; 15 bytes at most.
    ///   - width: how many jobs may be under way at once.
    init(_ name: String, width: Int = 1) {
        precondition(width > 0 && name.utf8.count <= 15)
        bench = Bench(name: name, width: width)
    }

    /// What was given before is still done.
    deinit { bench.end() }

    /// Where no thread can be had at all the job is done before this returns.
    func async(_ job: @escaping Job) { bench.add(job) }

    /// Waits until everything given so far is done; for a queue of width 1, and not for its own jobs.
    func flush() {
        let done = Latch()
        async { done.open() }
        done.wait()
    }

    private final class Latch: @unchecked Sendable {
        private let condition = NSCondition()
        private var isOpen = false

        func open() {
            condition.lock()
            isOpen = true
            condition.broadcast()
            condition.unlock()
        }

        func wait() {
            condition.lock()
            while !isOpen { condition.wait() }
            condition.unlock()
        }
    }

    /// What the threads share; they keep it alive, not the queue. Guarded by its condition.
    private final class Bench: @unchecked Sendable {
        private static let stackSize = 1 << 20
        private let name: String
        private let width: Int
        private let condition = NSCondition()
        private var jobs: [Job] = []
        private var threads = 0
        private var idle = 0
        private var isEnding = false

        init(name: String, width: Int) {
            self.name = name
            self.width = width
        }

        func add(_ job: @escaping Job) {
            condition.lock()
            jobs.append(job)
            if idle < jobs.count, threads < width, startThread() { threads += 1 }
            guard threads == 0 else {
                condition.signal()
                return condition.unlock()
            }
            jobs.removeLast()
            condition.unlock()
            job()
        }

        func end() {
            condition.lock()
            isEnding = true
            condition.broadcast()
            condition.unlock()
        }

        private func startThread() -> Bool {
            SystemThread.start(stack: Self.stackSize) { [self] in
                Thread.current.name = name
                work()
            }
        }

        private func work() {
            condition.lock()
            while true {
                if !jobs.isEmpty {
                    let job = jobs.removeFirst()
                    condition.unlock()
                    job()
                    condition.lock()
                } else if isEnding {
                    break
                } else {
                    idle += 1
                    condition.wait()
                    idle -= 1
                }
            }
            condition.unlock()
        }
    }
}
