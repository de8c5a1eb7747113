import Lab
import Testing

extension LabSuites {
    @Suite("Holders that cannot let go by themselves")
    struct StuckHolderTests {
        enum Fault: CaseIterable { case killed, frozen }

        @Test(
            "the keeper lets go when the lease of a killed or frozen node service ends",
            arguments: Fault.allCases)
        func service(fault: Fault) throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let victim = try cluster.holder(of: "master2")
            let address = try cluster.address(of: "master2")
            let others = lab.hosts.filter { $0 !== victim }
            let moment = try fault == .killed ? victim.kill(.service) : victim.freeze(.service)
            try lab.waitUntilSettled(missing: 1, from: others)
            let history = try lab.addressHistory()
            let removed = history.firstRemoval(of: address, from: victim.name, after: moment)
            let added = history.firstAdd(of: address, after: moment)
            #expect(added != nil && removed != nil)
            if let removed { #expect(removed.at.milliseconds(since: moment) < 2000) }
            #expect(added?.machine != victim.name)
            try cluster.checkNoOverlap()

            if fault == .frozen { try victim.thaw(.service) } else { try victim.startService() }
            try lab.waitUntilSettled(from: others)
            #expect(try lab.status(from: others).node(victim.name)?.role == "slave")
            try cluster.checkNoOverlap()
        }

        @Test("an address goes in time when node service and keeper are frozen together")
        func both() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let victim = try cluster.holder(of: "master2")
            let address = try cluster.address(of: "master2")
            let others = lab.hosts.filter { $0 !== victim }
            let moment = try victim.freeze(.both)
            try lab.waitUntilSettled(missing: 1, from: others)
            try wait(for: "the kernel to remove \(address)", atMost: 3) {
                try !victim.machine.kernelAddresses().contains(address)
            }
            let removed = try lab.addressHistory().firstRemoval(of: address, from: victim.name, after: moment)
            if let removed {
                #expect(removed.at.milliseconds(since: moment) <= 2500)
            } else {
                Issue.record("no removal was seen")
            }
            let beforeThaw = try lab.addressHistory().changes(of: address).count
            try victim.thaw(.both)
            try lab.waitUntilSettled(from: others)
            #expect(try lab.addressHistory().changes(of: address).count == beforeThaw, "no address came back")
            try cluster.checkNoOverlap()
        }

        @Test(
            "a keeper that is frozen or killed in the moment its machine is cut off keeps nothing that others take",
            arguments: Fault.allCases)
        func keeperOfCutMachine(fault: Fault) throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let victim = try cluster.holder(of: "master2")
            let address = try cluster.address(of: "master2")
            let others = lab.hosts.filter { $0 !== victim }
            let machines = others.map(\.machine)
            try lab.network.cut(from: [victim.machine], to: machines)
            try lab.network.cut(from: machines, to: [victim.machine])
            let moment = try fault == .killed ? victim.kill(.keeper) : victim.freeze(.keeper)
            try lab.waitUntilSettled(missing: 1, from: others)
            let history = try lab.addressHistory()
            #expect(history.firstAdd(of: address, after: moment)?.machine != victim.name)
            pause(milliseconds: 1500)
            try cluster.checkNoOverlap()
        }

        @Test("a node service whose keeper was killed gives its addresses up or starts another keeper")
        func keeper() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let victim = try cluster.holder(of: "master2")
            let address = try cluster.address(of: "master2")
            let moment = try victim.kill(.keeper)
            pause(milliseconds: 3000)
            let others = lab.hosts.filter { $0 !== victim }
            try wait(for: "all seats to be held", atMost: 20, every: 100) {
                try lab.status(from: others).seats.allSatisfy { $0.state == "active" }
            }
            let holder = try lab.status(from: others).seat("master2")?.holder
            #expect(try lab.holder(of: address) == holder)
            let changes = try lab.addressHistory().changes(of: address).filter { $0.at > moment }
            #expect(changes.isEmpty == (holder == victim.name) || victim.keeperPid != nil)
        }

        @Test(
            "when the keeper and what starts and guards it are killed together, the kernel drops the address, and then the seat moves"
        )
        func keeperAndSpawner() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let victim = try cluster.holder(of: "master2")
            let address = try cluster.address(of: "master2")
            let moment = try victim.killKeeperAndSpawner()
            let others = lab.hosts.filter { $0 !== victim }
            try wait(for: "\(address) elsewhere", atMost: 20, every: 20) {
                try lab.addressHistory().firstAdd(of: address, after: moment) != nil
            }
            let history = try lab.addressHistory()
            let removed = history.firstRemoval(of: address, from: victim.name, after: moment)
            let added = history.firstAdd(of: address, after: moment)
            let (gone, back) = (
                removed.map { $0.at.milliseconds(since: moment) }, added?.at.milliseconds(since: moment)
            )
            print("keeper and spawner killed: gone after \(gone ?? -1) ms, elsewhere after \(back ?? -1) ms")
            #expect(gone.map { $0 < 2000 } ?? false)
            #expect(added?.machine != victim.name && back.map { $0 < 4000 } ?? false)
            try lab.waitUntilSettled(missing: 1, from: others)
            try cluster.checkNoOverlap()
        }

        @Test("a keeper that stands still alone is killed, and its successor has the address back at once")
        func frozenKeeper() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let victim = try cluster.holder(of: "master2")
            let address = try cluster.address(of: "master2")
            let pid = victim.keeperPid
            let moment = try victim.freeze(.keeper)
            try wait(for: "another keeper", atMost: 5) { victim.keeperPid != nil && victim.keeperPid != pid }
            try wait(for: "\(address) on a machine", atMost: 5) { try lab.holder(of: address) != nil }
            pause(milliseconds: 1000)
            try lab.waitUntilSettled()
            let history = try lab.addressHistory()
            let back = history.firstAdd(of: address, after: moment)?.at
            let outage = back.map { $0.milliseconds(since: moment) } ?? 0
            print("keeper frozen: \(address) back after \(Int(outage)) ms")
            #expect(outage < 2000)
            try cluster.checkNoOverlap()
        }

        @Test("the node service itself may not touch the network")
        func capabilities() throws {
            let lab = try Lab()
            defer { lab.close() }
            _ = try RunningCluster(lab)
            for host in lab.hosts {
                guard let pid = host.servicePid, let keeper = host.keeperPid else {
                    throw LabFailure("\(host.name) has no node service or no keeper")
                }
                let (own, keepers) = (capabilities(of: pid), capabilities(of: keeper))
                let networkAdministration = UInt64(1) << 12
                #expect(own == 0, "CapEff of the node service is \(own)")
                #expect(keepers & networkAdministration != 0)
            }
        }

        private func capabilities(of pid: Int32) -> UInt64 {
            ProcessTable.field("CapEff", of: pid).flatMap { UInt64($0, radix: 16) } ?? .max
        }
    }
}
