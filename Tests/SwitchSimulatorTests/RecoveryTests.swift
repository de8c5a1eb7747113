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
            row.metadata = row.metadata.replacingOccurrences(
                of: "<recovery_profile_name>svcA", with: "<recovery_profile_name>svcX")
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

/// Rows with something wrong, as tried one by one on a real switch.
@Suite struct BadRowTests {
    private static let parked = "bb3d30ea-8e64-4022-b95a-b273b5bb0d41"

    /// The parked leg's row with a piece of its metadata replaced, revived.
    private func revive(_ from: String, _ to: String) throws -> (reply: String, bench: Bench) {
        var bench = Bench(Bench.settings("fsB"), seed: 5, at: Timestamp(microseconds: 1_795_255_391_000_000))
        var row = try #require(try RecordedRows.table().first { $0.uuid == Self.parked })
        #expect(row.metadata.contains(from))
        row.metadata = row.metadata.replacingOccurrences(of: from, with: to)
        bench.rows = [row]
        let phones = try Phones()
        bench.peers = { phones.answers($0, to: $1) }
        let reply = bench.api("sofia profile svcA recover")
        bench.advance(by: .seconds(2))
        return (reply, bench)
    }

    private static let none = "No sessions to recover.\n"
    private static let one = "Recovered 1 session(s)\n"

    @Test(
        "What is missing has the effect it has on the real switch",
        arguments: [
            ("<caller_profile>", "<other>", none, 0, 0), ("<variables>", "<vars>", none, 0, 0),
            ("<recovery_profile_name>svcA<", "<recovery_profile_name>svcX<", none, 0, 1),
            ("<sip_contact_uri>", "<x></x><sip_contact_uri2>", none, 0, 0),
            ("<sip_contact_uri>1000%4010.77.0.100%3A5081</sip_contact_uri>", "", one, 0, 0),
            ("<remote_media_ip>10.77.0.100</remote_media_ip>", "", one, 0, 0),
            ("<sip_call_id>1-28671%4010.77.0.100</sip_call_id>", "", one, 1, 1),
            ("<local_media_port>24562</local_media_port>", "", one, 1, 1),
            ("<flags>0=1;1=1;39=1", "<flags>0=1;39=1", one, 1, 1),
        ])
    func missing(from: String, to: String, reply: String, legs: Int, sessions: Int) throws {
        var (said, bench) = try revive(from, to)
        #expect(said == reply)
        #expect(bench.api("show channels count") == "\n\(legs) total.\n")
        #expect(bench.api("status").contains("\n\(sessions) session(s) - peak"))
        #expect(!bench.isCrashed)
        #expect(bench.rows.allSatisfy { $0.runtimeUUID == bench.core.coreUUID })
    }

    @Test("A row without a direction, or with NULL for its metadata, ends the process")
    func crash() throws {
        #expect(
            try revive("<direction>inbound</direction>\n    <state_number>", "<state_number>").bench.isCrashed
        )
        var bench = Bench(Bench.settings("fsB"))
        bench.rows = Array(try RecordedRows.table().prefix(1))
        bench.rows[0].isNull = true
        _ = bench.api("sofia profile svcA recover")
        #expect(bench.isCrashed)
    }

    @Test("A leg without applications is revived, and ended with a BYE")
    func idle() throws {
        let extensionText = """
            <extension name="park" number="park" current_app="park">
                  <application app_name="answer" app_data=""></application>
                  <application last_executed="true" app_name="park" app_data=""></application>
                </extension>
            """
        var (said, bench) = try revive(extensionText, "")
        #expect(said == Self.one)
        #expect(bench.takeDatagrams().contains { $0.text.hasPrefix("BYE ") })
    }
}

/// What the switch shows of itself, and its profiles' lives.
@Suite struct ProfileTests {
    @Test("A dialled nobody tells whether a profile is active, in standby, missing, or the switch paused")
    func probe() {
        var settings = Bench.settings()
        settings.profiles.append(SwitchSettings.Profile(name: "svcB", ip: "10.77.0.51", isStandby: true))
        var bench = Bench(settings)
        func probe(_ profile: String) -> String {
            bench.api("originate sofia/\(profile)/%fsdns.invalid &park")
        }
        #expect(probe("svcA") == "-ERR USER_NOT_REGISTERED\n")
        #expect(probe("svcB") == "-ERR SYSTEM_SHUTDOWN\n")
        #expect(probe("svcX") == "-ERR INVALID_PROFILE\n")
        #expect(bench.events.filter { $0.name == "CHANNEL_DESTROY" }.count == 3)
        #expect(!bench.events.contains { $0.name == "CHANNEL_CREATE" })
        // The flush of one profile's rows is also the way out of its standby.
        _ = bench.api("sofia profile svcB recover flush")
        #expect(probe("svcB") == "-ERR USER_NOT_REGISTERED\n")
        _ = bench.api("fsctl pause")
        #expect(probe("svcA") == "-ERR DESTINATION_OUT_OF_ORDER\n")
    }

    @Test("A restarted profile hangs up its legs and comes back as configured, told by PUBLISH")
    func restart() {
        var settings = Bench.settings()
        settings.profiles[0].isStandby = true
        var bench = Bench(settings)
        _ = bench.api("sofia profile svcA recover flush")
        _ = bench.api("simulator load parked 2")
        bench.advance(by: .seconds(5))
        #expect(bench.api("sofia profile svcA restart").hasSuffix("Please wait 5 seconds\n"))
        bench.advance(by: .seconds(6))
        #expect(bench.api("sofia profile svcA restart") == "Reload XML [Success]\nrestarting: svcA")
        #expect(bench.api("sofia status").hasSuffix("0 profiles 0 aliases\n"))
        #expect(bench.api("sofia profile svcA recover") == "Invalid Profile [svcA]")
        bench.advance(by: .seconds(6))
        #expect(bench.api("show channels count") == "\n0 total.\n")
        let told = bench.events.map { $0.subclass ?? $0.name }.filter {
            ["UNPUBLISH", "sofia::profile_start", "PUBLISH"].contains($0)
        }
        #expect(told == ["UNPUBLISH", "sofia::profile_start", "PUBLISH"])
        #expect(bench.api("originate sofia/svcA/%x &park") == "-ERR SYSTEM_SHUTDOWN\n")
    }

    @Test("The configuration is shown as XML")
    func configuration() throws {
        var settings = Bench.settings()
        settings.profiles[0].registrations = .contact
        settings.hashRemotes = [
            SwitchSettings.HashRemote(name: "fsdns", endpoint: SIPEndpoint(ip: "127.0.0.1", port: 8121))
        ]
        var bench = Bench(settings)
        let sofia = bench.api("xml_locate configuration configuration name sofia.conf")
        #expect(sofia.hasPrefix("<configuration name=\"sofia.conf\">\n  <global_settings>"))
        #expect(sofia.contains("<profile name=\"svcA\">"))
        #expect(sofia.contains("<param name=\"multiple-registrations\" value=\"contact\"></param>"))
        #expect(
            bench.api("xml_locate configuration configuration name hash.conf") == """
                <configuration name="hash.conf">
                  <remotes>
                    <remote name="fsdns" host="127.0.0.1" port="8121" username="" password="ClueCon" interval="250"></remote>
                  </remotes>
                </configuration>

                """)
        #expect(
            bench.api("xml_locate configuration configuration name nosuch.conf") == "can't find anything\n")
        #expect(bench.api("xml_locate") == "-ERR bad args\n")
        #expect(bench.api("module_exists mod_hash") == "true")
        #expect(bench.api("module_exists mod_hiredis") == "false")
    }

    @Test("hupall ends the legs with a variable's value only")
    func hupall() {
        var settings = Bench.settings()
        settings.profiles.append(SwitchSettings.Profile(name: "svcB", ip: "10.77.0.51"))
        var bench = Bench(settings)
        _ = bench.api("simulator load parked 2 svcA")
        _ = bench.api("simulator load parked 3 svcB")
        bench.advance(by: .seconds(2))
        _ = bench.api("simulator load parked 0 svcX")
        #expect(
            bench.api("hupall MANAGER_REQUEST sofia_profile_name svcA")
                == "+OK hangup all channels matching [sofia_profile_name]=[svcA] with cause: MANAGER_REQUEST\n"
        )
        #expect(bench.api("show channels count") == "\n3 total.\n")
    }

    @Test("A BYE that the kernel refuses to send is given up, and never comes later")
    func mute() throws {
        var bench = Bench()
        bench.receive(SIPRecording.invite(to: "park", call: "a"), from: SIPRecording.phone)
        let tag = try #require(SIPRecording.toTag(bench.takeDatagrams()[1].text))
        bench.receive(
            SIPRecording.request("ACK", to: "park", call: "a", toTag: tag), from: SIPRecording.phone)
        _ = bench.api("hupall")
        let bye = try #require(bench.takeDatagrams().first { $0.text.hasPrefix("BYE ") })
        bench.core.notSent(Array(bye.text.utf8), at: bench.now)
        bench.advance(by: .seconds(40))
        #expect(bench.takeDatagrams().isEmpty)
    }
}
