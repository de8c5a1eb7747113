import ControlProtocol
import Primitives
import Testing

@testable import fsdns

@Suite("Text from callers and phones on a terminal") struct HostileTextTests {
    private let hostile = "10\n\napi shutdown\u{1B}]0;pwned\u{07}\u{9B}2J\u{202E}"

    private func isClean(_ lines: [String]) -> Bool { lines.allSatisfy { VisibleText.isPlain($0) } }

    @Test("every cell of a table stays in its row, as wide as it looks")
    func cells() {
        var table = Table([Table.Column("USER"), Table.Column("AGENT")])
        table.add([Table.Cell(hostile), "x"])
        table.add(["1000", Table.Cell(hostile, .bad)])
        let lines = table.lines(paint: .off)
        #expect(lines.count == 3 && isClean(lines))
        #expect(lines[1].hasPrefix(#"10\x0a\x0aapi shutdown\x1b]0;pwned\x07\x9b2J\u{202e}  x"#))
    }

    @Test("registrations and calls show what was sent, and nothing else happens")
    func shared() {
        let registration = RegistrationLine(
            user: hostile, contact: hostile, address: "alpha", node: "fs1", expiresSeconds: 60,
            transport: "udp", survivesTakeover: true, userAgent: hostile)
        #expect(isClean(RegistrationsText(paint: .off, width: nil).lines([registration])))
        let call = CallLine(
            uuid: "u", otherUUID: nil, address: "alpha", node: "fs1", from: hostile, to: hostile,
            phase: "answered", seconds: 1, isRecoverable: false, reason: hostile)
        #expect(isClean(CallsText(paint: .off, width: nil).lines([call]).map(Output.visible)))
    }

    @Test("a line that is no table's is cleaned where it leaves")
    func output() {
        #expect(Output.visible("why: \(hostile)") == "why: \(VisibleText.of(hostile))")
        #expect(!Screen.frame(["a\u{1B}[5mb"], rows: 9).contains("\u{1B}[5m"))
    }
}
