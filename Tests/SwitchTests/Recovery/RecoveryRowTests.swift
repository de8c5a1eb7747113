import EventSocket
import Replication
import Switch
import Testing

/// Rows for the recovery table, made of what events told.
@Suite struct RecoveryRowTests {
    static func legs(of events: [SwitchEvent]) -> [CallLeg] {
        var tracker = CallTracker()
        for event in events { tracker.handle(event, at: .zero) }
        return tracker.legs
    }

    private func rows(_ legs: [CallLeg], runtime: String = "slave") throws -> [RecoveryRow] {
        let local = LocalSwitch(
            coreUUID: runtime, profiles: [SofiaProfile(name: "svcA", state: "RUNNING (0)")])
        let plan = try RecoveryPlan(
            legs: legs, profile: "svcA", local: local, settings: .init(serviceAddress: "10.77.0.50"))
        #expect(plan.left == [])
        return plan.batches.flatMap { $0.flatMap { $0.rows(for: runtime, sequence: .some) } }.sorted {
            $0.uuid < $1.uuid
        }
    }

    /// Rows that were seen to revive their legs, but for the variable that is left out, which FreeSWITCH never reads, the
    /// re-INVITE's number, and the music of two legs.
    private static func revivingRows() throws -> [RecoveryRow] {
        try Recordings.rows("recovery_rows_from_events.json").map { row in
            var row = row
            row.metadata = row.metadata.replacing(/<sip_cseq>[0-9]+<\/sip_cseq>/, with: "")
                .replacing(
                    "</variables>",
                    with: (row.uuid == Recordings.parked ? "" : "<temp_hold_music>silence</temp_hold_music>")
                        + "<sip_invite_cseq>150994944</sip_invite_cseq></variables>")
            return row
        }
    }

    @Test("rows of the recorded calls are byte for byte those that were seen to revive them")
    func recorded() throws {
        let wanted = try Self.revivingRows()
        // Which of two legs carries flag 4 is free; the recorded rows gave it to the called one.
        var legs = Self.legs(of: try Recordings.dumps())
        for index in legs.indices { legs[index].isOriginator = legs[index].uuid == Recordings.callee }
        #expect(try rows(legs) == wanted)
    }

    @Test("the events alone give the same rows for the bridged legs") func fromEvents() throws {
        let wanted = try Self.revivingRows()
        let legs = Self.legs(of: try Recordings.events("events_call_bridge_plain.raw")).filter {
            $0.uuid != Recordings.parked
        }
        let made = try rows(legs)
        #expect(made.map(\.uuid) == [Recordings.callee, Recordings.bridged])
        // By the switch's own events the calling leg is the originator, as in its own table.
        #expect(made[1].metadata == wanted[2].metadata.replacing("160=1</flags>", with: "160=1;4=1</flags>"))
        #expect(made[0].metadata == wanted[0].metadata.replacing(";4=1</flags>", with: "</flags>"))
    }

    @Test("the switch's own rows give the same legs as its events") func ownRows() throws {
        let known = Dictionary(
            uniqueKeysWithValues: Self.legs(of: try Recordings.dumps()).map { ($0.uuid, $0) })
        for row in try Recordings.rows("recovery_rows.json") {
            let metadata = try RecoveryMetadata(reading: row)
            var leg = try #require(known[row.uuid])
            #expect(metadata.leg.flags == row.flags)
            leg.flags = row.flags
            // The row's times are the same; what events name and rows leave out is empty.
            #expect(
                metadata.leg.caller.filter { !$0.value.isEmpty } == leg.caller.filter { !$0.value.isEmpty })
            #expect(metadata.leg.direction == leg.direction && metadata.leg.partner == leg.partner)
            #expect(metadata.leg.isOriginator == leg.isOriginator)
            for field in leg.variables where !Self.moving.contains(field.name) {
                #expect(metadata.leg.variable(field.name) == field.value, "\(field.name)")
            }
            let applications = metadata.applications.map(\.name)
            #expect(
                applications
                    == (row.uuid == Recordings.parked
                        ? ["answer", "park"] : row.uuid == Recordings.bridged ? ["bridge"] : []))
        }
    }

    /// Variables that the table's older state of a leg did not have or had otherwise.
    private static let moving: Set<String> = [
        "bridge_channel", "bridge_uuid", "last_sent_callee_id_name", "last_sent_callee_id_number",
        "current_application",
    ]

    @Test("rows from the table give their flags to the rows that are staged") func flags() throws {
        var legs = Self.legs(of: try Recordings.dumps())
        for row in try Recordings.rows("recovery_rows.json") {
            let at = try #require(legs.firstIndex { $0.uuid == row.uuid })
            legs[at].flags = row.flags
        }
        let made = try rows(legs)
        for row in try Recordings.rows("recovery_rows.json") {
            #expect(made.first { $0.uuid == row.uuid }?.flags == row.flags)
        }
        // Two that both say so: one stays.
        for index in legs.indices { legs[index].flags = "1=1;4=1" }
        #expect(try rows(legs).map(\.flags) == ["1=1;89=1;2=1", "1=1;89=1", "1=1;4=1;89=1"])
    }

    @Test("what events get wrong is put right") func repairs() throws {
        var legs = Self.legs(of: try Recordings.dumps())
        let bridged = try #require(legs.firstIndex { $0.uuid == Recordings.bridged })
        let parked = try #require(legs.firstIndex { $0.uuid == Recordings.parked })
        legs[bridged].set("sip_full_to", "<sip:uas@10.77.0.50:5060>")
        legs[bridged].variables.removeAll { $0.name == "signal_bond" }
        legs[bridged].variables += [
            .init("limit_backend", "hash"), .init("not a name", "x"), .init("9lives", "x"), .init("a:b", "x"),
            .init("ümlaut", "x"), .init("", "x"), .init("odd", "<a href=\"x\">&amp;\u{1}+é% "),
        ]
        legs[parked].variables.append(.init("signal_bond", "somebody-who-went"))
        legs[parked].set("current_application", "playback")
        legs[parked].set("current_application_data", "say \"1 < 2\" & more\n")
        legs[parked].caller = legs[parked].caller.map {
            $0.name == "Caller-ID-Name" ? .init($0.name, "Smith & <Sons>\u{7}") : $0
        }
        let made = try rows(legs)
        let metadata = try #require(made.first { $0.uuid == Recordings.bridged })
        let leg = try RecoveryMetadata(reading: metadata).leg
        #expect(leg.variable("sip_full_to") == "<sip:uas@10.77.0.50:5060>;tag=HD9KN2BDjt5Fc")
        #expect(leg.variable("signal_bond") == Recordings.callee)
        #expect(leg.variable("limit_backend") == nil)
        #expect(leg.variable("odd") == "<a href=\"x\">&amp;\u{1}+é% ")
        #expect(
            leg.variables.allSatisfy { !["not a name", "9lives", "a:b", "ümlaut", ""].contains($0.name) })
        let alone = try RecoveryMetadata(reading: try #require(made.first { $0.uuid == Recordings.parked }))
        #expect(alone.leg.variable("signal_bond") == nil)
        #expect(alone.applications == [.init(name: "playback", data: "say \"1 < 2\" & more ")])
        #expect(alone.leg.caller.first { $0.name == "Caller-ID-Name" }?.value == "Smith & <Sons> ")
    }

    @Test("a call that comes back to the process it left has a row that process will take") func sameProcess()
        throws
    {
        let made = try rows(Self.legs(of: try Recordings.dumps()), runtime: Recordings.runtime)
        #expect(made.allSatisfy { $0.runtimeUUID != Recordings.runtime && !$0.runtimeUUID.isEmpty })
    }

    @Test("metadata that are not those of a leg are refused in words") func refused() throws {
        func refusal(_ metadata: String) -> String? {
            let row = RecoveryRow(
                runtimeUUID: "r", profileName: "svcA", hostname: "fsA", uuid: "u", metadata: metadata)
            do throws(SwitchFailure) {
                _ = try RecoveryMetadata(reading: row)
                return nil
            } catch {
                return error.description
            }
        }
        #expect(refusal("") == "recovery metadata cannot be read: u:1: the file is empty")
        #expect(refusal("hello")?.hasPrefix("recovery metadata cannot be read: u:1:") == true)
        #expect(refusal("<cdr/>") == "recovery metadata has no <channel_data> and <variables>")
        #expect(refusal("<other/>") == "recovery metadata cannot be read: it begins with <other>")
        #expect(
            refusal("<cdr><channel_data><direction>up</direction></channel_data><variables/></cdr>")
                == "recovery metadata has direction “up”, which means nothing")
        #expect(refusal("<!DOCTYPE cdr><cdr/>")?.contains("document type") == true)
        let whole = try #require(try Recordings.rows("recovery_rows.json").first).metadata
        for length in stride(from: 0, to: whole.count - 1, by: 501) {
            #expect(refusal(String(whole.prefix(length))) != nil)
        }
    }

    @Test("rows of earlier lives are found on a machine that comes back") func stale() throws {
        let rows = try Recordings.rows("recovery_rows.json")
        #expect(RecoveryRow.stale(in: rows, runtime: "new-life") == rows)
        #expect(RecoveryRow.stale(in: rows, runtime: Recordings.runtime) == [])
    }

    @Test(
        "two legs have no hold music until the event of their bridge, and what was left of an earlier revival is gone"
    )
    func music() throws {
        var legs = Self.legs(of: try Recordings.dumps())
        for index in legs.indices { legs[index].variables.append(.init("temp_hold_music", "left over")) }
        for row in try rows(legs) {
            let metadata = try RecoveryMetadata(reading: row)
            let wanted = row.uuid == Recordings.parked ? nil : "silence"
            #expect(metadata.leg.variable("temp_hold_music") == wanted)
        }
        let bridge = try #require(
            try Recordings.events("events_call_bridge_plain.raw").first { $0.name == "CHANNEL_BRIDGE" })
        #expect(HoldMusic.silent(after: bridge).isEmpty)
        var headers = bridge.headers
        headers.append("variable_temp_hold_music", "silence")
        #expect(
            HoldMusic.silent(after: SwitchEvent(headers: headers)) == [
                bridge["Bridge-A-Unique-ID"] ?? "", bridge["Bridge-B-Unique-ID"] ?? "",
            ])
        #expect(HoldMusic.restoring("u") == "uuid_setvar u temp_hold_music")
    }

    @Test("a leg alone does not wait for one that rang or failed, to which it was to be bridged") func bond()
        throws
    {
        var legs = Self.legs(of: try Recordings.dumps())
        for index in legs.indices { legs[index].variables.append(.init("originate_signal_bond", "gone")) }
        for row in try rows(legs) {
            let metadata = try RecoveryMetadata(reading: row)
            let wanted = row.uuid == Recordings.parked ? nil : "gone"
            #expect(metadata.leg.variables.last { $0.name == "originate_signal_bond" }?.value == wanted)
        }
    }
}
