import FoundationEssentials
import Lab
import Testing

extension LabSuites {
    @Suite("What is pretended is what happens")
    struct PretendedTests {
        /// The documented part of `fsdns simulate drain|fail --format json`.
        private struct Outcome: Decodable {
            struct Seat: Decodable {
                var name: String
                var address: String?
                var holder: String?
            }
            var seats: [Seat]
            var slaves: [String]
            var maintenance: [String]
            var published: [String]
            var differences: [String]
        }

        private func pretend(_ lab: Lab, _ what: String, _ target: String) throws -> Outcome {
            let host = try #require(lab.hosts.first { $0.machine.isPowered })
            let text = try host.command("simulate", what, target, "--format", "json")
            return try JSONDecoder().decode(Outcome.self, from: Data(text.utf8))
        }

        private func compare(_ lab: Lab, _ outcome: Outcome, _ status: Status) throws {
            #expect(outcome.differences.isEmpty)
            #expect(outcome.seats.map(\.holder) == status.seats.map(\.holder))
            #expect(outcome.seats.map(\.address) == status.seats.map(\.address))
            let slaves = status.nodes.filter { $0.position != nil }
                .sorted { ($0.position ?? 0) < ($1.position ?? 0) }.map(\.name)
            #expect(outcome.slaves == slaves)
            #expect(outcome.maintenance == status.nodes.filter { $0.role == "maintenance" }.map(\.name))
            try wait(for: "DNS as pretended", atMost: 5) {
                try lab.nameServer.answer(ClusterPlan.serviceName) == outcome.published
            }
        }

        @Test("a drain, then the loss of a machine, come out as simulate said")
        func drainAndLoss() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let drain = try pretend(lab, "drain", "master2")
            let planned = try lab.hosts[0].command(
                "simulate", "drain", "master2", "--at", "Tue 02:00", "--zone", "UTC")
            #expect(planned.contains("02:00 UTC") && planned.contains("No playbook is due"), "\(planned)")
            let drained = try cluster.holder(of: "master2")
            try drained.command("drain", "master2", "--wait")
            try compare(lab, drain, try lab.waitUntilSettled())

            let victim = try cluster.holder(of: "master3")
            let loss = try pretend(lab, "fail", victim.name)
            try victim.cutPower()
            try compare(lab, loss, try lab.waitUntilSettled(missing: 1))

            let others = lab.hosts.filter { $0 !== victim && $0 !== drained }.map(\.name)
            let hopeless = try drained.tryCommand("simulate", "fail", others.joined(separator: ","))
            #expect(hopeless.status == 1 && hopeless.errors.contains("there is no leader"), "\(hopeless)")
            let unknown = try drained.tryCommand("simulate", "fail", "fs9")
            #expect(unknown.status == 1 && unknown.errors.contains("there is no node fs9"), "\(unknown)")
            try cluster.checkNoOverlap()
        }
    }
}
