import Consensus
import Primitives
import Testing

@testable import Cluster

@Suite("What a node tells of the state it found at its start") struct OldStateTests {
    /// A node with this state on its disk, alone among three that it does not hear.
    private func placements(_ holder: Holder, startsAs incarnation: UInt64) -> [Placement] {
        let members = ["fs1", "fs2", "fs3"].map { MemberID(name: $0, birth: 1) }
        var state = ControlState(clusterID: 1, settings: Five.settings)
        for member in members {
            let admission = Admission(
                holder: Holder(member: member, incarnation: 1 << 32), kind: .full, settingsVersion: 1)
            _ = state.apply(
                StampedCommand(time: .zero, command: .admit(admission)), at: Epoch(term: 1, index: 2))
        }
        _ = state.apply(
            StampedCommand(
                time: .zero, command: .grant(address: "alpha", to: holder, reason: "", isAutomatic: true)),
            at: Epoch(term: 1, index: 3))
        var node = Node(
            name: "fs1", birth: 1, incarnation: incarnation, kind: .full, settings: Five.settings,
            restored: .founding(Membership(voters: members), state: state), seed: 1, at: .zero)
        var newest: [Placement] = []
        var now = Instant.zero
        for _ in 0..<40 {
            for case .surveyed(let survey) in node.handle(.tick, at: now) { newest = survey.placements }
            now = now + .milliseconds(25)
        }
        return newest
    }

    @Test("before it is admitted anew, nobody is told to have an address: its calls may have come here since")
    func notAdmitted() throws {
        let other = Holder(member: MemberID(name: "fs2", birth: 1), incarnation: 1 << 32)
        let found = try #require(placements(other, startsAs: 2 << 32).first { $0.address.name == "alpha" })
        #expect(found.holder == nil)
        let current = try #require(placements(other, startsAs: 1 << 32).first { $0.address.name == "alpha" })
        #expect(current.holder == other, "in the life that the state knows")
    }
}
