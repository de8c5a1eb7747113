import Cluster
import ControlProtocol
import Glibc
import Keeper
import NIOPosix
import PeerProtocol
import Testing

@testable import Daemon

/// A control socket in a directory of its own, whose node only remembers what it was asked.
struct ControlSite {
    private let directory = TemporaryDirectory()
    var path: String { "\(directory.path)/control.sock" }
    let journal = EventJournal(node: "fs1")
    let asked = Mailbox<UInt64>()
    let requests = Mailbox<OperatorRequest>()

    func serve(
        patience: Duration = .seconds(60),
        shared: (@Sendable (SharedKind, @escaping @Sendable ([SharedPart]) -> Void) -> Void)? = nil
    ) throws -> ControlSocket {
        let (asked, requests) = (asked, requests)
        var parts = ControlSocket.Asked(
            ask: { id, request in
                requests.put(request)
                asked.put(id)
            },
            rings: { $0(RingsReport(node: "fs1", paths: [], dropped: [], warnings: ["one"])) })
        parts.shared = shared
        let socket = ControlSocket(
            path: path, node: "fs1", journal: journal, asked: parts, patience: patience)
        try socket.start(on: MultiThreadedEventLoopGroup.singleton)
        return socket
    }
}

/// A connected command: blocking, with a time limit on every read.
final class ControlTestClient {
    private let descriptor: Int32
    private var received: [UInt8] = []

    init(_ path: String) {
        descriptor = (try? UnixSocket.connect(path: path, kind: SOCK_STREAM.rawValue)) ?? -1
        #expect(descriptor >= 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
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
