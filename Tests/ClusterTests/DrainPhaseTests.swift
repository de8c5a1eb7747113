import Foundation
import Primitives
import Testing

@testable import Cluster

/// The table of phases, and what docs/maintenance.md says of it; FSDNS_REWRITE=1 writes the second table there anew.
@Suite("The phases of a drain") struct DrainPhaseTests {
    private typealias Phase = Drain.Phase
    private static let page = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../docs/maintenance.md")

    private static let heading =
        "| phase | DNS serves | the switch is told | an abort | the drained node is lost | the taker is lost |"

    private func seconds(_ duration: Duration) -> String {
        let whole = duration.wholeSeconds
        return whole % 60 == 0 && whole > 120 ? "\(whole / 60) min" : "\(whole) s"
    }

    /// The last column of the table in `## drain`.
    private func givesUp(_ rule: Phase.Rule) -> String {
        if rule.onTimeout == .abort, let timeout = rule.timeout { return "\(seconds(timeout)): undone" }
        if rule.onDeadline.isEmpty { return rule.timeout.map { seconds($0) } ?? "" }
        if let timeout = rule.timeout { return "\(seconds(timeout)), or the deadline" }
        let names = rule.onDeadline.keys.map { "`\($0.rawValue)`" }.sorted()
        return names.count == 1 ? "the deadline, with \(names[0])" : "the deadline"
    }

    private func row(_ phase: Phase) -> String {
        let rule = phase.rule
        let dns = rule.dns.map { $0 == .old ? "old" : "new" }.joined(separator: " and ")
        var told = "nothing"
        if let order = rule.order {
            let parts = [
                order.refusesCalls ? "refuse new calls" : nil,
                order.movesRegistrations ? "send phones to DNS" : nil, order.hangsUp ? "hang up" : nil,
            ].compactMap { $0 }
            told = parts.joined(separator: ", ")
            if order.isOnceForgotten { told = "(\(told))" }
        }
        let undo =
            switch rule.undo {
            case .letGo: "ends it at once"
            case .restore: "goes on with `\(Phase.restoring.rawValue)`"
            case .impossible: "is refused"
            case .isUnderWay: "is under way"
            }
        func text(_ loss: Phase.Loss) -> String {
            switch loss {
            case .goOn: "goes on"
            case .followOrEnd: "another takes its part, or over"
            case .linger: "`\(Phase.lingering.rawValue)` elsewhere, or over"
            case .endWhenReleased: "over once (old) is let go of"
            case .restore: "another takes its part, and it is undone; or the taker has the seat"
            case .end: "over"
            }
        }
        return "| `\(phase.rawValue)` | \(dns) | \(told) | \(undo) | \(text(rule.ifDrainedLost)) | "
            + "\(text(rule.ifTakerLost)) |"
    }

    @Test("every phase has a rule, and each can be reached") func whole() {
        #expect(Set(Phase.rules.keys) == Set(Phase.allCases))
        for phase in Phase.allCases where phase != .raising && phase != .restoring {
            #expect(Phase.allCases.contains { phase.follows($0) }, "\(phase)")
        }
    }

    @Test("DNS is to serve the address that the seat has, and in between both") func dns() throws {
        var five = Five()
        _ = five.beginDrain()
        func check() throws {
            let drain = try #require(five.state.drain)
            let address = five.state.seat(drain.seat)?.address
            let dns = drain.phase.rule.dns
            #expect(dns.contains(address == drain.newAddress ? .new : .old), "\(drain.phase)")
        }
        try check()
        var phase = Phase.raising
        while let next = phase.rule.next, next != .rotating {
            #expect(five.advance(phase, next).refusal == nil)
            try check()
            phase = next
        }
        five.apply(.drain(.abort(reason: "second thoughts")))
        try check()
        phase = .restoring
        while let next = phase.rule.next {
            #expect(five.advance(phase, next).refusal == nil)
            try check()
            phase = next
        }
    }

    @Test("the tables in docs/maintenance.md say what the rules say") func documented() throws {
        var text = try String(contentsOf: Self.page, encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var phases: [Phase] = [.raising]
        while let next = phases.last?.rule.next { phases.append(next) }
        for phase in phases.dropLast() {
            let line = lines.first { $0.hasPrefix("| `\(phase.rawValue)` |") }
            let last = line?.split(separator: "|").last?.trimmingCharacters(in: .whitespaces)
            #expect(last == givesUp(phase.rule), "\(phase)")
        }
        let start = try #require(lines.firstIndex { $0 == Self.heading })
        let end = try #require(lines[start...].firstIndex { $0.isEmpty })
        let table = [Self.heading, "|---|---|---|---|---|---|"] + Phase.allCases.map(row)
        if ProcessInfo.processInfo.environment["FSDNS_REWRITE"] == "1" {
            text = (lines[..<start].map(String.init) + table + lines[end...].map(String.init))
                .joined(separator: "\n")
            try text.write(to: Self.page, atomically: true, encoding: .utf8)
        } else {
            #expect(lines[start..<end].map(String.init) == table, "FSDNS_REWRITE=1 writes it anew")
        }
    }
}
