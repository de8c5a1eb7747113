import Foundation
import Limits
import Primitives
import Testing

@testable import Daemon

/// A connection to the limit service as hiredis makes one: blocking, with a time limit on every read.
final class LimitServiceClient: @unchecked Sendable {
    private let descriptor: Int32
    private var received: [UInt8] = []

    init(_ endpoint: Endpoint) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        try #require(endpoint.withSocketAddress { connect(descriptor, $0, $1) } == 0)
    }

    deinit { close(descriptor) }

    /// False when the other end is gone.
    @discardableResult
    func say(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    /// Sends what fits without waiting; returns how many bytes did.
    func offer(_ text: String) -> Int {
        let bytes = Array(text.utf8)
        return send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    /// The next line, without its end; nil at the end of the stream.
    func line() -> String? {
        while true {
            if let end = received.firstIndex(of: 10) {
                defer { received.removeFirst(end + 1) }
                return String(decoding: received[..<end].filter { $0 != 13 }, as: UTF8.self)
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            received += buffer[..<count]
        }
    }

    func ask(_ command: String) -> String? {
        say(command + "\r\n")
        return line()
    }
}

/// A foreign client: a program of the redis-tools package, with a bound on how long it may run.
struct ForeignClient {
    static let path = "/usr/bin/redis-cli"
    static let isInstalled = FileManager.default.isExecutableFile(atPath: path)
    static let missing: Comment = "needs redis-cli and redis-benchmark: apt-get install redis-tools"

    var status: Int32
    var output: String

    static func run(_ program: String, _ arguments: [String], input: String = "") throws -> ForeignClient {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/timeout")
        process.arguments = ["60", program] + arguments
        let standardInput = Pipe()
        let standardOutput = Pipe()
        process.standardInput = standardInput
        process.standardOutput = standardOutput
        process.standardError = standardOutput
        try process.run()
        try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try standardInput.fileHandleForWriting.close()
        let output = try standardOutput.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return ForeignClient(
            status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
    }
}

/// A running limit service, and what it tells is to be written.
final class LimitServiceUnderTest {
    let service: LimitService
    let batches = Mailbox<[LimitChange]>()

    init(
        password: String? = nil, clients: Int = 64, strangerPatience: Duration = .seconds(10),
        patience: Duration = .seconds(30)
    ) throws {
        var settings = LimitService.Settings()
        settings.endpoint.port = 0
        settings.password = password.map { Array($0.utf8) }
        settings.clients = clients
        settings.strangerPatience = strangerPatience
        settings.patience = patience
        let batches = batches
        service = try LimitService(
            settings: settings, book: LimitBook(me: "fs1", seed: 9), log: .silent,
            changed: { batches.put($0) })
    }

    deinit { service.stop() }

    func client() throws -> LimitServiceClient { try LimitServiceClient(service.endpoint) }

    func value(_ key: String) async -> UInt64? {
        await service.ask { book, now in Array(key.utf8).withUnsafeBytes { book.value($0, at: now) } } ?? nil
    }
}
