import NIOCore
import Primitives

/// Connections with more requests than one turn, each of which has a turn after the other.
final class ConnectionTurns {
    /// Of some eight queries each.
    private var queue = TurnQueue<() -> Void>(
        TurnQueue.Pace(turns: 8, time: .seconds(1), pause: .microseconds(200)))

    /// - Parameter loop: always the same one, on which this is called.
    func add(on loop: any EventLoop, _ turn: @escaping () -> Void) {
        if let pause = queue.add(turn) { goOn(on: loop, in: pause) }
    }

    private func goOn(on loop: any EventLoop, in pause: Duration) {
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(pause.nanoseconds)) { [self] in
            queue.begin()
            // Turns are counted, not timed: each is about as long as another.
            while let turn = queue.next(after: .zero) { turn() }
            if let pause = queue.end(after: .zero) { goOn(on: loop, in: pause) }
        }
    }
}
