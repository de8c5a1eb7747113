@preconcurrency import Glibc

/// Draws a picture again and again: in place on a terminal, as blocks with a line between them elsewhere.
enum Screen {
    private static let enter = "\u{1B}[?1049h\u{1B}[?25l"
    private static let leave = "\u{1B}[?25h\u{1B}[?1049l"

    /// Ends on SIGINT, SIGTERM or SIGHUP, with the terminal as it was; `picture` gets whether it is the first one and
    /// how many columns there are.
    static func watch(
        every interval: Duration, picture: (_ first: Bool, _ width: Int?) throws -> [String]
    ) throws {
        // Blocked and waited for, so that no handler runs in the middle of a picture.
        let signals = SignalWait([SIGINT, SIGTERM, SIGHUP, SIGWINCH])
        let isTerminal = Output.isTerminal
        if isTerminal { Output.raw(enter) }
        defer { if isTerminal { Output.raw(leave) } }
        var isFirst = true
        while true {
            let size = Output.size
            let lines = try picture(isFirst, size?.columns)
            if isTerminal {
                Output.raw(frame(lines, rows: size?.rows))
            } else {
                Output.lines((isFirst ? [] : [String(repeating: "-", count: 72)]) + lines)
            }
            isFirst = false
            if let signal = signals.next(within: interval), signal != SIGWINCH { return }
        }
    }

    /// Each line wipes only its own rest, and the last what lies below: nothing flickers.
    static func frame(_ lines: [String], rows: Int?) -> String {
        let shown = rows.map { lines.prefix(max(1, $0 - 1)) } ?? lines[...]
        return "\u{1B}[H" + shown.map { Output.visible($0) + "\u{1B}[K\r\n" }.joined() + "\u{1B}[J"
    }
}

/// Signals that are waited for instead of handled; from then on they do nothing else.
struct SignalWait: Sendable {
    private let set: sigset_t

    init(_ signals: [Int32]) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        self.set = set
    }

    /// The signal that came, or nil when none did.
    func next(within duration: Duration) -> Int32? {
        let (seconds, attoseconds) = duration.components
        var time = timespec(tv_sec: Int(max(0, seconds)), tv_nsec: Int(max(0, attoseconds) / 1_000_000_000))
        var set = set
        let signal = sigtimedwait(&set, nil, &time)
        return signal > 0 ? signal : nil
    }
}
