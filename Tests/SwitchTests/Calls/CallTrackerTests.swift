import EventSocket
import Limits
import Primitives
import Replication
import Switch
import Testing

private let start = Instant.zero + .seconds(5000)

/// The legs of a switch's calls, followed by its events.
@Suite struct CallTrackerTests {
    private func words(_ changes: [CallTracker.Change]) -> [String] {
        changes.map { change in
            switch change {
            case .put(let leg):
                "put \(leg.uuid.prefix(4))" + (leg.partner.map { "-\($0.prefix(4))" } ?? "")
                    + (leg.isOriginator ? "!" : "") + (leg.phase == .held ? " held" : "")
            case .removed(let uuid, let profile): "removed \(uuid.prefix(4)) of \(profile)"
            }
        }
    }

    @Test("the recorded calls come out leg by leg, in either format", arguments: ["plain", "json"])
    func recorded(format: String) throws {
        var tracker = CallTracker()
        var told: [String] = []
        for event in try Recordings.events("events_call_bridge_\(format).raw") {
            tracker.handle(event, at: start)
            told += words(tracker.takeChanges())
        }
        #expect(
            told == [
                "put 4987-534e", "put 534e", "put 534e-4987!", "put 534e-4987!", "put 4987-534e",
                "removed 4987 of svcA", "put 534e", "removed 534e of svcA", "put 5e31-cbc0", "put bb3d",
                "put cbc0", "put cbc0-5e31!", "put cbc0-5e31!", "put 5e31-cbc0",
            ])
        #expect(tracker.runtime == Recordings.runtime && tracker.switchname == "fsA")
        #expect(
            tracker.legs(of: "svcA").map(\.uuid) == [
                Recordings.callee, Recordings.parked, Recordings.bridged,
            ])
        let counts = tracker.counts
        #expect(counts.legs == 3 && counts.calls == 2 && counts.answered == 3 && counts.ringing == 0)
        #expect(counts.profiles.map(\.profile) == ["svcA"])
        #expect(counts.profiles[0].legs == 3 && counts.profiles[0].calls == 2)
        #expect(tracker.endedLastMinute(at: start) == 1)
        #expect(tracker.endedLastMinute(at: start + .seconds(61)) == 0)
    }

    @Test("changes that were not taken melt into the newest state") func coalescing() throws {
        var tracker = CallTracker()
        for event in try Recordings.events("events_call_bridge_plain.raw") {
            tracker.handle(event, at: start)
        }
        // The first call came and went.
        #expect(words(tracker.takeChanges()) == ["put cbc0-5e31!", "put 5e31-cbc0", "put bb3d"])
        #expect(!tracker.hasChanges)
        tracker.tellEverything()
        #expect(words(tracker.takeChanges(limit: 2)) == ["put 5e31-cbc0", "put bb3d"])
        #expect(words(tracker.takeChanges()) == ["put cbc0-5e31!"])
    }

    @Test("times are told by the switch's clock and kept by ours") func times() throws {
        var tracker = CallTracker()
        for event in try Recordings.dumps() { tracker.handle(event, at: start) }
        // Dumped 1.96 s after the answer.
        let times = try #require(tracker.times(of: Recordings.bridged))
        #expect(start - times.started == .microseconds(1_795_255_387_591_387 - 1_795_255_385_611_379))
        let answered = try #require(times.answered)
        #expect(start - answered == .microseconds(1_795_255_387_591_387 - 1_795_255_385_631_390))
        #expect(try #require(tracker.oldestAnswer) <= answered)
    }

    @Test("a listing and its dumps give the same legs as the events") func snapshot() throws {
        var followed = CallTracker()
        for event in try Recordings.events("events_call_bridge_plain.raw") {
            followed.handle(event, at: start)
        }
        var tracker = CallTracker()
        tracker.began(runtime: Recordings.runtime, switchname: "fsA", at: start)
        tracker.beginListing(at: start)
        let listing = try ChannelListing(reading: Recordings.bytes("api_show_channels.json"))
        let wanted = tracker.finishListing(listing, at: start + .milliseconds(10))
        #expect(wanted == [Recordings.bridged, Recordings.callee, Recordings.parked])
        #expect(tracker.verdict(on: Recordings.bridged, serviceAddress: nil) == .impossible(.notKnownYet))
        #expect(tracker.takeChanges().isEmpty)
        for dump in try Recordings.dumps() { tracker.handle(dump, at: start + .milliseconds(20)) }
        #expect(tracker.leg(Recordings.bridged) == followed.leg(Recordings.bridged))
        #expect(tracker.leg(Recordings.callee) == followed.leg(Recordings.callee))
        // The recorded stream ends before the parked leg's last event.
        #expect(tracker.leg(Recordings.parked)?.variable("current_application") == "park")
        #expect(words(tracker.takeChanges()) == ["put cbc0-5e31!", "put 5e31-cbc0", "put bb3d"])
    }

    @Test("a listing takes away what it lacks, but nothing an event told of a moment ago") func listingRace()
        throws
    {
        var tracker = CallTracker()
        let dumps = try Recordings.dumps()
        tracker.handle(dumps[0], at: start)
        tracker.handle(dumps[1], at: start + .seconds(9))
        tracker.beginListing(at: start + .seconds(10))
        tracker.handle(dumps[2], at: start + .seconds(10) + .milliseconds(1))
        #expect(tracker.finishListing(.init(channels: []), at: start + .seconds(11)) == [])
        #expect(tracker.legs.map(\.uuid) == [Recordings.callee, Recordings.parked])
        // The other way round: it still lists what an event has ended.
        tracker.beginListing(at: start + .seconds(20))
        tracker.gone(Recordings.callee, at: start + .seconds(20))
        let listing = ChannelListing(channels: [ListedChannel(uuid: Recordings.callee)])
        #expect(tracker.finishListing(listing, at: start + .seconds(21)) == [])
        #expect(tracker.count == 0)
    }

    @Test("late events of an ended leg do not bring it back; a new channel of its name does")
    func lateEvents() throws {
        var tracker = CallTracker()
        let events = try Recordings.events("events_call_bridge_plain.raw").filter {
            $0.channel?.hasPrefix("4987") == true
        }
        for event in events { tracker.handle(event, at: start) }
        for event in events.reversed() { tracker.handle(event, at: start) }
        #expect(tracker.count == 0)
        var anew = events[1]
        anew.headers["Event-Sequence"] = "100000"
        tracker.handle(anew, at: start)
        #expect(tracker.count == 1)
    }

    @Test("an older event tells nothing new of a leg") func order() throws {
        var tracker = CallTracker()
        let events = try Recordings.events("events_call_bridge_plain.raw").filter {
            $0.channel == Recordings.bridged
        }
        for event in events { tracker.handle(event, at: start) }
        let newest = tracker.leg(Recordings.bridged)
        for event in events.shuffled() { tracker.handle(event, at: start) }
        #expect(tracker.leg(Recordings.bridged) == newest)
    }

    @Test("hold, unhold, another uuid and unbridge are followed") func changes() throws {
        var tracker = CallTracker()
        let events = try Recordings.events("events_call_bridge_plain.raw")
        for event in events { tracker.handle(event, at: start) }
        _ = tracker.takeChanges()
        var sequence = 1000
        func tell(_ name: String, _ uuid: String, _ change: (inout Headers) -> Void = { _ in }) throws
            -> [String]
        {
            var event = try #require(events.last { $0.channel == uuid })
            sequence += 1
            event.headers["Event-Name"] = name
            event.headers["Event-Sequence"] = "\(sequence)"
            change(&event.headers)
            tracker.handle(event, at: start)
            return words(tracker.takeChanges())
        }
        #expect(try tell("CHANNEL_HOLD", Recordings.bridged) == ["put cbc0-5e31! held"])
        #expect(tracker.verdict(on: Recordings.bridged, serviceAddress: "10.77.0.50") == .risky(.held))
        #expect(try tell("CHANNEL_UNHOLD", Recordings.bridged) == ["put cbc0-5e31!"])
        let renamed = try tell("CHANNEL_UUID", Recordings.callee) {
            $0["Old-Unique-ID"] = Recordings.callee
            $0["Unique-ID"] = "new-name"
        }
        #expect(renamed == ["put cbc0-new-!", "removed 5e31 of svcA", "put new--cbc0"])
        let apart = try tell("CHANNEL_UNBRIDGE", Recordings.bridged) {
            $0["Bridge-A-Unique-ID"] = Recordings.bridged
            $0["Bridge-B-Unique-ID"] = "new-name"
        }
        #expect(apart == ["put cbc0", "put new-"])
        let again = try tell("CHANNEL_BRIDGE", Recordings.bridged) {
            $0["variable_signal_bond"] = Recordings.parked
            $0["Bridge-A-Unique-ID"] = Recordings.bridged
            $0["Bridge-B-Unique-ID"] = Recordings.parked
        }
        #expect(again == ["put cbc0-bb3d!", "put bb3d-cbc0"])
    }

    @Test("a restarted switch has none of the calls") func restart() throws {
        var tracker = CallTracker()
        for event in try Recordings.events("events_call_bridge_plain.raw") {
            tracker.handle(event, at: start)
        }
        _ = tracker.takeChanges()
        for event in try Recordings.events("events_recover_plain.raw") { tracker.handle(event, at: start) }
        // They were revived in another process, which hung up the parked one.
        #expect(tracker.switchname == "fsB")
        #expect(
            words(tracker.takeChanges()) == ["put 5e31-cbc0", "removed bb3d of svcA", "put cbc0-5e31!"])
        tracker.began(runtime: "another", switchname: "fsB", at: start)
        #expect(words(tracker.takeChanges()) == ["removed 5e31 of svcA", "removed cbc0 of svcA"])
    }

    @Test("rows of the switch's own table give flags, and show which legs it does not track") func rows()
        throws
    {
        var tracker = CallTracker()
        for dump in try Recordings.dumps() { tracker.handle(dump, at: start) }
        _ = tracker.takeChanges()
        var rows = try Recordings.rows("recovery_rows.json").filter { $0.uuid != Recordings.parked }
        rows.append(
            RecoveryRow(
                runtimeUUID: "an-earlier-life", profileName: "svcA", hostname: "fsA", uuid: Recordings.parked,
                metadata: "<flags>9=1</flags>"))
        tracker.noteRows(rows, areAll: true, at: start + .seconds(1))
        #expect(words(tracker.takeChanges()).sorted() == ["put 5e31-cbc0", "put cbc0-5e31!"])
        #expect(tracker.leg(Recordings.bridged)?.flags?.hasPrefix("0=1;1=1;4=1;22=1") == true)
        #expect(tracker.verdict(on: Recordings.bridged, serviceAddress: "10.77.0.50") == .recoverable)
        #expect(
            tracker.verdict(on: Recordings.parked, serviceAddress: "10.77.0.50") == .impossible(.notTracked))
        #expect(tracker.leg(Recordings.parked)?.flags == nil)
    }

    @Test("more legs, or larger ones, than it has room for are counted and not kept") func limits() throws {
        var settings = CallTracker.Settings()
        settings.legLimit = 2
        settings.legBytes = 2500
        var tracker = CallTracker(settings: settings)
        for dump in try Recordings.dumps() { tracker.handle(dump, at: start) }
        #expect(tracker.count == 2 && tracker.refused == 1)
        #expect(tracker.verdict(on: Recordings.bridged, serviceAddress: nil) == .impossible(.tooLarge))
        #expect(tracker.takeChanges().isEmpty)
    }

    @Test("calls that a switch invents fill no more memory than all legs may have, and end with it")
    func invented() {
        var settings = CallTracker.Settings()
        settings.allBytes = 100_000
        var tracker = CallTracker(settings: settings)
        tracker.admit(sessions: 100)
        func event(_ leg: Int, _ name: String, _ sequence: Int) -> SwitchEvent {
            var headers = Headers([
                .init("Event-Name", name), .init("Core-UUID", "core-1"),
                .init("Event-Sequence", "\(sequence)"),
                .init("Unique-ID", "leg\(leg)"), .init("Call-Direction", "inbound"),
                .init("Answer-State", "answered"),
                .init("variable_recovery_profile_name", "svcA"),
            ])
            headers.append("variable_junk", String(repeating: "x", count: 1000))
            return SwitchEvent(headers: headers)
        }
        for leg in 0..<500 { tracker.handle(event(leg, "CHANNEL_ANSWER", leg + 1), at: start) }
        #expect(tracker.count == 200 && tracker.refused == 300)
        #expect(tracker.bytes <= 100_000 && tracker.bytes > 90_000)
        #expect(tracker.takeChanges().count < 100)
        for leg in 0..<500 { tracker.handle(event(leg, "CHANNEL_HANGUP", 1000 + leg), at: start) }
        #expect(tracker.count == 0 && tracker.bytes == 0)
    }

    /// mod_hiredis leaves no variable of its own that names its keys.
    @Test("a leg that took a place of mod_hiredis says so wherever it is revived") func hiredisLimits() throws
    {
        func event(_ name: String, _ sequence: Int, _ more: [(String, String)]) -> SwitchEvent {
            var headers = Headers([
                .init("Event-Name", name), .init("Core-UUID", "core-1"),
                .init("Event-Sequence", "\(sequence)"),
                .init("Unique-ID", "leg"), .init("Call-Direction", "inbound"),
                .init("Answer-State", name == "CHANNEL_EXECUTE" ? "ringing" : "answered"),
                .init("variable_recovery_profile_name", "svcA"),
            ])
            for (name, value) in more { headers.append(name, value) }
            return SwitchEvent(headers: headers)
        }
        func limit(_ data: String, _ sequence: Int) -> SwitchEvent {
            event("CHANNEL_EXECUTE", sequence, [("Application", "limit"), ("Application-Data", data)])
        }
        func held(_ tracker: CallTracker) -> [String] {
            LimitKey.held(byVariables: tracker.leg("leg")?.variables ?? []).map(\.description)
        }
        var tracker = CallTracker()
        tracker.handle(limit("hiredis default carrier1 5 !CALL_REJECTED", 1), at: start)
        tracker.handle(limit("hiredis default carrier1 5 !CALL_REJECTED", 2), at: start)
        tracker.handle(limit("hiredis default cps1 6/1 !CALL_REJECTED", 3), at: start)
        tracker.handle(limit("hash trunk carrier2 5", 4), at: start)
        #expect(held(tracker) == [], "none of them let the leg through yet")
        let backends = ("variable_limit_backend", "hiredis,hash")
        tracker.handle(
            event("CHANNEL_ANSWER", 5, [backends, ("variable_limit_usage_trunk_carrier2", "1")]), at: start)
        #expect(held(tracker) == ["hash trunk_carrier2", "hiredis carrier1"])
        // Revived elsewhere: without `limit_backend`, with what the row said.
        var other = CallTracker()
        other.handle(event("CHANNEL_CREATE", 1, [("variable_fsdns_limit_0", "carrier1")]), at: start)
        #expect(held(other) == ["hiredis carrier1"])
    }
}
