@preconcurrency import Glibc
import Kernel
import Primitives

/// Standard output and standard error, unbuffered, so that progress is seen when it happens.
enum Output {
    /// One line for people: whatever it holds, it stays one line and steers no terminal.
    static func line(_ text: String) { write(visible(text) + "\n", to: STDOUT_FILENO) }

    static func lines(_ texts: [String]) {
        if !texts.isEmpty { write(texts.map(visible).joined(separator: "\n") + "\n", to: STDOUT_FILENO) }
    }

    /// JSON, for programs; what would steer a terminal is escaped all the same.
    static func document(_ text: String) { write(VisibleText.json(text) + "\n", to: STDOUT_FILENO) }

    /// Without a line end.
    static func raw(_ text: String) { write(text, to: STDOUT_FILENO) }

    static func error(_ text: String) {
        write(VisibleText.line(text, keepingColours: false) + "\n", to: STDERR_FILENO)
    }

    static func visible(_ text: String) -> String {
        VisibleText.line(text, keepingColours: Paint.standard.isOn)
    }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Columns and rows of the terminal; nil when standard output is none.
    static var size: (columns: Int, rows: Int)? {
        var size = winsize()
        guard isTerminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return nil
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return
            }
            rest = rest.dropFirst(count)
        }
    }
}

/// The environment of this process.
enum Environment {
    /// Nil when unset or empty.
    static func value(_ name: String) -> String? {
        guard let text = getenv(name).map({ String(cString: $0) }), !text.isEmpty else { return nil }
        return text
    }
}

/// Time since boot, for bounds and measurements; no step of a wall clock moves it.
struct Stopwatch: Sendable {
    private let start = Instant.now()

    var elapsed: Duration { Instant.now() - start }

    static func sleep(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        var rest = timespec()
        while nanosleep(&time, &rest) != 0, errno == EINTR { time = rest }
    }
}
