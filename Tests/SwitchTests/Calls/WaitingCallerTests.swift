import EventSocket
import Primitives
import Replication
import Testing

@testable import Switch

/// A recording of FreeSWITCH: a caller is answered, hears an announcement and is bridged to a phone that rings; then he is
/// parked, and the ringing is cancelled.
@Suite("Callers for whom something rings") struct WaitingCallerTests {
    private static let profile = "alpha"

    /// The tracker at the moment before that event.
    private func tracker(until name: String? = nil, skipping count: Int = 0) throws -> CallTracker {
        var tracker = CallTracker()
        var left = count
        for event in try Recordings.events("events_waiting_json.raw") {
            if event.name == name {
                if left == 0 { break }
                left -= 1
            }
            tracker.handle(event, at: .zero)
        }
        return tracker
    }

    @Test("what rings is hopeless, the caller is not, and it is told who waits for what") func waits() throws
    {
        let tracker = try tracker(until: "CHANNEL_HANGUP")
        let legs = tracker.legs
        try #require(legs.count == 2)
        let ringing = try #require(legs.first { $0.phase == .ringing }).uuid
        let caller = try #require(legs.first { $0.phase == .answered }).uuid
        // The caller's tag comes with a dump, after his ACK; the recording has none.
        var known = tracker
        known.entries[caller]?.leg.variables.append(.init("sip_full_to", "<sip:svc0@10.77.0.11>;tag=a"))
        #expect(known.hopeless(on: Self.profile, serviceAddress: nil) == [ringing])
        #expect(
            known.callers(of: [ringing], on: Self.profile, serviceAddress: nil) == [caller: [ringing]])
        #expect(known.callers(of: [ringing], on: "beta", serviceAddress: nil).isEmpty)
        #expect(known.callers(of: [caller], on: Self.profile, serviceAddress: nil).isEmpty)
        #expect(tracker.counts.calls == 1)
    }

    @Test("a caller whose media stay elsewhere waits for nothing: he cannot be revived") func lost() throws {
        var tracker = try tracker(until: "CHANNEL_HANGUP")
        let ringing = try #require(tracker.legs.first { $0.phase == .ringing }).uuid
        let caller = try #require(tracker.legs.first { $0.phase == .answered }).uuid
        tracker.entries[caller]?.leg.variables.append(.init("sip_full_to", "<sip:svc0@10.77.0.11>;tag=a"))
        #expect(tracker.callers(of: [ringing], on: Self.profile, serviceAddress: nil).count == 1)
        #expect(
            tracker.callers(of: [ringing], on: Self.profile, serviceAddress: "192.0.2.1").isEmpty)
    }

    @Test("when he was parked he is alone, and at the end nobody is left") func parked() throws {
        let parked = try tracker(until: "CHANNEL_HANGUP", skipping: 1)
        #expect(parked.legs.map(\.phase) == [.answered])
        #expect(try tracker().legs.isEmpty)
    }

    @Test("what was dialled becomes words of a command only where it is plain")
    func entrance() throws {
        var leg = try #require(try tracker(until: "CHANNEL_HANGUP").legs.first { $0.phase == .answered })
        #expect(leg.entrance == "svc0 XML mine")
        for hostile in ["1 2", "1\n\napi version", "", "-both", "a'b", "$1", "ü"] {
            let place = try #require(leg.caller.firstIndex { $0.name == "Destination-Number" })
            leg.caller[place].value = hostile
            #expect(leg.entrance == nil)
        }
    }
}
