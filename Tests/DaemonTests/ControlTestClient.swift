import Glibc
import Testing
import Wire

@testable import Daemon

/// A connected command: blocking, with a time limit on every read.
final class ControlTestClient {
    private let descriptor: Int32
    private var received: [UInt8] = []

    init(_ path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let code = withUnsafePointer(to: name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(code == 0)
    }

    deinit { close(descriptor) }

    func say(_ bytes: [UInt8]) {
        #expect(send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    }

    /// Says it again and again until nothing more is taken, or so many bytes are; returns how many.
    func offer(_ bytes: [UInt8], upTo limit: Int) -> Int {
        let many = Array(repeating: bytes, count: max(1, 65_536 / bytes.count)).flatMap { $0 }
        var taken = 0
        while taken < limit {
            let count = send(descriptor, many, many.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            guard count > 0 else {
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                if poll(&entry, 1, 500) == 1, entry.revents & Int16(POLLOUT) != 0 { continue }
                return taken
            }
            taken += count
        }
        return taken
    }

    func ask(_ body: ControlRequest.Body) { say(ControlJSON.encode(ControlRequest(body)) + [10]) }

    /// The next line; nil at the end.
    func line() -> [UInt8]? {
        while true {
            if let end = received.firstIndex(of: 10) {
                defer { received.removeFirst(end + 1) }
                return Array(received[..<end])
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            received += buffer[..<count]
        }
    }

    func response() throws -> ControlResponse {
        try ControlJSON.decode(ControlResponse.self, try #require(line()), field: "response")
    }
}
