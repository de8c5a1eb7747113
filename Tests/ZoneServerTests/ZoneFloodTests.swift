import DNSMessages
import Foundation
import Primitives
import Synchronization
import Testing
import ZoneServer

/// A UDP client at an address of 127.0.0.0/8; it waits ten seconds for an answer.
///
/// What the kernel itself dropped on its way over loopback, before any socket, no server could answer: that is asked again, and
/// nothing else is.
private final class DatagramClient: Sendable {
    private static let patience = 5
    private let descriptor: Int32
    /// Ids that were asked again; there may be two answers.
    private let repeated = Mutex<Set<[UInt8]>>([])

    init(at ip: IPAddress, to port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var timeout = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let server = Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: port)
        try #require(Endpoint(ip: ip, port: 0).withSocketAddress { bind(descriptor, $0, $1) } == 0)
        try #require(server.withSocketAddress { connect(descriptor, $0, $1) } == 0)
    }

    deinit { close(descriptor) }

    @discardableResult
    func say(_ bytes: [UInt8]) -> Bool { send(descriptor, bytes, bytes.count, 0) == bytes.count }

    /// Twice what a socket of the server has room for; without an end it would crowd out other tests' datagrams too.
    func burst(_ bytes: [UInt8]) { for _ in 0..<600 { say(bytes) } }

    /// Nil when nothing came for two seconds.
    private func hear() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    func ask(_ bytes: [UInt8]) throws -> [UInt8] {
        var dropped = Self.droppedByKernel()
        say(bytes)
        var silences = 0
        while silences < Self.patience {
            if let answer = hear() {
                let id = Array(answer.prefix(2))
                if id != Array(bytes.prefix(2)), repeated.withLock({ $0.contains(id) }) { continue }
                return answer
            }
            silences += 1
            let now = Self.droppedByKernel()
            guard now != dropped else { continue }
            dropped = now
            _ = repeated.withLock { $0.insert(Array(bytes.prefix(2))) }
            say(bytes)
        }
        throw Silence()
    }

    private struct Silence: Error {}

    /// Of the packets that waited for a processor, on all of them (/proc/net/softnet_stat, the second column).
    private static func droppedByKernel() -> [Substring] {
        let text = (try? String(contentsOfFile: "/proc/net/softnet_stat", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            let columns = line.split(separator: " ")
            return columns.count > 1 ? columns[1] : nil
        }
    }
}

@Suite("The zone server and floods by UDP", .serialized)
struct ZoneFloodTests {
    private let key: TSIGKey
    private let forger: TSIGKey
    private let here: IPAddress

    init() throws {
        key = try #require(TSIGKey(name: DNSName("fsdns"), algorithm: .hmacSHA256, secret: [1, 2, 3]))
        forger = try #require(TSIGKey(name: DNSName("fsdns"), algorithm: .hmacSHA256, secret: [3, 2, 1]))
        here = try #require(IPAddress("127.0.0.1"))
    }

    /// With shares and budgets that are the same each time.
    private var limits: ZoneServer.Limits {
        var limits = ZoneServer.Limits()
        limits.answers.seed = 1
        limits.steering = SocketSteering(seed: 0x9E37_79B9)
        return limits
    }

    private func serving(_ limits: ZoneServer.Limits, _ body: (UInt16) async throws -> Void) async throws {
        let server = ZoneServer(
            zone: try ExampleZone.zone(), key: key, listen: [Endpoint(ip: here, port: 0)], limits: limits)
        let port = try await server.start()[0].port
        do {
            try await body(port)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    private func query(_ id: Int) throws -> [UInt8] {
        try DNSMessage.query(id: UInt16(id), name: DNSName("sip.example"), type: .a).wire()
    }

    private func update(_ id: Int, by key: TSIGKey) throws -> [UInt8] {
        let update = DNSUpdate(
            zone: try DNSName("example"), prerequisites: [],
            operations: [.add(try DNSRecord("new\(id).example. 60 A 10.0.0.9"))])
        return key.sign(try update.message(id: UInt16(id)).wire(), at: UInt64(time(nil))).wire
    }

    /// An address whose requests are in the same share as those of 127.0.0.1, or in another.
    private func neighbour(_ steering: SocketSteering, isInSameShare: Bool) throws -> IPAddress {
        try #require(
            (2..<250).lazy.compactMap { IPAddress("127.0.0.\($0)") }.first {
                (steering.share(of: $0) == steering.share(of: here)) == isInSameShare
            })
    }

    @Test(
        "who floods with queries, forged updates or garbage keeps no query and no update of another from an answer",
        arguments: ["queries", "forged updates", "garbage"])
    func flood(_ kind: String) async throws {
        let limits = limits
        let flooded =
            switch kind {
            case "queries": try query(1)
            case "forged updates": try update(1, by: forger)
            default: [UInt8](repeating: 0x7F, count: 300)
            }
        try await serving(limits) { port in
            let flooder = try DatagramClient(
                at: try neighbour(limits.steering, isInSameShare: false), to: port)
            let client = try DatagramClient(at: here, to: port)
            for id in 1...100 {
                flooder.burst(flooded)
                #expect(try DNSMessage(wire: client.ask(query(id))).answers().count == 2)
                flooder.burst(flooded)
                #expect(try client.ask(update(id, by: key))[3] & 15 == 0)
                let framed = [0, UInt8(try query(id).count)] + (try query(id))
                let stream = try Programs.connect(port)
                defer { close(stream) }
                #expect(send(stream, framed, framed.count, Int32(MSG_NOSIGNAL)) == framed.count)
                var answers = Programs.Stream(stream)
                #expect(try answers.message().count > 50)
            }
        }
    }

    @Test(
        "who signed of late is read apart from everybody: a flood that fills the share of his address takes nothing from him"
    )
    func proven() async throws {
        let limits = limits
        let flooded = try query(1)
        try await serving(limits) { port in
            let client = try DatagramClient(at: here, to: port)
            #expect(try client.ask(update(1, by: key))[3] & 15 == 0)
            let flooder = try DatagramClient(
                at: try neighbour(limits.steering, isInSameShare: true), to: port)
            for id in 2...100 {
                flooder.burst(flooded)
                #expect(try DNSMessage(wire: client.ask(query(id))).answers().count == 2)
                flooder.burst(flooded)
                #expect(try client.ask(update(id, by: key))[3] & 15 == 0)
            }
        }
    }

    @Test(
        "beyond its budget an address is told to ask by TCP, in no more bytes than it sent, and forged signatures are answered by silence; valid ones and TCP in full"
    )
    func budget() async throws {
        var limits = ZoneServer.Limits()
        limits.answers.perAddress = 1
        try await serving(limits) { port in
            let client = try DatagramClient(at: here, to: port)
            #expect(try DNSMessage(wire: client.ask(query(1))).answers().count == 2)
            let asked = try query(2)
            let refused = try client.ask(asked)
            #expect(refused.prefix(2) == [0, 2] && refused.count <= asked.count)
            #expect(try DNSMessage(wire: refused).isTruncated)
            // The same socket of the server, so that the answers come in order.
            client.say(forger.sign(try query(3), at: UInt64(time(nil))).wire)
            client.say([0, 4, 0x7F, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            #expect(try client.ask(query(5)).prefix(2) == [0, 5])
            let signed = try client.ask(key.sign(query(6), at: UInt64(time(nil))).wire)
            #expect(signed.prefix(2) == [0, 6] && signed.count > asked.count + 32)
            #expect(try client.ask(update(7, by: key))[3] & 15 == 0)
            #expect(try Programs.converse(port, [0, UInt8(asked.count)] + asked + [0, 1, 0]).count == 74)
        }
    }

    @Test(
        "who asks by TCP, as he is told to, is answered in full by UDP from then on, whoever took his network's share"
    )
    func known() async throws {
        var limits = ZoneServer.Limits()
        limits.answers.perAddress = 1
        try await serving(limits) { port in
            let client = try DatagramClient(at: here, to: port)
            var answers: [DNSMessage] = []
            for id in 1...4 { answers.append(try DNSMessage(wire: client.ask(query(id)))) }
            #expect(answers.contains { $0.isTruncated })
            let asked = try query(5)
            #expect(try Programs.converse(port, [0, UInt8(asked.count)] + asked + [0, 1, 0]).count == 74)
            for id in 6...15 { #expect(try DNSMessage(wire: client.ask(query(id))).answers().count == 2) }
        }
    }

    @Test(
        "what is known is so for a minute, and one /64, or all of a site, has so many places that others keep theirs"
    )
    func knownSources() {
        var known = KnownSources()
        func source(_ text: String) -> DatagramSource { DatagramSource(IPAddress(text)!) }
        func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }
        let (one, other) = (source("2001:db8:1:1::1"), source("10.0.0.1"))
        known.note(one, at: at(0))
        known.note(other, at: at(1))
        #expect(known.contains(one, at: at(59)) && !known.contains(one, at: at(60)))
        for number in 1...5000 {
            known.note(source("2001:db8:2:2::\(String(number, radix: 16))"), at: at(2))
        }
        #expect(known.contains(one, at: at(3)) && known.contains(other, at: at(3)))
        let held = (1...5000).count {
            known.contains(source("2001:db8:2:2::\(String($0, radix: 16))"), at: at(3))
        }
        #expect(held == KnownSources.perNetwork)
        // Nor does it help to have many of them, as in a /58.
        for network in 0..<64 {
            for number in 0..<16 {
                known.note(
                    source("2001:db8:3:\(String(network, radix: 16))::\(String(number, radix: 16))"),
                    at: at(2))
            }
        }
        #expect(known.contains(one, at: at(3)) && known.contains(other, at: at(3)))
        for number in 0..<3000 { known.note(source("10.1.\(number / 250).\(number % 250)"), at: at(4)) }
        let kept = (0..<3000).count {
            known.contains(source("10.1.\($0 / 250).\($0 % 250)"), at: at(5))
        }
        #expect(kept <= KnownSources.limit && kept > KnownSources.limit - 30)
    }

    @Test(
        "one host of a /64 that takes all of its answers leaves its neighbours some, and a known one its own")
    func neighbours() {
        var rates = AnswerBudget.Rates()
        rates.seed = 1
        (rates.perAddress, rates.perHost, rates.reserve) = (100, 5, 20)
        (rates.perKnown, rates.known) = (7, 30)
        var budget = AnswerBudget(rates)
        let now = Instant(nanoseconds: 100_000_000_000)
        func answered(_ count: Int, _ source: (Int) -> String) -> Int {
            (0..<count).count {
                budget.take(DatagramSource(IPAddress(source($0))!), at: now)
            }
        }
        let victim = DatagramSource(IPAddress("2001:db8:1:1::2")!)
        for tenth in 0..<100 {
            let then = now - .seconds(20) + .milliseconds(100 * Int64(tenth))
            for _ in 0..<20 { _ = budget.take(victim, at: then) }
        }
        #expect(answered(1000) { _ in "2001:db8:1:1::bad" } == 100, "he has nothing of the reserve")
        #expect(answered(1000) { _ in "2001:db8:1:1::1" } == 5)
        #expect(answered(1000) { _ in "2001:db8:1:1::2" } == 5)
        #expect(answered(1000) { "2001:db8:1:1::1:\($0)" } == 10, "many addresses take what is left")
        #expect(answered(1000) { _ in "2001:db8:1:2::1" } == 100, "another /64 is none of it")
        let known = DatagramSource(IPAddress("2001:db8:1:1::3")!)
        #expect((0..<100).count { _ in budget.takeKnown(known, at: now) } == 7)
        let others = (0..<100).count {
            budget.takeKnown(DatagramSource(IPAddress("10.0.\($0).1")!), at: now)
        }
        #expect(others == 23)
    }

    @Test("one address, its network and all together have a budget of answers, earned again in a second")
    func rates() {
        var rates = AnswerBudget.Rates()
        rates.seed = 1
        (rates.perAddress, rates.perNetwork, rates.together) = (10, 40, 100)
        (rates.perHost, rates.reserve) = (1, 3)
        var budget = AnswerBudget(rates)
        /// How many of some requests in one moment are answered.
        func answered(_ count: Int, at second: Int64, _ source: (Int) -> String) -> Int {
            (0..<count).count {
                budget.take(
                    DatagramSource(IPAddress(source($0))!), at: Instant(nanoseconds: second * 1_000_000_000))
            }
        }
        #expect(answered(1000, at: 100) { _ in "10.0.0.1" } == 10)
        #expect(answered(1, at: 100) { _ in "10.0.0.2" } == 1)
        #expect(answered(1000, at: 200) { "10.0.0.\($0 % 250)" } == 40)
        #expect(answered(1000, at: 300) { "10.0.\($0 % 250).1" } == 100)
        #expect(answered(1000, at: 301) { _ in "10.0.0.1" } == 10)
        #expect(answered(1000, at: 400) { "2001:db8:1:1::\($0 + 1)" } == 13)
        #expect(answered(1000, at: 500) { "2001:db8:1:\($0 + 1)::1" } == 40)
    }
}
