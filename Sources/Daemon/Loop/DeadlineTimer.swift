import NIOCore
import Primitives

/// Says on an event loop, which it belongs to, when the deadline of a value has come.
///
/// Perhaps also earlier: a deadline that moves later keeps the turn it had, as the value looks at its deadline anyway.
final class DeadlineTimer {
    private let loop: any EventLoop
    private let shortest: Duration
    private var turn: (due: Instant, task: Scheduled<Void>)?

    /// - Parameter shortest: between being asked and saying it, so that a deadline that is over leaves room for sockets.
    init(on loop: any EventLoop, shortest: Duration = .milliseconds(1)) {
        self.loop = loop
        self.shortest = shortest
    }

    /// - Parameter due: nil changes nothing.
    func wake(at due: Instant?, _ run: @escaping () -> Void) {
        guard let due else { return }
        if let turn, turn.due <= due { return }
        turn?.task.cancel()
        let wait = max(shortest, due - Instant.now())
        let task = loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [weak self] in
            self?.turn = nil
            run()
        }
        turn = (due, task)
    }

    func cancel() { turn?.task.cancel() }
}
