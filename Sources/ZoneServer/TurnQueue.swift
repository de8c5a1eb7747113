import NIOCore

/// Connections with more requests than one turn, each of which has a turn after the other.
///
/// An event loop carries out what it is given, and what that gives it, before it looks at its sockets again. So after some
/// turns there is a pause, in which new connections and new requests come in: whoever asks for more waits for those who ask
/// for little, and not the other way round.
final class TurnQueue {
    /// Some eight queries each.
    private static let turnsAtOnce = 8
    private static let pause: TimeAmount = .microseconds(200)

    private var waiting: [() -> Void] = []
    private var isDue = false

    /// - Parameter loop: always the same one, on which this is called.
    func add(on loop: any EventLoop, _ turn: @escaping () -> Void) {
        waiting.append(turn)
        goOn(on: loop)
    }

    private func goOn(on loop: any EventLoop) {
        guard !isDue, !waiting.isEmpty else { return }
        isDue = true
        loop.assumeIsolated().scheduleTask(in: Self.pause) { [self] in
            isDue = false
            let now = waiting.prefix(Self.turnsAtOnce)
            waiting.removeFirst(now.count)
            for turn in now { turn() }
            goOn(on: loop)
        }
    }
}
