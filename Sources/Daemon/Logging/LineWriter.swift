@preconcurrency import Glibc

/// Writes lines to a descriptor whose reader may be stuck: what cannot be written soon is counted and left out.
///
/// Used from one queue at a time.
final class LineWriter: @unchecked Sendable {
    /// Milliseconds that the first line waits for a reader; while it stays stuck, the others do not wait.
    private static let patience: Int32 = 1000
    private let descriptor: Int32
    private var isStuck = false
    private var lost = 0

    init(to descriptor: Int32) { self.descriptor = descriptor }

    /// A line without its end.
    func write(_ line: String) {
        guard isReady else {
            lost += 1
            return
        }
        if lost > 0 {
            put("\(WallClock.text()) warning log \"\(lost) lines were lost: nobody read them\"")
            lost = 0
        }
        put(line)
    }

    private var isReady: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let isReady = poll(&entry, 1, isStuck ? 0 : Self.patience) > 0
        isStuck = !isReady
        return isReady
    }

    /// A pipe that is ready takes 4,096 bytes (PIPE_BUF) without blocking; a longer line goes in such pieces.
    private func put(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        var written = 0
        while written < bytes.count {
            if written > 0, !isReady { return }
            let piece = Array(bytes[written...].prefix(4096))
            let count = Glibc.write(descriptor, piece, piece.count)
            if count <= 0 { return }
            written += count
        }
    }
}
