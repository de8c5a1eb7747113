import Calendar
import Cluster
@preconcurrency import Glibc
import Primitives
import Testing

@testable import Config

/// How long the fuzz of one suite goes on: `FSDNS_FUZZ_SECONDS`, otherwise a bounded number of rounds.
private struct Rounds {
    private let end: ContinuousClock.Instant
    private let least: Int
    private(set) var count = 0

    init(least: Int) {
        let seconds = getenv("FSDNS_FUZZ_SECONDS").flatMap { Int(String(cString: $0)) } ?? 0
        end = ContinuousClock().now + .seconds(seconds)
        self.least = least
    }

    mutating func next() -> Bool {
        count += 1
        return count <= least || ContinuousClock().now < end
    }
}

private func damaged(
    _ bytes: [UInt8], _ pieces: [[UInt8]], _ generator: inout SeededGenerator
) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
        if bytes.isEmpty { break }
        let at = Int.random(in: 0..<bytes.count, using: &generator)
        let end = min(bytes.count, at + Int.random(in: 1...40, using: &generator))
        switch Int.random(in: 0..<8, using: &generator) {
        case 0, 1, 2: bytes[at] = UInt8.random(in: 0...255, using: &generator)
        case 3: bytes.removeSubrange(at..<end)
        case 4:
            bytes.insert(
                contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &generator))
        case 5 where Int.random(in: 0..<4, using: &generator) == 0: bytes.removeSubrange(at...)
        default:
            let piece = pieces[Int.random(in: 0..<pieces.count, using: &generator)]
            bytes.replaceSubrange(
                at..<(Bool.random(using: &generator) ? at : min(end, at + piece.count)), with: piece)
        }
    }
    return bytes
}

/// A damaged zone file is refused, or its clocks can be asked anything.
@Suite struct TimeZoneFileFuzzTests {
    @Test("a damaged zone file is refused in words or answers for any instant") func damage() throws {
        var generator = SeededGenerator(seed: 8536)
        let pieces: [[UInt8]] = [
            Array("TZif2".utf8), [0, 0, 0, 0], [255, 255, 255, 255], [127, 255, 255, 255], [128, 0, 0, 0],
            [0, 1], Array(",M3.5.0/167,J365/-167\n".utf8), Array("\nXXX25\n".utf8), Array("<+24>-24".utf8),
        ]
        let good = ZoneBytes.berlin.bytes
        let line = try CronLine(parsing: "*/20 1-4 * * *")
        let window = PlaybookWindow(from: 1380, to: 61, weekdays: 0x55, zone: "x")
        var accepted = 0
        var rounds = Rounds(least: 3000)
        while rounds.next() {
            guard let rules = try? TimeZoneFile.rules(of: damaged(good, pieces, &generator)) else { continue }
            accepted += 1
            let near: [Int64] = [
                -(1 << 59), -2_422_054_408, 323_830_800, 338_950_800, 1_800_000_000, 1 << 50,
            ]
            let start = near[Int.random(in: 0..<near.count, using: &generator)]
            let from = WallTime(seconds: start + Int64.random(in: -200_000...200_000, using: &generator))
            let local = rules.local(from)
            let instant = rules.instant(of: local)
            #expect(instant <= from && rules.local(instant) >= local)
            let through = WallTime(seconds: from.seconds + 400_000)
            let found = PlaybookSchedule.cron(line, zone: "x")
                .dues(after: from, through: through, rules: rules, limit: 500)
            #expect(zip(found, found.dropFirst()).allSatisfy { $0 < $1 })
            #expect(found.allSatisfy { from < $0 && $0 <= through })
            if let opening = window.nextOpening(after: from, rules: rules) {
                #expect(opening.begins > from && opening.ends > opening.begins)
            }
            _ = rules.secondInstant(of: local)
            _ = rules.text(from)
        }
        #expect(accepted > 0 && accepted < rounds.count)
    }
}

/// Damaged playbooks end in a value or in a list of problems, never in a trap.
@Suite struct PlaybookFuzzTests {
    private static let pieces = [
        "<", ">", "</", "/>", "\"", "&", "&#10;", "<!--", "-->", "<![CDATA[", "]]>", "${item}", "${node}",
        "${what}",
        "${", "}", "$", "${${", "<for-each over=\"nodes\">", "</for-each>", "<undo>", "<wait for=\"7d\"/>",
        "<drain target=\"fs1\"/>", "at=\"2026-10-25T02:30:00\"", "timeout=\"1s\"", "24:00", "0s",
        "9999999999h", "*",
        "*/59", "mon-sun", "UTC", "..", "/", "é", "𝄞", "\u{0}", "xmlns=\"\"", "  ", "x:", "[::1]:5060",
        "delta:1",
    ].map { Array($0.utf8) }

    /// The file with one attribute value in the place of another: well-formed, and often almost right.
    private static func confused(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var parts = bytes.split(separator: 34, omittingEmptySubsequences: false).map(Array.init)
        let values = Array(stride(from: 1, to: parts.count, by: 2))
        let target = values[Int.random(in: 0..<values.count, using: &generator)]
        parts[target] = parts[values[Int.random(in: 0..<values.count, using: &generator)]]
        return Array(parts.joined(separator: [34]))
    }

    /// What every accepted playbook promises to those who run it.
    private static func isSound(_ steps: [PlaybookStep], depth: Int = 0) -> Bool {
        steps.allSatisfy { step in
            guard step.timeout >= .seconds(1), step.line > 0 else { return false }
            if let undo = step.undo, !isSound(undo) { return false }
            switch step.action {
            case .forEach(_, let atMost, let pause, let inner):
                return depth < 3 && atMost >= 1 && pause >= .zero && !inner.isEmpty
                    && isSound(inner, depth: depth + 1)
            case .drain(_, let deadline, let onDeadline, _):
                return deadline.map { $0 < step.timeout } ?? (onDeadline == .wait)
            case .wait(let time): return time < step.timeout
            case .run(let order): return isSound(order) && order.timeout < step.timeout
            case .lowerTTL(let ttl): return ttl >= .seconds(1)
            case .check(_, let interval): return interval >= .seconds(1)
            default: return true
            }
        }
    }

    private static func isSound(_ order: CommandOrder) -> Bool {
        let names = order.environment.map(\.name)
        return order.program.hasPrefix("/") && names == Array(Set(names)).sorted() && order.timeout > .zero
    }

    @Test("a damaged playbook is refused in words or means something sound") func damage() throws {
        let desk = try PlaybookDesk()
        var generator = SeededGenerator(seed: 4)
        let good = Array(goodPlaybook.utf8)
        var accepted = 0
        var rounds = Rounds(least: 2000)
        while rounds.next() {
            let text =
                rounds.count % 3 == 0
                ? Self.confused(good, &generator) : damaged(good, Self.pieces, &generator)
            do throws(ConfigFailure) {
                let file = try desk.read(text, knowsCluster: rounds.count % 2 == 0)
                accepted += 1
                let playbook = file.playbook
                if !Self.isSound(playbook.steps) {
                    Issue.record("unsound: \(String(decoding: text, as: UTF8.self))")
                }
                let timeline = playbook.timeline(.init(desk.cluster))
                #expect(timeline.earliestEnd <= timeline.latestEnd)
                _ = timeline.texts(of: playbook)
            } catch {
                // The reader has to notice everything itself, or its messages are not the ones that are seen.
                if error.problems.isEmpty
                    || error.problems.contains(where: {
                        $0.message.hasPrefix("schema:") || $0.line < 1 || $0.message.isEmpty
                    })
                {
                    Issue.record("no words of ours: \(error)\n\(String(decoding: text, as: UTF8.self))")
                }
            }
        }
        #expect(accepted > 0 && accepted < rounds.count)
    }
}
