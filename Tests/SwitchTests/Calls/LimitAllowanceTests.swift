import EventSocket
import Limits
import Primitives
import Switch
import Testing

private let start = Instant.zero + .seconds(5000)

/// What is believed of mod_hash's figures: no more than calls account for.
@Suite("Limits that calls account for") struct LimitAllowanceTests {
    private func event(
        _ name: String, of leg: String, _ sequence: Int, _ more: [(String, String)] = []
    ) -> SwitchEvent {
        var headers = Headers([
            .init("Event-Name", name), .init("Core-UUID", "core-1"), .init("Event-Sequence", "\(sequence)"),
            .init("Unique-ID", leg), .init("Call-Direction", "inbound"),
        ])
        for (name, value) in more { headers.append(name, value) }
        return SwitchEvent(headers: headers)
    }

    private func limit(_ data: String, on leg: String, _ sequence: Int) -> SwitchEvent {
        event(
            "CHANNEL_EXECUTE", of: leg, sequence, [("Application", "limit"), ("Application-Data", data)])
    }

    @Test("each leg that ran the limit, or that the switch says holds it, accounts for one")
    func totals() {
        var tracker = CallTracker()
        tracker.handle(limit("hash r trunk 5", on: "a", 1), at: start)
        tracker.handle(limit("hash r trunk 5", on: "a", 2), at: start)
        tracker.handle(
            event("CHANNEL_ANSWER", of: "b", 3, [("variable_limit_usage_r_trunk", "2")]), at: start)
        tracker.handle(limit("hash r other 5", on: "b", 4), at: start)
        let allowances = tracker.hashAllowances(at: start)
        #expect(allowances == ["r_trunk": LimitAllowance(total: 2), "r_other": LimitAllowance(total: 1)])
        tracker.handle(event("CHANNEL_HANGUP", of: "b", 5), at: start)
        #expect(tracker.hashAllowances(at: start) == ["r_trunk": LimitAllowance(total: 1)])
    }

    @Test("an id with line ends in it accounts for nothing")
    func hostile() {
        var tracker = CallTracker()
        tracker.handle(limit("hash r y\nL/r_trunk/77/0/0/0\n@x 5", on: "a", 1), at: start)
        #expect(tracker.hashAllowances(at: start).isEmpty)
    }

    @Test("a rate is accounted for by attempts of its last two windows")
    func rates() {
        var tracker = CallTracker()
        for at in 1...3 {
            tracker.handle(limit("hash r cps 9/10", on: "leg\(at)", at), at: start + .seconds(Int64(at)))
        }
        for at in 1...3 { tracker.handle(event("CHANNEL_HANGUP", of: "leg\(at)", 10 + at), at: start) }
        #expect(tracker.hashAllowances(at: start + .seconds(5)) == ["r_cps": LimitAllowance(rate: 3)])
        #expect(tracker.hashAllowances(at: start + .seconds(15)) == ["r_cps": LimitAllowance(rate: 3)])
        #expect(tracker.hashAllowances(at: start + .seconds(40)).isEmpty)
    }
}
