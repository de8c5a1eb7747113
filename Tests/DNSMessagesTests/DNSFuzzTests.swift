import DNSMessages
import Foundation
import Primitives
import Testing

/// Feeds the decoders what no honest peer sends; `FSDNS_FUZZ_SECONDS` makes each last.
@Suite("Hostile DNS bytes", .serialized)
struct DNSFuzzTests {
    private static let seconds = ProcessInfo.processInfo.environment["FSDNS_FUZZ_SECONDS"].flatMap(
        Double.init)

    /// Runs `body` a fixed number of times, or for the seconds asked for, with a seeded generator.
    private func fuzz(_ iterations: Int, seed: UInt64, _ body: (inout SeededGenerator) -> Void) {
        var random = SeededGenerator(seed: seed)
        let end = Self.seconds.map { ContinuousClock.now + .seconds($0) }
        var count = 0
        while end.map({ ContinuousClock.now < $0 }) ?? (count < iterations) {
            body(&random)
            count += 1
        }
    }

    private func corpus() throws -> [[UInt8]] {
        let update = try DNSUpdateTests.sample().message(id: 77).wire()
        var reply = DNSMessage.query(id: 78, name: try DNSName("sip.example"), type: .any).reply(.noError)
        reply.answerSection = try [
            "sip.example. 60 A 10.0.0.1", "sip.example. 60 NAPTR 1 1 \"s\" \"SIP+D2U\" \"\" x.example.",
            "sip.example. 60 SRV 1 2 3 y.example.", "example. 1 SOA a. b. 1 2 3 4 5",
            "example. 1 MX 1 m.example.",
            "a.example. 1 RRSIG A 8 2 60 20300101000000 20260101000000 1 example. AAAA",
            "b.example. 1 NSEC c.example. A TXT TYPE65280",
            "c.example. 1 LOC 52 22 23 N 4 53 32 E -2m 0m 10m 10m",
            "d.example. 1 HTTPS 1 . alpn=h2 port=53", "e.example. 1 APL 1:192.168.32.0/21",
            "f.example. 1 IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG", "g.example. 1 TYPE65280 \\# 2 0102",
        ].map { RawRecord(try DNSRecord($0)) }
        let plain = [update, try reply.wire()]
        let key = try TSIGTests.key()
        return plain + plain.map { key.sign($0, at: TSIGTests.now).wire }
    }

    private func mutate(_ wire: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = wire
        for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
            let position = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[position] ^= 1 << UInt8.random(in: 0...7, using: &random)
            case 2: bytes.removeSubrange(position..<min(bytes.count, position + 4))
            case 3:
                bytes.insert(contentsOf: bytes.suffix(Int.random(in: 0...40, using: &random)), at: position)
            case 4: bytes[position] = [0xC0, 0, 63, 255, 250, 41].randomElement(using: &random) ?? 0
            default: bytes = Array(bytes[..<position])
            }
        }
        return bytes
    }

    /// Everything the daemon and the zone server do with bytes from the network.
    private func digest(_ wire: [UInt8], key: TSIGKey) -> Bool {
        guard let scan = try? PacketScan(wire) else { return false }
        _ = try? key.verifyRequest(scan, at: TSIGTests.now)
        _ = try? key.verifyReply(wire, requestMAC: [1, 2, 3], at: TSIGTests.now)
        guard let message = try? DNSMessage(scan) else { return false }
        _ = try? DNSUpdate(message)
        for record in (try? message.answers()) ?? [] { _ = record.description }
        guard let again = try? message.wire() else { return true }
        return (try? DNSMessage(wire: again)) != nil
    }

    @Test("mutated messages are read or refused, never trapped on")
    func mutations() throws {
        let corpus = try corpus()
        let key = try TSIGTests.key()
        var accepted = 0
        fuzz(10_000, seed: 1) { random in
            let wire = corpus[Int.random(in: 0..<corpus.count, using: &random)]
            if digest(mutate(wire, &random), key: key) { accepted += 1 }
        }
        #expect(accepted > 500)
    }

    @Test("hostile packets leave no memory behind, read or refused")
    func leaks() throws {
        let corpus = try corpus()
        let key = try TSIGTests.key()
        func run(_ count: Int, seed: UInt64) {
            var random = SeededGenerator(seed: seed)
            for _ in 0..<count {
                let wire = corpus[Int.random(in: 0..<corpus.count, using: &random)]
                _ = digest(wire, key: key)
                _ = digest(mutate(wire, &random), key: key)
            }
        }
        run(1000, seed: 1)
        // Other tests of this process take memory meanwhile; a leak takes it every time.
        var growths: [Int] = []
        for seed in 2...7 where growths.allSatisfy({ $0 >= 8_000_000 }) {
            let before = try residentBytes()
            run(6000, seed: UInt64(seed))
            growths.append(try residentBytes() - before)
        }
        #expect(growths.contains { $0 < 8_000_000 }, "\(growths) bytes")
    }

    private func residentBytes() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return try #require(Int(fields[1])) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    @Test("random bytes are refused or read")
    func noise() throws {
        let key = try TSIGTests.key()
        var read = 0
        fuzz(20_000, seed: 99) { random in
            var wire = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            for position in 4..<12 where position < wire.count && position.isMultiple(of: 2) {
                wire[position] = 0
            }
            if digest(wire, key: key) { read += 1 }
        }
        #expect(read < 20_000 || Self.seconds != nil)
    }

    @Test("an accepted message means the same after it is written and read again")
    func stableMeaning() throws {
        let corpus = try corpus()
        var compared = 0
        fuzz(3000, seed: 7) { random in
            // Compression takes a name from one that differs in case only (RFC 1035 §4.1.4): that is no other meaning.
            let wire = mutate(corpus[Int.random(in: 0..<corpus.count, using: &random)], &random)
                .enumerated().map { $0 >= 12 && (65...90).contains($1) ? $1 | 0x20 : $1 }
            guard let message = try? DNSMessage(wire: wire), let again = try? message.wire() else { return }
            let isSame = (try? DNSMessage(wire: again)) == message
            #expect(isSame, "\(wire)")
            compared += 1
        }
        #expect(compared > 100)
    }

    @Test("record and zone text of any bytes is read or refused")
    func text() {
        let words = [
            "example.", "@", "60", "IN", "A", "10.0.0.1", "TXT", "\"x\"", "(", ")", ";c", "\n", "$TTL",
            "$ORIGIN",
            "\\", "\"", "SRV", "1", "SOA", "TYPE65280", "\\#", "\t", "NSEC", "*", "LOC", "\u{7f}", "é",
        ]
        var read = 0
        fuzz(5000, seed: 3) { random in
            let text = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                words.randomElement(using: &random) ?? ""
            }.joined(separator: " ")
            if (try? DNSRecord(text)) != nil { read += 1 }
            if let records = try? ZoneText.parse(text, origin: .root, file: "z"), !records.isEmpty {
                read += 1
            }
            _ = try? KeyFile.parse(text, file: "k")
            _ = try? DNSName(text)
        }
        #expect(read > 0)
    }
}
