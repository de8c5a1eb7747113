import Foundation
import Lab
import Testing

/// Where the lab must be possible (CI) it is built and fails if it cannot be; elsewhere its tests are
/// skipped.
enum LabSite {
    static let obstacle = Lab.obstacle
    static var isUsable: Bool { obstacle == nil || ProcessInfo.processInfo.environment["CI"] == "true" }
    /// Tests with a program that is not there run and fail in CI; elsewhere they are skipped.
    static func expects(_ program: String) -> Bool {
        ProcessInfo.processInfo.environment["CI"] == "true" || access(program, X_OK) == 0
    }
    static var word: Comment { "the lab \(obstacle ?? "stands")" }
}

extension LabSuites {
    @Suite("The lab's own instruments, with addresses moved by hand")
    struct InstrumentTests {
        static let address = "10.77.0.11"

        /// A lab of three hosts that answer probes and run no node service.
        private func lab() throws -> Lab {
            var plan = ClusterPlan()
            plan.nodes = 3
            plan.rings = 2
            let lab = try Lab(plan)
            for host in lab.hosts { try host.startEcho() }
            return lab
        }

        /// Adds the address, and tells the client at once who has it.
        private func add(_ lab: Lab, _ index: Int) throws {
            let machine = lab.hosts[index].machine
            try machine.check(["ip", "addr", "add", Self.address + "/24", "dev", "eth0"])
            try lab.client.check(
                [
                    "ip", "neigh", "replace", Self.address, "lladdr", machine.hardwareAddress(ring: 0), "dev",
                    "eth0", "nud", "reachable",
                ])
        }

        private func remove(_ lab: Lab, _ index: Int) throws {
            try lab.hosts[index].machine.check(["ip", "addr", "del", Self.address + "/24", "dev", "eth0"])
        }

        @Test("a clean move has no overlap and a short gap; an unclean one shows its overlap")
        func moves() throws {
            let lab = try lab()
            defer { lab.close() }
            try add(lab, 0)
            #expect(try lab.holder(of: Self.address) == "fs1")
            let probe = try lab.startProbe(of: Self.address)
            pause(milliseconds: 300)
            try remove(lab, 0)
            try add(lab, 1)
            pause(milliseconds: 200)
            let afterClean = BootTime.now
            try add(lab, 2)
            pause(milliseconds: 100)
            #expect(throws: LabFailure.self) { try lab.holder(of: Self.address) }
            try remove(lab, 1)
            pause(milliseconds: 100)
            let record = try probe.stop()

            let history = try lab.addressHistory()
            #expect(history.overlap(of: Self.address, until: afterClean) == 0)
            let overlap = history.overlap(of: Self.address, until: .now)
            #expect(overlap > 100 && overlap < 2000)
            #expect(history.changes(of: Self.address).map(\.machine) == ["fs1", "fs1", "fs2", "fs3", "fs2"])
            #expect(record.handovers.map(\.to) == ["fs2", "fs3"])
            #expect(record.handovers.allSatisfy { $0.gap > 0 && $0.gap < 2000 })
            #expect(record.answers.first?.who == "fs1")
        }

        @Test("cuts separate exactly whom they name, in the direction they name")
        func cuts() throws {
            let lab = try lab()
            defer { lab.close() }
            let (one, two, three) = (lab.hosts[0].machine, lab.hosts[1].machine, lab.hosts[2].machine)
            func reaches(_ a: Machine, _ b: Machine, ring: Int = 0) throws -> Bool {
                let probe = try lab.startProbe(of: b.addresses[ring], from: a)
                pause(milliseconds: 50)
                return try !probe.stop().answers.isEmpty
            }
            #expect(try reaches(one, two) && reaches(one, three) && reaches(one, two, ring: 1))
            try lab.network.partition([one], from: [two])
            #expect(try !reaches(one, two) && !reaches(two, one) && !reaches(one, two, ring: 1))
            #expect(try reaches(one, three) && reaches(two, three))
            try lab.network.heal()
            #expect(try reaches(one, two))

            // One way only: probes from the client still arrive at fs1, its answers do not come back.
            try add(lab, 0)
            try lab.network.cut(from: [one], to: [lab.client], ring: 0)
            let deaf = try lab.startProbe(of: Self.address)
            pause(milliseconds: 100)
            #expect(try deaf.stop().answers.isEmpty)
            try lab.network.heal()
            let healed = try lab.startProbe(of: Self.address)
            // fs1 may have asked for the client's hardware address in vain and asks again after a second.
            pause(milliseconds: 1500)
            #expect(try healed.stop().answers.first?.who == "fs1")
        }

        @Test("a machine without power is silent, has no processes, and comes back empty")
        func power() throws {
            let lab = try lab()
            defer { lab.close() }
            let machine = lab.hosts[0].machine
            try add(lab, 0)
            let sleeper = try machine.start(
                ["sleep", "600"], outputFile: "sleep.log", errorsFile: "sleep.log")
            try lab.hosts[0].cutPower()
            #expect(machine.exitStatus(of: sleeper) == 128 + 9)
            #expect(try lab.holder(of: Self.address) == nil)
            let probe = try lab.startProbe(of: Self.address)
            pause(milliseconds: 100)
            #expect(try probe.stop().answers.isEmpty)
            #expect(try lab.addressHistory().changes(of: Self.address).last?.isAdded == false)
            try lab.hosts[0].powerOn(startingService: false)
            #expect(try machine.kernelAddresses() == machine.addresses)
        }

        @Test("the name server takes exactly the updates its shipped rules allow")
        func nameServer() throws {
            let lab = try lab()
            defer { lab.close() }
            func update(_ line: String) throws -> Launch.Output {
                try lab.client.run(
                    ["nsupdate", "-k", lab.nameServer.keyFile],
                    input: "server \(NameServer.address)\nzone voip.example.net\n\(line)\nsend\n")
            }
            try lab.startZoneWatch()
            #expect(try update("add sip.voip.example.net 1 A 10.77.0.11").status == 0)
            #expect(try lab.nameServer.answer(ClusterPlan.serviceName) == ["10.77.0.11"])
            #expect(try update("add www.voip.example.net 1 A 10.77.0.11").errors.contains("REFUSED"))
            try wait(for: "the zone watch to see it", atMost: 2) {
                lab.nameServer.machine.text(of: "answers").hasSuffix(" 10.77.0.11\n")
            }
            lab.nameServer.kill()
            try lab.nameServer.start(.refusing)
            #expect(try update("add sip.voip.example.net 1 A 10.77.0.12").errors.contains("REFUSED"))
            #expect(try lab.nameServer.answer(ClusterPlan.serviceName) == ["10.77.0.11"])
        }

        @Test("nothing is left of a lab that was closed")
        func leftovers() throws {
            let lab = try lab()
            let (directory, first) = (lab.directory, lab.hosts[0].machine.firstProcess)
            #expect(FileManager.default.fileExists(atPath: directory))
            lab.close()
            #expect(ProcessTable.field("State", of: first) == nil)
            try wait(for: "the folder to be removed", atMost: 5) {
                !FileManager.default.fileExists(atPath: directory)
            }
        }
    }
}

/// All that builds labs runs one after another: the machine has few processors and time matters here.
@Suite("Lab", .serialized, .enabled(if: LabSite.isUsable, LabSite.word))
struct LabSuites {
    /// Every combination of what is tried in many, as in `script/soak`; else some of them.
    static let isWhole = ProcessInfo.processInfo.environment["FSDNS_LAB_WHOLE"] == "1"
}
