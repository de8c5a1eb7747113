import Glibc
import Limits
import Primitives
import Testing

/// Feeds limit sessions what no honest client sends, for `FSDNS_FUZZ_SECONDS`, on the seed `FSDNS_SEED`.
@Suite struct RESPFuzzTests {
    private let words = [
        "INCR", "decr", "get", "expire", "eval", "auth", "hello", "ping", "echo", "select", "command",
        "client",
        "info", "config", "keys", "quit", "a", "b", "cps_1795254954", "-1", "0", "1", "s3cret", "default",
        "get save",
        "local n = redis.call('decr', KEYS[1]) if n <= 0 then redis.call('del', KEYS[1]) end return n", "",
        "\r\n", "ä",
    ]

    private func command(_ generator: inout SeededGenerator) -> [UInt8] {
        let count = Int.random(in: 0...5, using: &generator)
        let chosen = (0..<count).map { _ in words.randomElement(using: &generator)! }
        if Int.random(in: 0...4, using: &generator) == 0 {
            return Array((chosen.joined(separator: " ") + "\r\n").utf8)
        }
        return RESPClient.command(chosen)
    }

    private func damage(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 0...3, using: &generator) where !bytes.isEmpty {
            let at = Int.random(in: bytes.indices, using: &generator)
            switch Int.random(in: 0...3, using: &generator) {
            case 0: bytes[at] = .random(in: 0...255, using: &generator)
            case 1: bytes.remove(at: at)
            case 2: bytes.insert(UInt8(ascii: "9"), at: at)
            default: bytes.removeLast(bytes.count - at)
            }
        }
    }

    @Test("damaged streams never trap, are cut off or answered, and mean the same however they are cut")
    func streams() {
        let rounds = fuzz { generator in
            var bytes = (0...Int.random(in: 0...8, using: &generator)).flatMap { _ in command(&generator) }
            if Bool.random(using: &generator) { damage(&bytes, &generator) }
            let password = Bool.random(using: &generator) ? "s3cret" : nil
            var whole = RESPClient(password: password)
            var pieces = RESPClient(password: password)
            let expected = answer(&whole, [bytes[...]])
            var cuts: [ArraySlice<UInt8>] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...9, using: &generator))
                cuts.append(piece)
                rest = rest.dropFirst(piece.count)
            }
            #expect(answer(&pieces, cuts) == expected)
            #expect(whole.shared.book.ownRecords() == pieces.shared.book.ownRecords())
            #expect(expected.isEmpty || expected.suffix(2).elementsEqual([13, 10]))
        }
        #expect(rounds >= 1000)
    }

    @Test("noise never traps")
    func noise() {
        let rounds = fuzz { generator in
            var client = RESPClient()
            let bytes = (0..<Int.random(in: 0...300, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            _ = client.send([UInt8(ascii: "*")] + bytes)
            _ = LimitUsage(bytes: bytes)
            var book = LimitBook(me: "fs1", seed: 1)
            let dump = Array("L/".utf8) + bytes
            _ = book.observe(dump: dump, allowances: ["a": LimitAllowance(total: 1)], at: client.now)
            try? book.apply(.put(bytes, bytes), of: LimitOrigin(node: "fs2", life: 1), at: client.now)
        }
        #expect(rounds >= 1000)
    }

    /// Everything that comes back until the connection is closed.
    private func answer(_ client: inout RESPClient, _ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
        var answers: [UInt8] = []
        for piece in pieces {
            answers += client.send(piece)
            while case .wait = client.next { answers += client.resume().utf8 }
            if client.next == .close { break }
        }
        return answers
    }

    /// Runs rounds until the time is over, at least a thousand of them; returns how many.
    private func fuzz(_ round: (inout SeededGenerator) -> Void) -> Int {
        var generator = SeededGenerator(seed: environment("FSDNS_SEED").flatMap { UInt64($0) } ?? 20_261_121)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(environment("FSDNS_FUZZ_SECONDS").flatMap { Double($0) } ?? 1)
        var rounds = 0
        while rounds < 1000 || clock.now < end {
            round(&generator)
            rounds += 1
        }
        return rounds
    }

    private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
