import EventSocket
import Foundation
import SwitchSimulator
import Testing

/// Recovery does what the reference says of it, the pitfalls too.
@Suite struct RecoveryTests {
    private func slave(
        rows: [RecoveryRow], seed: UInt64 = 5, _ change: (inout SwitchSettings) -> Void = { _ in }
    ) throws -> Bench {
        var settings = Bench.settings("fsB")
        change(&settings)
        var bench = Bench(settings, seed: seed, at: Timestamp(microseconds: 1_795_255_391_000_000))
        bench.rows = rows
        let phones = try Phones()
        bench.peers = { phones.answers($0, to: $1) }
        return bench
    }

    private static let parked = "bb3d30ea-8e64-4022-b95a-b273b5bb0d41"
    private static let calling = "cbc0db67-98e0-428b-b2f8-785ae6308b4e"
    private static let called = "5e312ea3-b78b-458b-a2dc-c23d167d10a2"

    @Test("The rows of a call are the recorded rows, byte for byte but for what is volatile")
    func metadata() throws {
        var bench = Bench()
        bench.advance(to: Timestamp(microseconds: 1_795_255_385_611_379))
        try EventStreamTests.bridgedAndParked(&bench)
        #expect(bench.rows.count == 3)
        for (file, direction, number) in [
            ("recovery_metadata_aleg.xml", "inbound", "uas"),
            ("recovery_metadata_bleg.xml", "outbound", "uas"),
            ("recovery_metadata_park.xml", "inbound", "park"),
        ] {
            let row = try #require(
                bench.rows.first {
                    $0.metadata.contains("<direction>\(direction)</direction>")
                        && $0.metadata.contains("<destination_number>\(number)</destination_number>")
                })
            #expect(row.profileName == "svcA" && row.hostname == "fsA" && row.technology == "sofia")
            #expect(row.runtimeUUID == bench.core.coreUUID)
            let mark: (String) -> String = { text in
                Volatile.markedCall(Volatile.marked(text))
                    .replacing(/<(local_media_port|rtp_use_ssrc|session_id)>\d+/) { "<\($0.output.1)>VALUE" }
                    .replacing(/<(sip_to_tag|sip_from_tag)>[0-9A-Za-z]{13}</) { "<\($0.output.1)>TAG<" }
            }
            expectSame(mark(row.metadata), mark(try Recording.text(file)), file)
        }
    }

    @Test("Rows made of events alone revive as well as the table's")
    func synthesised() throws {
        for rows in [try RecordedRows.table(), try RecordedRows.synthesised()] {
            var bench = try slave(rows: rows)
            #expect(bench.api("sofia profile svcA recover") == "Recovered 3 session(s)\n")
            bench.advance(by: .seconds(1))
            #expect(bench.events.filter { $0.name == "CHANNEL_BRIDGE" }.count == 1)
            #expect(bench.events.allSatisfy { $0.name != "CHANNEL_ANSWER" })
            #expect(bench.api("show calls count") == "\n2 total.\n")
            // Tracked again, as this switch's own: a second failure recovers again.
            #expect(Set(bench.rows.map(\.uuid)) == [Self.parked, Self.calling, Self.called])
            #expect(bench.rows.allSatisfy { $0.runtimeUUID == bench.core.coreUUID })
            var third = try slave(rows: bench.rows, seed: 6)
            #expect(third.api("sofia profile svcA recover") == "Recovered 3 session(s)\n")
            third.advance(by: .seconds(1))
            #expect(third.api("show calls count") == "\n2 total.\n")
            #expect(third.events.contains { $0.name == "CHANNEL_BRIDGE" })
        }
    }

    @Test("Own rows are not revived, and other profiles' rows stay")
    func selection() throws {
        var rows = try RecordedRows.table()
        rows[0].profileName = "svcC"
        var bench = try slave(rows: rows)
        rows[1].runtimeUUID = bench.core.coreUUID
        bench.rows = rows
        #expect(bench.api("sofia profile svcA recover") == "Recovered 1 session(s)\n")
        bench.advance(by: .milliseconds(10))
        #expect(Set(bench.rows.map(\.uuid)) == [rows[0].uuid, rows[1].uuid])
    }

    @Test("One leg of a bridge alone stays in CS_RESET until it is killed, which sends a BYE")
    func half() throws {
        for uuid in [Self.calling, Self.called] {
            var bench = try slave(rows: RecordedRows.table().filter { $0.uuid == uuid })
            #expect(bench.api("sofia profile svcA recover") == "Recovered 1 session(s)\n")
            bench.advance(by: .seconds(10))
            #expect(bench.api("show channels").contains(",CS_RESET,"))
            #expect(bench.rows.allSatisfy { $0.runtimeUUID == bench.core.coreUUID })
            _ = bench.takeDatagrams()
            #expect(bench.api("uuid_kill \(uuid)") == "+OK\n")
            bench.advance(by: .seconds(1))
            #expect(bench.takeDatagrams().filter { $0.text.hasPrefix("BYE ") }.count == 1)
            #expect(bench.api("show channels count") == "\n0 total.\n")
        }
    }

    @Test("Without flag 4 on either leg both are revived and not bridged")
    func flagless() throws {
        let rows = try RecordedRows.synthesised().map { row in
            var row = row
            row.metadata = row.metadata.replacingOccurrences(of: ";4=1", with: "")
            return row
        }
        var bench = try slave(rows: rows)
        #expect(bench.api("sofia profile svcA recover") == "Recovered 3 session(s)\n")
        bench.advance(by: .seconds(5))
        #expect(bench.events.allSatisfy { $0.name != "CHANNEL_BRIDGE" })
    }

    @Test("A paused switch loses inbound legs and their rows")
    func paused() throws {
        var bench = try slave(rows: RecordedRows.table())
        _ = bench.api("fsctl pause inbound")
        #expect(bench.api("sofia profile svcA recover") == "Recovered 1 session(s)\n")
        #expect(bench.rows.isEmpty)
    }

    @Test("Rows of a profile that does not run are deleted, and their uuids stay taken")
    func notRunning() throws {
        let rows = try RecordedRows.table().map { row in
            var row = row
            row.profileName = "svcX"
            return row
        }
        var bench = try slave(rows: rows)
        #expect(bench.api("sofia profile svcX recover") == "Invalid Profile [svcX]")
        #expect(bench.api("sofia recover") == "No calls to recover.\n")
        #expect(bench.rows.count == 3)
        #expect(bench.api("fsctl recover sofia") == "+OK 0 session(s) recovered in total\n")
        #expect(bench.rows.isEmpty)
        #expect(bench.api("status").contains("\n3 session(s) - peak"))
        bench.rows = try RecordedRows.table()
        #expect(bench.api("sofia profile svcA recover") == "No sessions to recover.\n")
    }

    @Test("A standby profile refuses until it recovers; before, a BYE finds no call")
    func standby() throws {
        var bench = try slave(rows: RecordedRows.table()) { $0.profiles[0].isStandby = true }
        func status(_ text: String) -> String {
            bench.receive(text, from: SIPRecording.phone)
            return bench.takeDatagrams().map { SIPRecording.status($0.text) }.last ?? "nothing"
        }
        #expect(status(SIPRecording.invite(to: "park", call: "a")) == "503 System Paused")
        #expect(status(SIPRecording.request("OPTIONS", to: "x", call: "b")) == "503 System Paused")
        #expect(status(SIPRecording.request("REGISTER", to: "x", call: "c")) == "503 System Paused")
        #expect(
            status(
                SIPRecording.request("BYE", to: "park", call: "1-28671@10.77.0.100", toTag: "KZU5rrDmccjNK"))
                == "481 Call Does Not Exist")
        _ = bench.api("sofia profile svcA recover")
        bench.advance(by: .seconds(1))
        _ = bench.takeDatagrams()
        #expect(status(SIPRecording.request("OPTIONS", to: "x", call: "d")) == "200 OK")
    }

    @Test("Flushing deletes the rows of the switch's own calls too, which are not written again")
    func flush() throws {
        var bench = Bench()
        bench.advance(to: Timestamp(microseconds: 1_795_255_385_611_379))
        try EventStreamTests.bridgedAndParked(&bench)
        #expect(bench.rows.count == 3)
        #expect(bench.api("sofia recover flush") == "Flushing recovery database.\n")
        bench.advance(by: .seconds(2))
        #expect(bench.rows.isEmpty)
    }

    @Test("A peer that has forgotten the dialog ends its leg")
    func forgotten() throws {
        var bench = try slave(rows: RecordedRows.table().filter { $0.uuid == Self.parked })
        bench.peers = { text, endpoint in
            guard text.hasPrefix("INVITE") else { return [] }
            let lines = ["Via", "From", "To", "Call-ID", "CSeq"].map { Phones.line($0, of: text) }
            let answer =
                (["SIP/2.0 481 Call/Transaction Does Not Exist"] + lines + ["Content-Length: 0", ""])
            return [(.milliseconds(1), answer.map { $0 + "\r\n" }.joined(), endpoint)]
        }
        #expect(bench.api("sofia profile svcA recover") == "Recovered 1 session(s)\n")
        bench.advance(by: .seconds(1))
        #expect(bench.api("show channels count") == "\n0 total.\n")
        #expect(bench.takeDatagrams().contains { $0.text.hasPrefix("ACK ") })
    }

    @Test("A row appears after the queue's lag, and goes before the hangup is complete")
    func lag() throws {
        var bench = Bench()
        bench.receive(SIPRecording.invite(to: "park", call: "a"), from: SIPRecording.phone)
        bench.advance(by: .milliseconds(99))
        #expect(bench.rows.isEmpty)
        bench.advance(by: .milliseconds(2))
        #expect(bench.rows.count == 1)
    }

    @Test("Legs are revived one after another, and the command waits for them")
    func pace() throws {
        var bench = try slave(rows: RecordedRows.table()) {
            $0.revivalPace = .milliseconds(5) ... .milliseconds(5)
        }
        let begun = bench.now
        _ = bench.api("sofia profile svcA recover")
        #expect(bench.now - begun == .milliseconds(15))
    }

    @Test("Metadata that cannot be read is skipped and goes", arguments: ["", "<cdr>", "no", "<cdr></cdr>"])
    func unreadable(metadata: String) throws {
        var rows = try RecordedRows.table()
        rows[1].metadata = metadata
        var bench = try slave(rows: rows)
        #expect(bench.api("sofia profile svcA recover") == "Recovered 2 session(s)\n")
    }
}
