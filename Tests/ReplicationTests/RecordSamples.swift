import Primitives
import Replication

/// Registrations and call legs as FreeSWITCH has them, drawn from a seed.
struct RecordSamples {
    var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

    mutating func chance(_ percent: Int) -> Bool { int(1...100) <= percent }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    /// Text of 0 to 40 characters, some of them more than one byte.
    mutating func text() -> String {
        let letters: [Character] = ["a", "1", "@", " ", "<", "\0", "ü", "e\u{301}", "字", "🙂"]
        return String((0..<int(0...40)).map { _ in letters[int(0...(letters.count - 1))] })
    }

    /// A registration of a common desk phone.
    mutating func registration(_ number: Int, expires: Instant = Instant(nanoseconds: 3_600_000_000_000))
        -> Registration
    {
        let user = "1\(100_000 + number)"
        let address = "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
        let port = 1024 + number % 60_000
        return Registration(
            profile: "master1", user: user, host: "voice.example.net",
            contact: "\"\" <sip:\(user)@\(address):\(port);transport=udp;fs_nat=yes;"
                + "fs_path=sip%3A\(user)%40\(address)%3A\(port)%3Btransport%3Dudp>",
            callID: "\(String(generator.next(), radix: 16))-7a31c2d4@\(address)",
            status: "Registered(UDP-NAT)",
            presenceHosts: "voice.example.net", rpid: "unknown", toUser: user, toHost: "voice.example.net",
            networkIP: address, networkPort: "\(port)", username: user, realm: "voice.example.net",
            userAgent: "Yealink SIP-T46S 66.86.0.15", mwiAccount: "\(user)@voice.example.net",
            expires: expires)
    }

    /// A registration whose fields are anything.
    mutating func oddRegistration() -> Registration {
        Registration(
            profile: text(), user: text(), host: text(), contact: text(), callID: text(), status: text(),
            presenceHosts: chance(50) ? "n/a" : text(), rpid: text(), toUser: text(), toHost: text(),
            networkIP: text(), networkPort: chance(50) ? "5060" : text(), username: text(), realm: text(),
            userAgent: text(), mwiAccount: text(), expires: Instant(nanoseconds: Int64(int(0...1_000_000))))
    }

    mutating func callLeg() -> CallLeg {
        CallLeg(
            uuid: "0bf2d8e5-3ea5-4efe-aa34-\(int(100_000...999_999))", runtime: text(), switchname: text(),
            profile: text(), direction: chance(50) ? .inbound : .outbound,
            phase: [.ringing, .answered, .held][int(0...2)], partner: chance(50) ? text() : nil,
            isOriginator: chance(50), variables: (0..<int(0...200)).map { _ in .init(text(), text()) },
            caller: (0..<int(0...30)).map { _ in .init(text(), text()) }, flags: chance(50) ? text() : nil)
    }

    /// A few bytes of it changed, cut or added.
    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<int(1...4) {
            switch int(0...3) {
            case 0 where !bytes.isEmpty:
                bytes[int(0...(bytes.count - 1))] = UInt8(truncatingIfNeeded: generator.next())
            case 1 where !bytes.isEmpty: bytes.removeLast(int(1...bytes.count))
            case 2: bytes.insert(UInt8(truncatingIfNeeded: generator.next()), at: int(0...bytes.count))
            default: bytes += self.bytes(int(0...20))
            }
        }
        return bytes
    }
}
