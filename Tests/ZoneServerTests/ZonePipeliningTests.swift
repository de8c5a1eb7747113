import DNSMessages
import Foundation
import NIOEmbedded
import Primitives
import Testing

@testable import ZoneServer

/// Clients that send many requests on one connection, as they may (RFC 7766), and those that only want to be a load.
@Suite("Pipelining at the zone server", .serialized) struct ZonePipeliningTests {
    private static let fatRecord =
        "fat TXT " + (0..<230).map { _ in "\"\(String(repeating: "x", count: 250))\"" }.joined(separator: " ")

    /// Serves the example zone and a record of some 60 kB while `body` runs.
    private func serving(
        idle: Duration = .seconds(10), _ body: (UInt16) async throws -> Void
    ) async throws {
        let zone = try Zone(
            ZoneText.parse(ExampleZone.text + Self.fatRecord + "\n", origin: .root, file: "test"))
        var limits = ZoneServer.Limits()
        limits.idle = idle
        let listen = Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 0)
        let server = ZoneServer(zone: zone, key: nil, listen: [listen], limits: limits)
        let port = try await server.start()[0].port
        do {
            try await body(port)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    /// A query with its length in front.
    private func query(_ id: Int, _ name: String, _ type: RecordType) throws -> [UInt8] {
        let query = try DNSMessage.query(id: UInt16(id), name: DNSName(name), type: type).wire()
        return [0, UInt8(query.count)] + query
    }

    @Test(
        "a client that asks for more than any buffer holds before it reads gets every answer in order, also when it has ended what it says"
    )
    func pipelining() async throws {
        let count = 300
        let queries = try (1...count).flatMap { try query($0, "fat.example", .txt) }
        try await serving(idle: .seconds(120)) { port in
            for endsFirst in [false, true] {
                let client = try Programs.connect(port)
                defer { close(client) }
                #expect(send(client, queries, queries.count, Int32(MSG_NOSIGNAL)) == queries.count)
                if endsFirst { shutdown(client, Int32(SHUT_WR)) }
                // Nothing is read until all buffers between are full.
                try await Task.sleep(for: .milliseconds(300))
                var stream = Programs.Stream(client)
                for id in 1...count {
                    let answer = try stream.message()
                    #expect(answer.prefix(2) == [UInt8(id >> 8), UInt8(id & 0xFF)])
                    #expect(answer.count > 50_000)
                }
                if endsFirst { #expect(throws: Programs.Failure.self) { try stream.message() } }
            }
        }
    }

    @Test(
        "one that asks on and never reads is closed, and meanwhile no more is kept of it than a message or two"
    )
    func deaf() async throws {
        let queries = try (1...2000).flatMap { try query($0, "fat.example", .txt) }
        try await serving(idle: .milliseconds(500)) { port in
            let client = try Programs.connect(port)
            defer { close(client) }
            var timeout = timeval(tv_sec: 0, tv_usec: 100_000)
            setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
            let clock = ContinuousClock()
            let start = clock.now
            var taken = 0
            var isClosed = false
            while !isClosed, clock.now - start < .seconds(9) {
                let sent = send(client, queries, queries.count, Int32(MSG_NOSIGNAL))
                if sent > 0 { taken += sent } else { isClosed = errno != EAGAIN }
            }
            #expect(isClosed)
            // The kernel's buffers take some megabytes; without a bound it would be as much as is sent in that time.
            #expect(taken < 32 << 20)
        }
    }

    @Test("no more than some turns happen before the loop looks at its sockets, however many wait")
    func pauses() {
        let loop = EmbeddedEventLoop()
        let queue = ConnectionTurns()
        var turns = 0
        func again() {
            turns += 1
            queue.add(on: loop) { again() }
        }
        for _ in 0..<20 { queue.add(on: loop) { again() } }
        loop.run()
        #expect(turns == 0)
        for round in 1...5 {
            loop.advanceTime(by: .microseconds(200))
            #expect(turns == round * 8)
        }
    }

    @Test("connections that ask without end have turns with everybody else")
    func turns() async throws {
        let framed = try query(1, "sip.example", .a)
        let burst = Array(repeatElement(framed, count: 2000).joined())
        try await serving { port in
            let crowd = try (0..<12).map { _ in try Programs.connect(port) }
            let ends = crowd.map { client in
                let flood = Programs.Flood(client, burst)
                flood.start()
                return flood
            }
            let clock = ContinuousClock()
            var longest = Duration.zero
            for _ in 0..<20 {
                let start = clock.now
                let client = try Programs.connect(port)
                #expect(send(client, framed, framed.count, Int32(MSG_NOSIGNAL)) == framed.count)
                var stream = Programs.Stream(client)
                #expect(try stream.message().count > 50)
                close(client)
                longest = max(longest, clock.now - start)
            }
            for end in ends { end.stop() }
            #expect(longest < .seconds(2))
        }
    }
}
