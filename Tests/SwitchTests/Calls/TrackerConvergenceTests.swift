import EventSocket
import Primitives
import Replication
import Switch
import Testing

/// A tracker beside a switch whose events are lost or late.
@Suite struct TrackerConvergenceTests {
    private func words(_ legs: [CallLeg]) -> [String] {
        legs.sorted { $0.uuid < $1.uuid }.map {
            "\($0.uuid) \($0.phase) \($0.partner ?? "-") \($0.isOriginator) \($0.variable("turn") ?? "")"
        }
    }

    private func truth(_ calls: PretendCalls) -> [String] {
        calls.legs.sorted { $0.key < $1.key }.map { uuid, leg in
            let phase = leg.isAnswered ? (leg.isHeld ? "held" : "answered") : "ringing"
            return "\(uuid) \(phase) \(leg.partner ?? "-") \(leg.isOriginator) \(leg.turn)"
        }
    }

    /// A listing and all dumps it asks for.
    private func mend(_ tracker: inout CallTracker, by calls: PretendCalls, at now: Instant) {
        tracker.beginListing(at: now)
        let listing = ChannelListing(channels: calls.legs.keys.sorted().map { ListedChannel(uuid: $0) })
        for uuid in tracker.finishListing(listing, at: now) {
            if let dump = calls.dump(uuid) {
                tracker.handle(dump, at: now)
            } else {
                tracker.gone(uuid, at: now)
            }
        }
    }

    private func apply(_ changes: [CallTracker.Change], to replica: inout [String: CallLeg]) {
        for change in changes {
            switch change {
            case .put(let leg): replica[leg.uuid] = leg
            case .removed(let uuid, _): replica[uuid] = nil
            }
        }
    }

    @Test("with every event in order it knows exactly the switch's legs, at every step", arguments: 0..<30)
    func faithful(seed: UInt64) {
        var calls = PretendCalls(seed: seed)
        var tracker = CallTracker()
        var replica: [String: CallLeg] = [:]
        for step in 0..<400 {
            for event in calls.step() { tracker.handle(event, at: .zero + .milliseconds(step * 10)) }
            #expect(words(tracker.legs).map(core) == truth(calls).map(core))
            if step % 7 == 0 { apply(tracker.takeChanges(), to: &replica) }
        }
        apply(tracker.takeChanges(), to: &replica)
        #expect(words(Array(replica.values)) == words(tracker.legs.filter { $0.phase != .ringing }))
    }

    /// Without the turn: parting tells nothing of the other leg's newest variables.
    private func core(_ words: String) -> String {
        words.split(separator: " ").dropLast().joined(separator: " ")
    }

    @Test("with events lost and late a listing makes it right, and the replica with it", arguments: 0..<60)
    func converges(seed: UInt64) {
        var calls = PretendCalls(seed: seed)
        var chance = SeededGenerator(seed: seed &+ 1000)
        var tracker = CallTracker()
        var replica: [String: CallLeg] = [:]
        var late: [SwitchEvent] = []
        var now = Instant.zero + .seconds(100)
        for _ in 0..<400 {
            now += .milliseconds(30)
            for event in calls.step() {
                switch Int.random(in: 0..<10, using: &chance) {
                case 0, 1: break
                case 2, 3: late.append(event)
                default: tracker.handle(event, at: now)
                }
            }
            if Int.random(in: 0..<5, using: &chance) == 0 {
                for event in late.shuffled(using: &chance) { tracker.handle(event, at: now) }
                late = []
            }
            apply(tracker.takeChanges(limit: Int.random(in: 0..<5, using: &chance)), to: &replica)
        }
        now += .seconds(10)
        mend(&tracker, by: calls, at: now)
        #expect(words(tracker.legs) == truth(calls))
        apply(tracker.takeChanges(), to: &replica)
        #expect(words(Array(replica.values)) == words(tracker.legs.filter { $0.phase != .ringing }))
        #expect(tracker.counts.legs == calls.legs.count)
    }
}
