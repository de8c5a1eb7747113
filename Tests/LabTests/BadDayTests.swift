import Lab
import Testing

extension LabSuites {
    @Suite("Bad days: strangers, doubles, and a name server that will not")
    struct BadDayTests {
        @Test("a second cluster of the same name with another key is named in the log and ignored")
        func otherKey() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let before = try lab.status()
            let file = try lab.makeCluster(ClusterPlan(), folder: "other")
            let stranger = try lab.addStranger("x1", clusterFile: file)
            stranger.nodeName = "fs1"
            try stranger.startService()
            try wait(for: "a log line about the stranger's address", atMost: 10) {
                lab.hosts.contains { $0.log.contains(stranger.machine.addresses[0]) }
            }
            pause(milliseconds: 2000)
            let after = try lab.waitUntilSettled()
            #expect(after.seats.map(\.holder) == before.seats.map(\.holder))
            #expect(after.term == before.term)
            #expect(try stranger.machine.kernelAddresses() == stranger.machine.addresses)
            let lines = lab.hosts[1].log.split(separator: "\n").filter {
                $0.contains(stranger.machine.addresses[0])
            }
            #expect(lines.count <= 8, "at most one line a second")
            try cluster.checkNoOverlap()
        }

        @Test("a foreign machine that has a held address is named by every node, as long as it has it")
        func impostor() throws {
            let lab = try Lab()
            defer { lab.close() }
            _ = try RunningCluster(lab)
            let ip = try #require(try lab.status().seat("master1")?.address)
            let impostor = try lab.addStranger("x1").machine
            let sentence = "somebody else answers for \(ip)"
            func isTold() throws -> [Bool] {
                try lab.hosts.map { host in
                    try host.status().warnings?.contains {
                        $0.contains(sentence) && $0.contains(impostor.hardwareAddress(ring: 0))
                    } ?? false
                }
            }
            #expect(try !isTold().contains(true))
            try impostor.check(["ip", "addr", "add", "\(ip)/32", "dev", "eth0"])
            try wait(for: "every node to name the impostor", atMost: 10, every: 100) {
                try !isTold().contains(false)
            }
            try impostor.check(["ip", "addr", "del", "\(ip)/32", "dev", "eth0"])
            try wait(for: "nobody to name it any more", atMost: 10, every: 100) {
                try !isTold().contains(true)
            }
        }

        @Test("the second of two nodes with one name refuses to start")
        func sameName() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let before = try lab.status()
            let double = try lab.addStranger("x1")
            double.nodeName = "fs4"
            try double.startService()
            var status: Int32?
            try wait(for: "the second fs4 to end", atMost: 15) {
                status = double.exitStatus()
                return status != nil
            }
            #expect(status != 0)
            #expect(double.log.contains("fs4"))
            let after = try lab.waitUntilSettled()
            #expect(after.seats.map(\.holder) == before.seats.map(\.holder))
            try cluster.checkNoOverlap()
        }

        @Test("a holder that can open nothing more goes on serving")
        func descriptors() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let holder = try cluster.holder(of: "master2")
            let before = try lab.status()
            let pid = try #require(holder.servicePid)
            func limit(_ count: Int) throws {
                try Launch.check(["prlimit", "--pid", "\(pid)", "--nofile=\(count):"])
            }
            // Exactly what it has open; poll(2) refuses more than the limit altogether.
            let open = ProcessTable.descriptors(of: pid)
            try limit((0...).first { !open.contains($0) } ?? 0)
            pause(milliseconds: 4000)
            try limit(1024)
            let after = try lab.waitUntilSettled()
            #expect(holder.servicePid == pid)
            #expect(after.seats.map(\.holder) == before.seats.map(\.holder))
            #expect(try holder.command("status").contains(holder.name))
            try cluster.checkNoOverlap()
        }

        @Test("when all disks are full every node says so, goes on, and covers a machine that is lost")
        func fullDisks() throws {
            let lab = try Lab()
            defer { lab.close() }
            let disks = lab.hosts.map { $0.machine.directory + "/state" }
            for disk in disks {
                try Launch.check(["mkdir", "-p", disk])
                try Launch.check(["mount", "-t", "tmpfs", "-o", "size=80m,mode=700", "tmpfs", disk])
            }
            defer { for disk in disks { _ = try? Launch.check(["umount", "-l", disk]) } }
            let cluster = try RunningCluster(lab)
            for disk in disks { try Launch.check(["sh", "-c", "cat /dev/zero >\(disk)/log 2>&1 || true"]) }
            try wait(for: "every node's disk in status", atMost: 15, every: 200) {
                let warnings = try lab.status().warnings ?? []
                return lab.hosts.allSatisfy { host in
                    warnings.contains { $0.hasPrefix("\(host.name): less than 64 MiB are left") }
                }
            }
            let lost = try cluster.holder(of: "master2")
            try lost.cutPower()
            try wait(for: "another holder of master2", atMost: 10) {
                let seat = try? lab.status().seats.first { $0.name == "master2" }
                return seat?.state == "active" && seat?.holder != lost.name
            }
            for disk in disks { try Launch.check(["rm", disk + "/log"]) }
            try wait(for: "no word about disks", atMost: 15, every: 200) {
                try !(lab.status().warnings ?? []).contains { $0.contains("MiB are left") }
            }
            try cluster.checkNoOverlap()
        }

        enum Trouble: CaseIterable { case refusing, dead, frozen }

        @Test("a name server in trouble changes nothing and is made true later", arguments: Trouble.allCases)
        func nameServer(trouble: Trouble) throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            try cluster.checkAgreement()
            switch trouble {
            case .refusing:
                lab.nameServer.kill()
                try lab.nameServer.start(.refusing)
            case .dead: lab.nameServer.kill()
            case .frozen: lab.nameServer.freeze()
            }
            let drained = try cluster.holder(of: "master2")
            try drained.command("drain", "master2", "--reason", "lab")
            try wait(for: "a reason in status", atMost: 20, every: 200) {
                guard let dns = try lab.status().dns, !dns.converged else { return false }
                return dns.problem != nil || dns.servers.contains { $0.problem != nil }
            }
            if trouble == .refusing {
                #expect(try lab.nameServer.answer(ClusterPlan.serviceName) == ClusterPlan.serviceAddresses)
            }
            switch trouble {
            case .refusing:
                lab.nameServer.kill()
                try lab.nameServer.start()
            case .dead: try lab.nameServer.start()
            case .frozen: lab.nameServer.thaw()
            }
            try lab.waitUntilSettled(atMost: 60)
            try cluster.checkAgreement()
            try cluster.checkNoOverlap()
        }

        @Test(
            "a leader whose machine has no way to the name server is followed by one that has, and a drain goes on"
        )
        func shutOutLeader() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let former = try lab.host(try #require(try lab.status().leader))
            try lab.network.partition([former.machine], from: [lab.nameServer.machine])
            let moment = BootTime.now
            try cluster.holder(of: "master2").command("drain", "master2", "--reason", "lab")
            try wait(for: "another leader", atMost: 40, every: 100) {
                try lab.status().leader.map { $0 != former.name } ?? false
            }
            let waited = Int(BootTime.now.milliseconds(since: moment))
            print("lab: another leads, \(waited) ms after the way to the name server was lost")
            try wait(for: "the drain to end", atMost: 30, every: 200) {
                try lab.status().maintenance.drain == nil
            }
            for host in lab.hosts {
                let warnings = try host.status().warnings ?? []
                #expect(
                    warnings.contains {
                        $0.hasPrefix("\(former.name) could not write the zone when leading: ")
                    },
                    "\(host.name): \(warnings)")
            }
            try lab.network.heal()
            try lab.waitUntilSettled(atMost: 60)
            try cluster.checkAgreement()
            try cluster.checkNoOverlap()
        }

        @Test("the printed script is taken by nsupdate and does the same")
        func script() throws {
            let lab = try Lab()
            defer { lab.close() }
            lab.nameServer.kill()
            try lab.nameServer.start(.refusing)
            for host in lab.hosts { try host.start() }
            try wait(for: "all seats to be held", atMost: 30, every: 100) {
                let status = try? lab.status()
                return status?.seats.isEmpty == false
                    && status?.seats.allSatisfy { $0.state == "active" } == true
            }
            let script = try lab.hosts[0].command("zone", "plan", "--nsupdate")
            #expect(script.contains("update add"))

            // The nodes cannot reach the server now, so that what it serves can only come from the script.
            lab.nameServer.kill()
            try lab.network.partition(lab.hosts.map(\.machine), from: [lab.nameServer.machine])
            try lab.nameServer.start()
            try lab.client.check(["nsupdate", "-k", lab.nameServer.keyFile], input: script)
            #expect(try lab.nameServer.answer(ClusterPlan.serviceName) == ClusterPlan.serviceAddresses)
            #expect(try lab.nameServer.answer("_sip._udp.voip.example.net", "SRV").count == 3)
            #expect(try lab.nameServer.answer("_fsdns.sip.voip.example.net", "TXT").count == 1)
            try lab.network.heal()
            try lab.waitUntilSettled(atMost: 60)
        }
    }
}
