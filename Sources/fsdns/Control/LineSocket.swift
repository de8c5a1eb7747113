@preconcurrency import Glibc
import Keeper

/// One connection to a UNIX socket that speaks in lines; every wait ends by itself.
struct LineSocket: ~Copyable {
    enum Failure: Error, Hashable, Sendable {
        case pathTooLong
        /// The error number of `connect` or of a later call.
        case system(Int32)
        case timeout
        case lineTooLong
        case closed
        /// Words of the node instead of an answer.
        case said(String)
    }

    /// Longest answer line, in bytes; 64 nodes and 256 addresses need far less.
    static let maximumLine = 4 << 20

    private let descriptor: Int32
    private var received: [UInt8] = []
    private var scanned = 0

    init(path: String, patience: Duration) throws(Failure) {
        do throws(SystemFailure) {
            descriptor = try UnixSocket.connect(
                path: path, kind: SOCK_STREAM.rawValue, patience: patience)
        } catch {
            switch error.errno {
            case ENAMETOOLONG: throw .pathTooLong
            case EAGAIN: throw .timeout
            default: throw .system(error.errno)
            }
        }
    }

    deinit { close(descriptor) }

    func send(line: [UInt8]) throws(Failure) {
        var rest = (line + [10])[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw errno == EAGAIN ? .timeout : .system(errno)
            }
            rest = rest.dropFirst(count)
        }
    }

    /// The next line without its end; `patience` nil waits until the other side hangs up.
    mutating func nextLine(patience: Duration?) throws(Failure) -> [UInt8] {
        let watch = Stopwatch()
        while true {
            if let end = received[scanned...].firstIndex(of: 10) {
                let line = Array(received[..<end])
                received.removeSubrange(...end)
                scanned = 0
                return line
            }
            scanned = received.count
            if received.count > Self.maximumLine { throw .lineTooLong }
            try waitForBytes(patience.map { $0 - watch.elapsed })
            try receive()
        }
    }

    private func waitForBytes(_ patience: Duration?) throws(Failure) {
        var milliseconds: Int32 = -1
        if let patience {
            let (seconds, attoseconds) = patience.components
            milliseconds = Int32(clamping: seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
            if milliseconds <= 0 { throw .timeout }
        }
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let count = Glibc.poll(&poll, 1, milliseconds)
        if count < 0, errno != EINTR { throw .system(errno) }
        if count == 0 { throw .timeout }
    }

    private mutating func receive() throws(Failure) {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count == 0 { throw .closed }
        if count < 0 {
            if errno == EINTR || errno == EAGAIN { return }
            throw .system(errno)
        }
        received += bytes[..<count]
    }
}
