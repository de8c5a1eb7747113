import EventSocket
import Foundation
import SwitchSimulator
import Testing

/// Which CSeq a revived leg's requests have, as seen with stock FreeSWITCH.
@Suite struct RevivalSequenceTests {
    /// The numbers of what a switch sends that revives these rows and hangs up: INVITE, ACK and BYE of each leg, by Call-ID.
    private func numbers(_ rows: [RecoveryRow], after seconds: Int64 = 0) throws -> [String: Set<String>] {
        var bench = Bench(
            Bench.settings("fsB"), seed: 5,
            at: Timestamp(microseconds: (1_795_255_390 + seconds) * 1_000_000))
        bench.rows = rows
        let phones = try Phones()
        bench.peers = { phones.answers($0, to: $1) }
        #expect(bench.api("sofia profile svcA recover") == "Recovered \(rows.count) session(s)\n")
        bench.advance(by: .seconds(1))
        _ = bench.api("hupall")
        bench.advance(by: .seconds(1))
        var numbers: [String: Set<String>] = [:]
        for datagram in bench.takeDatagrams() where !datagram.text.hasPrefix("SIP/2.0") {
            let lines = datagram.text.split(separator: "\r\n")
            let callID = lines.first { $0.hasPrefix("Call-ID: ") }.map { String($0.dropFirst(9)) }
            let sequence = lines.first { $0.hasPrefix("CSeq: ") }.map { String($0.dropFirst(6)) }
            numbers[try #require(callID), default: []].insert(try #require(sequence))
        }
        return numbers
    }

    @Test("It comes from the clock: two revivals within two seconds have the same, which a peer refuses")
    func clock() throws {
        let first = try numbers(RecordedRows.synthesised())
        #expect(first.count == 3)
        #expect(first.values.allSatisfy { $0 == ["123073903 INVITE", "123073903 ACK", "123073904 BYE"] })
        #expect(try numbers(RecordedRows.synthesised(), after: 1) == first)
    }

    @Test("Of either direction it is the one after sip_invite_cseq, and later requests count on from there")
    func variable() throws {
        let rows = try RecordedRows.synthesised().map { row in
            var row = row
            row.metadata = row.metadata.replacingOccurrences(
                of: "</variables>", with: "<sip_invite_cseq>1500000000</sip_invite_cseq></variables>")
            return row
        }
        let all = try numbers(rows)
        #expect(all.count == 3)
        #expect(all.values.allSatisfy { $0 == ["1500000001 INVITE", "1500000001 ACK", "1500000002 BYE"] })
    }
}
