@preconcurrency import Glibc
import Primitives
import Testing

@testable import Config

/// Damaged files end in a value or in a list of problems, never in a trap.
///
/// `FSDNS_FUZZ_SECONDS=600 swift test --filter FuzzTests` goes on for longer; a trap's text is in
/// `/tmp/fsdns-config-fuzz.xml`.
@Suite struct FuzzTests {
    private static let pieces = [
        "<", ">", "</", "/>", "\"", "'", "&", "&#0;", "&#x10FFFF;", "&amp;", "<!--", "-->", "<![CDATA[",
        "]]>",
        "<!DOCTYPE cluster [", "<?xml version=\"1.1\"?>", "xmlns=\"\"", "xmlns:x=\"urn:x\"",
        "<node name=\"n\"/>",
        "<witness name=\"w\"/>", "<peer address=\"::1\"/>", "mode=\"loopback\"", "\u{0}", "\u{FEFF}", "é",
        "𝄞",
        "99999999999999999999", "-1", "0", "/", "/129", "::", "1e9", "127.0.0.1", "ff02::1", ".", "ms", "d",
        "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"/dev/null\"/>",
    ].map { Array($0.utf8) }

    private static func damaged(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            if bytes.isEmpty { break }
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, at + Int.random(in: 1...40, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.removeSubrange(at..<end)
            case 2:
                bytes.insert(
                    contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &generator))
            case 3: bytes.removeSubrange(at...)
            default:
                let piece = pieces[Int.random(in: 0..<pieces.count, using: &generator)]
                bytes.replaceSubrange(
                    at..<(Bool.random(using: &generator) ? at : min(end, at + piece.count)), with: piece)
            }
        }
        return bytes
    }

    /// The file with one attribute value in the place of another: well-formed, and often almost right.
    private static func confused(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var parts = bytes.split(separator: 34, omittingEmptySubsequences: false).map(Array.init)
        let values = Array(stride(from: 1, to: parts.count, by: 2))
        let target = values[Int.random(in: 0..<values.count, using: &generator)]
        parts[target] = parts[values[Int.random(in: 0..<values.count, using: &generator)]]
        return Array(parts.joined(separator: [34]))
    }

    /// What every accepted file promises to those who use its values.
    private static func isSound(_ file: ClusterFile) -> Bool {
        let settings = file.settings
        let timing = settings.timing
        let addresses = settings.addresses.map(\.name)
        return timing.interval > .zero && timing.lease > timing.interval * 2
            && timing.deadAfter > timing.lease
            && (1...64).contains(settings.expect) && !settings.seats.isEmpty
            && settings.seats.allSatisfy { addresses.contains($0.address) }
            && Set(addresses).count == addresses.count
            && Set(settings.seats.map(\.address)).count == settings.seats.count
            && settings.nodes.map(\.name) == settings.nodes.map(\.name).sorted()
            && file.keyFile.hasPrefix("/")
    }

    @Test("a damaged file is refused in words or means something sound") func damage() {
        var generator = SeededGenerator(seed: 77)
        let seconds = getenv("FSDNS_FUZZ_SECONDS").flatMap { Int(String(cString: $0)) } ?? 0
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        let good = Array(goodFile.utf8)
        var accepted = 0
        var rounds = 0
        while rounds < 1500 || clock.now < end {
            rounds += 1
            let text =
                rounds % 3 == 0 ? Self.confused(good, &generator) : Self.damaged(good, &generator)
            if seconds > 0 { Self.keep(text) }
            do throws(ConfigFailure) {
                let file = try ClusterFile.load(text: text, path: "/etc/fsdns/c.xml")
                accepted += 1
                if !Self.isSound(file) { Issue.record("unsound: \(String(decoding: text, as: UTF8.self))") }
            } catch {
                // The reader has to notice everything itself, or its messages are not the ones that are seen.
                if error.problems.contains(where: { $0.message.hasPrefix("schema:") }) {
                    Issue.record(
                        "only the schema noticed: \(error)\n\(String(decoding: text, as: UTF8.self))")
                }
                if error.problems.isEmpty
                    || error.problems.contains(where: { $0.line < 1 || $0.message.isEmpty })
                {
                    Issue.record("no words for: \(String(decoding: text, as: UTF8.self))")
                }
            }
        }
        #expect(accepted > 0, "a fuzz that is always refused at once tests little")
        #expect(accepted < rounds)
    }

    private static func keep(_ text: [UInt8]) {
        guard let file = fopen("/tmp/fsdns-config-fuzz.xml", "w") else { return }
        fwrite(text, 1, text.count, file)
        fclose(file)
    }
}
