import FoundationEssentials
import Lab
import Testing

extension LabSuites {
    @Suite("The playbooks that come with fsdns do what they say")
    struct ShippedPlaybookTests {
        @Test("drain-one drains a master, waits for an approval, and brings the machine back")
        func drainOne() throws {
            let lab = try Lab()
            defer { lab.close() }
            let site = try PlaybookSite(lab)
            let drained = try site.cluster.holder(of: "master2")
            let file = PlaybookSite.shipped("drain-one")
            let parameters = ["--parameter", "target=master2", "--parameter", "ttl=1s"]
            let plan = try site.ask(["run", file, "--dry-run"] + parameters)
            #expect(plan.status == 0 && plan.output.contains("Nothing stands against a run now"), "\(plan)")
            #expect(try site.list().run == nil)

            let started = try site.ask(["run", file] + parameters)
            #expect(started.status == 0, "\(started)")
            try site.untilApproval()
            let status = try lab.status()
            #expect(status.node(drained.name)?.role == "maintenance")
            #expect(status.seat("master2")?.holder != drained.name)
            let text = try drained.command("status")
            #expect(text.contains("Playbook drain-one: running, step"), "\(text)")
            try site.tell("approve")

            let run = try site.waitForEnd(of: "drain-one")
            #expect(run.outcome == "done", "\(run)")
            #expect(run.steps.allSatisfy { $0.outcome.hasPrefix("done") })
            #expect(try lab.waitUntilSettled().node(drained.name)?.role == "slave")
            try site.cluster.checkAgreement()
            try site.cluster.checkNoOverlap()
            try checkDeeds(of: lab)
        }

        /// Every node remembers who asked for what, and none of it was changed.
        private func checkDeeds(of lab: Lab) throws {
            for host in lab.hosts {
                try wait(for: "\(host.name) to write down the deeds", atMost: 5, every: 100) {
                    try host.deeds().contains { $0.what.hasPrefix("playbook-finished") }
                }
                let deeds = try host.deeds()
                #expect(
                    deeds.contains {
                        $0.who?.hasSuffix(" (claims ann@ops)") == true && $0.what == "playbook run drain-one"
                    })
                #expect(
                    deeds.contains {
                        $0.who?.hasSuffix(" (claims ann@ops)") == true && $0.what == "playbook approve"
                    })
                try host.command("history", "--verify")
            }
        }

        @Test("evacuate takes two machines out at once, with their calls, and leaves them out")
        func evacuate() throws {
            let site = try SwitchCluster()
            defer { site.close() }
            let playbooks = PlaybookSite(site.lab, site.cluster)
            let calls = try site.place(10)
            let leaving = [try site.host(of: "alpha"), try site.host(of: "beta")]
            let names = leaving.map(\.name).joined(separator: " ")
            let said = try playbooks.ask(
                [
                    "run", PlaybookSite.shipped("evacuate"), "--wait", "--timeout", "1m", "--parameter",
                    "nodes=\(names)",
                ],
                seconds: 90)
            #expect(said.status == 0, "\(said.output)\(said.errors)\n\(site.lab.troubles())")
            let status = try site.lab.waitUntilSettled()
            for host in leaving {
                #expect(status.node(host.name)?.role == "maintenance")
                #expect(status.seat(heldBy: host.name) == nil)
            }
            try checkCalls(calls, on: site, besides: leaving)
            try site.cluster.checkNoOverlap()
        }

        /// Every leg lives exactly once, on a machine that stayed.
        private func checkCalls(_ calls: SwitchCluster.Calls, on site: SwitchCluster, besides gone: [Host])
            throws
        {
            let wanted = calls.values.reduce(into: Set<String>()) { $0.formUnion($1) }
            let staying = site.lab.hosts.filter { host in !gone.contains { $0 === host } }
            try wait(for: "all calls on the machines that stay", atMost: 20, every: 200) {
                let legs = try staying.flatMap { try $0.freeswitch.channels().map(\.uuid) }
                return legs.count == wanted.count && Set(legs) == wanted
            }
        }

        @Test("rolling-upgrade takes every machine out in turn, upgrades it, and brings it back")
        func rollingUpgrade() throws {
            let lab = try Lab()
            defer { lab.close() }
            let site = try PlaybookSite(lab)
            let upgrade = try site.script(
                "upgrade", "echo \"$FSDNS_NODE $1 $FSDNS_PLAYBOOK $FSDNS_WHO\" >> '\(lab.directory)/upgraded'"
            )
            let said = try site.ask(
                [
                    "run", PlaybookSite.shipped("rolling-upgrade"), "--now", "--wait", "--timeout", "3m",
                    "--parameter", "upgrade=\(upgrade)", "--parameter", "version=1.10.13", "--parameter",
                    "ttl=1s", "--parameter", "pause=1s",
                ], seconds: 200)
            #expect(said.status == 0, "\(said.output)\(said.errors)\n\(lab.troubles())")
            #expect(
                site.lines(of: "upgraded")
                    == lab.hosts.map { "\($0.name) 1.10.13 rolling-upgrade root@\(lab.hosts[0].name)" })
            let status = try lab.waitUntilSettled()
            #expect(status.nodes.allSatisfy { $0.role == "master" || $0.role == "slave" })
            try site.cluster.checkAgreement()
            try site.cluster.checkNoOverlap()
        }

        @Test("failover-drill fails a master inside its window, and grades how the others take over")
        func failoverDrill() throws {
            let lab = try Lab()
            defer { lab.close() }
            let site = try PlaybookSite(lab)
            let victim = try site.cluster.holder(of: "master2")
            let file = try windowed(lab)
            try site.tell("run", file, "--parameter", "victim=\(victim.name)")
            try site.untilApproval()
            try site.tell("approve")
            try wait(for: "\(victim.name) to fail", atMost: 15) { victim.exitStatus() != nil }
            // As its service manager does.
            try victim.startService()
            let run = try site.waitForEnd(of: "failover-drill")
            #expect(run.outcome == "done", "\(run)\n\(lab.troubles())")
            let status = try lab.waitUntilSettled()
            #expect(status.node(victim.name)?.role == "slave")
            try site.cluster.checkAgreement()
            try site.cluster.checkNoOverlap()
        }

        /// The shipped drill with a window that is open all day, today and tomorrow.
        private func windowed(_ lab: Lab) throws -> String {
            let text = try String(contentsOfFile: PlaybookSite.shipped("failover-drill"), encoding: .utf8)
            let open = text.replacing(
                "from=\"06:00\" to=\"08:00\" days=\"mon-thu\"", with: "from=\"00:00\" to=\"24:00\"")
            #expect(open != text)
            let path = lab.directory + "/failover-drill.xml"
            try open.write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }
    }
}
