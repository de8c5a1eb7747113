import Foundation
import Glibc

/// The outside programs the tests talk through.
enum Programs {
    struct Failure: Error { var reason: String }

    /// Where they must be there (CI), tests run and fail without them; elsewhere they are skipped.
    static var areExpected: Bool {
        ProcessInfo.processInfo.environment["CI"] == "true"
            || access("/usr/bin/dig", X_OK) == 0 && access("/usr/bin/nsupdate", X_OK) == 0
    }

    /// Runs a program to its end and returns what it said; `input` must fit into a pipe.
    static func run(
        _ path: String, _ arguments: [String], input: String = ""
    ) throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stderr
        try process.run()
        stdin.fileHandleForWriting.write(Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let output = stdout.fileHandleForReading.readDataToEndOfFile()
        let errors = stderr.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: output, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }

    /// A TCP connection to 127.0.0.1, on which a read waits ten seconds at most.
    static func connect(_ port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failure(reason: "connect: errno \(errno)") }
        return descriptor
    }

    /// Sends bytes by TCP to 127.0.0.1 and reads until the server closes, at most ten seconds a read.
    static func converse(_ port: UInt16, _ bytes: [UInt8]) throws -> [UInt8] {
        let descriptor = try connect(port)
        defer { close(descriptor) }
        guard bytes.isEmpty || send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
        else { throw Failure(reason: "send: errno \(errno)") }
        var answer: [UInt8] = []
        while true {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 || count < 0 && errno == ECONNRESET { return answer }
            guard count > 0 else { throw Failure(reason: "not closed: errno \(errno)") }
            answer += buffer[..<count]
        }
    }

    /// Reads framed messages one by one.
    struct Stream {
        private let descriptor: Int32
        private var bytes: ArraySlice<UInt8> = []

        init(_ descriptor: Int32) { self.descriptor = descriptor }

        /// The next message; throws when the other end closes or says nothing for ten seconds.
        mutating func message() throws -> [UInt8] {
            let length = try take(2).reduce(0) { $0 << 8 | Int($1) }
            return Array(try take(length))
        }

        private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
            while bytes.count < count {
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                let read = recv(descriptor, &buffer, buffer.count, 0)
                guard read > 0 else { throw Failure(reason: "closed: errno \(errno)") }
                bytes += buffer[..<read]
            }
            defer { bytes = bytes.dropFirst(count) }
            return bytes.prefix(count)
        }
    }

    /// Sends the same bytes again and again, and reads what comes, until it is stopped.
    final class Flood: Sendable {
        private let descriptor: Int32
        private let bytes: [UInt8]

        init(_ descriptor: Int32, _ bytes: [UInt8]) { (self.descriptor, self.bytes) = (descriptor, bytes) }

        func start() {
            Thread { [descriptor, bytes] in
                while send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) > 0 {}
            }.start()
            Thread { [descriptor] in
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                while recv(descriptor, &buffer, buffer.count, 0) > 0 {}
                close(descriptor)
            }.start()
        }

        func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
}
