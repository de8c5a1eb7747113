import Foundation
import GRDB
import Glibc

/// Blocking TCP for tests of a running service: every wait ends after a few seconds.
final class TestSocket {
    struct Failure: Error { var what: String }
    let descriptor: Int32

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    static func connect(port: UInt16) throws -> TestSocket {
        let socket = TestSocket(descriptor: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var name = address(port)
        let status = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failure(what: "connect: \(String(cString: strerror(errno)))") }
        return socket
    }

    /// On a free port of 127.0.0.1.
    static func listen() throws -> (socket: TestSocket, port: UInt16) {
        let socket = TestSocket(descriptor: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var name = address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                bind(socket.descriptor, name, length) == 0 && Glibc.listen(socket.descriptor, 8) == 0
                    && getsockname(socket.descriptor, name, &length) == 0
            }
        }
        guard status else { throw Failure(what: "listen: \(String(cString: strerror(errno)))") }
        return (socket, UInt16(bigEndian: name.sin_port))
    }

    func accept() throws -> TestSocket {
        let client = Glibc.accept(descriptor, nil, nil)
        guard client >= 0 else { throw Failure(what: "nobody connects") }
        return TestSocket(descriptor: client)
    }

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Reads until `isEnough`; throws when nothing more comes.
    func read(until isEnough: (String) -> Bool) throws -> String {
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !isEnough(text) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw Failure(what: "ended after “\(text)”") }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        return text
    }

    /// An event-socket command and its frame's body, or the whole reply.
    func command(_ line: String) throws -> String {
        write(line + "\n\n")
        let text = try read { text in
            guard let end = text.range(of: "\n\n") else { return false }
            guard let match = text.firstMatch(of: /Content-Length: (\d+)/), let length = Int(match.output.1)
            else {
                return true
            }
            return text[end.upperBound...].utf8.count >= length
        }
        guard text.hasPrefix("Content-Type: api/response"), let end = text.range(of: "\n\n") else {
            return text
        }
        return String(text[end.upperBound...])
    }

    static func login(port: UInt16) throws -> TestSocket {
        let socket = try connect(port: port)
        _ = try socket.read { $0.hasSuffix("\n\n") }
        _ = try socket.command("auth ClueCon")
        return socket
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return name
    }
}

/// A folder that is gone afterwards.
final class ScratchFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "fsdns-switch-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// Opened as another process should: it waits for the switch's exclusive batches.
    func database() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        return try DatabaseQueue(path: path + "/core.db", configuration: configuration)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
