import Foundation
import Limits
import Primitives
import Testing

@testable import Daemon

@Suite("Limit service", .serialized)
struct LimitServiceTests {
    private func put(_ service: LimitService, _ node: String, _ key: String, _ counted: UInt32) {
        let change = LimitChange.put(
            LimitKey(.hiredis, key).record, LimitUsage.counter(CounterUsage(counted: counted)).bytes)
        service.update { book, now in try? book.apply(change, of: LimitOrigin(node: node, life: 1), at: now) }
    }

    @Test("all connections count in one book, and what others use counts from the moment it is known")
    func shared() async throws {
        let test = try LimitServiceUnderTest()
        let one = try test.client()
        let two = try test.client()
        #expect(one.ask("incr carrier1") == ":1")
        #expect(two.ask("incr carrier1") == ":2")
        put(test.service, "fs2", "carrier1", 3)
        _ = await test.value("carrier1")
        #expect(one.ask("decr carrier1") == ":4")
        #expect(await test.value("carrier1") == 4)
        #expect(one.ask("get carrier1") == "$1")
    }

    @Test("a command may come byte by byte, and many in one segment")
    func pieces() throws {
        let test = try LimitServiceUnderTest()
        let client = try test.client()
        for byte in "*2\r\n$4\r\nincr\r\n$1\r\na\r\n" { client.say(String(byte)) }
        #expect(client.line() == ":1")
        client.say(String(repeating: "*2\r\n$4\r\nincr\r\n$1\r\na\r\n", count: 3000))
        for count in 2...3001 { #expect(client.line() == ":\(count)") }
    }

    @Test("what changed is told in batches that say only how it stands")
    func batches() throws {
        let test = try LimitServiceUnderTest()
        let client = try test.client()
        client.say(String(repeating: "incr a\r\n", count: 500))
        for _ in 1...500 { _ = client.line() }
        var told = 0
        var batches = 0
        while told < 500, let batch = test.batches.next() {
            batches += 1
            #expect(batch.count == 1)
            guard case .counter(let usage) = LimitUsage(bytes: batch[0].payload) else {
                Issue.record("no counter")
                return
            }
            told = Int(usage.counted)
        }
        #expect(told == 500)
        #expect(batches < 100)
    }

    @Test("checks one after another are told once a millisecond, and the last of them though nothing follows")
    func pace() throws {
        let test = try LimitServiceUnderTest()
        let client = try test.client()
        let start = Instant.now()
        for count in 1...300 { #expect(client.ask("INCR a") == ":\(count)") }
        var told: [UInt64] = []
        while told.last != 300, let batch = test.batches.next() {
            guard case .counter(let usage) = LimitUsage(bytes: batch[0].payload) else {
                Issue.record("no counter")
                return
            }
            told.append(UInt64(usage.counted))
        }
        #expect(told.last == 300)
        // At least a millisecond lies between two of them.
        let milliseconds = (Instant.now() - start).nanoseconds / 1_000_000
        #expect(Int64(told.count) <= milliseconds + 1)
    }

    @Test("clients at once lose no count")
    func concurrency() async throws {
        let test = try LimitServiceUnderTest()
        let clients = try (1...8).map { _ in try test.client() }
        await withTaskGroup(of: Void.self) { group in
            for client in clients {
                group.addTask { for _ in 1...500 { #expect(client.ask("incr a") != nil) } }
            }
        }
        #expect(await test.value("a") == 4000)
    }

    @Test("a rate ends by itself, and this is told")
    func expiry() throws {
        let test = try LimitServiceUnderTest()
        let client = try test.client()
        #expect(client.ask("incr cps") == ":1")
        #expect(client.ask("expire cps 1") == ":1")
        let isEnded: ([LimitChange]) -> Bool = { $0.contains(.remove(LimitKey(.hiredis, "cps").record)) }
        #expect(test.batches.next(where: isEnded) != nil)
        #expect(client.ask("get cps") == "$-1")
    }

    // MARK: - Who may come, and stay

    @Test("a wrong password is answered late, to its client alone, and a few of them end the connection")
    func passwords() throws {
        let test = try LimitServiceUnderTest(password: "s3cret")
        let bad = try test.client()
        let good = try test.client()
        #expect(good.ask("incr a") == "-NOAUTH Authentication required.")
        let start = Instant.now()
        bad.say("AUTH wrong\r\nping\r\n")
        #expect(good.ask("AUTH s3cret") == "+OK")
        #expect(good.ask("incr a") == ":1")
        #expect(bad.line()?.hasPrefix("-WRONGPASS") == true)
        #expect(Instant.now() - start >= .milliseconds(50))
        #expect(bad.line() == "-NOAUTH Authentication required.")
        for _ in 2...5 { #expect(bad.ask("AUTH wrong")?.hasPrefix("-WRONGPASS") == true) }
        #expect(bad.line() == nil)
        #expect(good.ask("incr a") == ":2")
    }

    @Test("one client too many is told so; one that leaves makes room")
    func clients() throws {
        let test = try LimitServiceUnderTest(clients: 2)
        let one = try test.client()
        var two: LimitServiceClient? = try test.client()
        #expect(one.ask("ping") == "+PONG")
        #expect(two?.ask("ping") == "+PONG")
        let three = try test.client()
        #expect(three.line() == "-ERR max number of clients reached")
        #expect(three.line() == nil)
        two = nil
        // The service may not have seen yet that it left.
        var answer: String?
        for _ in 1...100 where answer != "+PONG" { answer = try test.client().ask("ping") }
        #expect(answer == "+PONG")
    }

    @Test("a crowd that gives no password shuts nobody out who does")
    func crowd() throws {
        let test = try LimitServiceUnderTest(password: "s3cret", clients: 2)
        let known = try test.client()
        #expect(known.ask("auth s3cret") == "+OK")
        let crowd = try (0..<400).map { _ in try test.client() }
        let clock = ContinuousClock()
        let start = clock.now
        let late = try test.client()
        #expect(late.ask("auth s3cret") == "+OK")
        #expect(late.ask("incr a") == ":1")
        #expect(clock.now - start < .seconds(1))
        #expect(known.ask("incr a") == ":2")
        #expect(crowd[0].line() == nil, "the oldest made room")
        let third = try test.client()
        third.say("auth s3cret\r\n")
        #expect(third.line() == "-ERR max number of clients reached")
    }

    @Test("who gives no password, or half a command, is hung up on in time; who is only quiet is not")
    func patience() throws {
        let test = try LimitServiceUnderTest(password: "s3cret", strangerPatience: .zero, patience: .zero)
        let stranger = try test.client()
        let half = try test.client()
        let quiet = try test.client()
        #expect(quiet.ask("AUTH s3cret") == "+OK")
        half.say("AUTH s3cret\r\n*")
        #expect(half.line() == "+OK")
        #expect(half.line() == nil)
        #expect(stranger.line() == nil)
        #expect(quiet.ask("ping") == "+PONG")
    }

    @Test("a client that does not read is not read either, loses nothing, and disturbs nobody")
    func slowReader() throws {
        let test = try LimitServiceUnderTest()
        let slow = try test.client()
        let other = try test.client()
        var offered = 0
        let batch = String(repeating: "echo \(String(repeating: "x", count: 900))\r\n", count: 50)
        var sent = slow.offer(batch)
        // Until neither end's buffers take more: then the service does not read.
        for _ in 1...2000 where sent > 0 {
            offered += sent
            #expect(other.ask("incr a") != nil)
            sent = slow.offer(String(batch.dropFirst(offered % batch.utf8.count)))
        }
        #expect(sent < 0)
        for _ in 1...(offered / 907) {
            #expect(slow.line() == "$900")
            #expect(slow.line()?.utf8.count == 900)
        }
    }

    @Test("a client that never reads is hung up on in time")
    func deafClient() throws {
        let test = try LimitServiceUnderTest(patience: .zero)
        let deaf = try test.client()
        let batch = String(repeating: "info\r\n", count: 10_000)
        var isGone = false
        let end = Instant.now() + .seconds(20)
        while !isGone, Instant.now() < end {
            if deaf.offer(batch) < 0, errno != EAGAIN { isGone = true }
        }
        #expect(isGone)
    }

    @Test("what is no RESP is told so and hung up on")
    func nonsense() throws {
        let test = try LimitServiceUnderTest()
        let client = try test.client()
        client.say("*1\r\n!\r\n" + String(repeating: "x", count: 20_000))
        #expect(client.line() == "-ERR Protocol error: expected '$', got '!'")
        #expect(client.line() == nil)
        #expect(try test.client().ask("ping") == "+PONG")
    }

    // MARK: - The end

    @Test("stopping hangs up, tells what changed last, and frees the port")
    func stop() async throws {
        var settings = LimitService.Settings()
        settings.endpoint.port = 0
        let batches = Mailbox<[LimitChange]>()
        let service = try LimitService(
            settings: settings, book: LimitBook(me: "fs1", seed: 9), log: .silent,
            changed: { batches.put($0) })
        let client = try LimitServiceClient(service.endpoint)
        #expect(client.ask("incr a") == ":1")
        settings.endpoint = service.endpoint
        #expect(throws: ServiceFailure.self) {
            _ = try LimitService(
                settings: settings, book: LimitBook(me: "x", seed: 1), log: .silent, changed: { _ in })
        }
        service.stop()
        #expect(client.line() == nil)
        #expect(batches.next()?.first?.key == Array("ra".utf8))
        #expect(await service.ask { _, _ in 1 } == nil)
        let again = try LimitService(
            settings: settings, book: LimitBook(me: "fs1", seed: 9), log: .silent, changed: { _ in })
        #expect(try LimitServiceClient(again.endpoint).ask("incr a") == ":1")
        again.stop()
    }
}

@Suite(
    "Limit service and redis's own clients", .serialized,
    .enabled(if: ForeignClient.isInstalled, ForeignClient.missing))
struct LimitServiceForeignTests {
    private func cli(_ test: LimitServiceUnderTest, _ words: [String], input: String = "") throws -> String {
        let port = String(test.service.endpoint.port)
        let result = try ForeignClient.run(
            "redis-cli", ["-p", port, "--no-auth-warning", "-a", "s3cret"] + words, input: input)
        return result.output.trimmingCharacters(in: .newlines)
    }

    @Test("redis-cli counts, expires and evaluates")
    func cli() throws {
        let test = try LimitServiceUnderTest(password: "s3cret")
        #expect(try cli(test, ["incr", "carrier1"]) == "1")
        #expect(try cli(test, ["incr", "carrier1"]) == "2")
        #expect(try cli(test, ["get", "carrier1"]) == "2")
        let script =
            "local n = redis.call('decr', KEYS[1]) if n <= 0 then redis.call('del', KEYS[1]) end return n"
        #expect(try cli(test, ["eval", script, "1", "carrier1"]) == "1")
        #expect(try cli(test, ["decr", "carrier1"]) == "0")
        #expect(try cli(test, ["get", "carrier1"]) == "")
        #expect(try cli(test, ["keys", "*"]).contains("not served"))
    }

    @Test("redis-cli reads commands from its standard input")
    func script() throws {
        let test = try LimitServiceUnderTest(password: "s3cret")
        let lines = (1...200).map { _ in "incr a\n" }.joined() + "expire a 100\nget a\n"
        let answers = try cli(test, [], input: lines).split(separator: "\n")
        #expect(answers.count == 202)
        #expect(answers.suffix(3) == ["200", "1", "200"])
    }

    @Test("redis-cli with a wrong password is refused")
    func wrongPassword() throws {
        let test = try LimitServiceUnderTest(password: "other")
        #expect(try cli(test, ["incr", "a"]).contains("NOAUTH"))
    }

    @Test("redis-benchmark's every request is counted", arguments: [1, 16])
    func benchmark(pipeline: Int) async throws {
        let test = try LimitServiceUnderTest(password: "s3cret")
        let result = try ForeignClient.run(
            "redis-benchmark",
            [
                "-p", String(test.service.endpoint.port), "-a", "s3cret", "-t", "incr", "-n", "16000", "-c",
                "20", "-P",
                String(pipeline), "--csv",
            ])
        #expect(result.status == 0)
        #expect(result.output.contains("\"INCR\""))
        #expect(await test.value("counter:__rand_int__") == 16_000)
    }
}
