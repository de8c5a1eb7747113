import Lab
import Testing

extension LabSuites {
    /// A host on the ring without the key: what it may do, and what must not become of it.
    @Suite("Attackers on the ring")
    struct RingAttackTests {
        @Test("one who sends heartbeats on and holds who calls keeps no node out, and no address from moving")
        func reflector() throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let attacker = try lab.addAttacker()
            try lab.startReflecting(from: attacker, seconds: 60)
            pause(milliseconds: 300)
            let restarted = try lab.host("fs4")
            try restarted.kill(.both)
            pause(milliseconds: 1000)
            try restarted.startService()
            try wait(for: "fs4 to be a slave again", atMost: 12, every: 100) {
                let isBack = try lab.status(from: [lab.host("fs1")]).node("fs4")?.role == "slave"
                return isBack && (try? restarted.status())?.leader != nil
            }
            try cluster.powerLoss(of: "master2")
            #expect(try lab.status().leader != nil)
            try cluster.checkNoOverlap()
        }

        @Test(
            "forged datagrams end no lease and fill no log",
            arguments: [RingFlood.Kind.header, .session])
        func flood(kind: RingFlood.Kind) throws {
            let lab = try Lab()
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let before = try lab.status()
            let attacker = try lab.addAttacker()
            let lines = lab.hosts.map { $0.log.split(separator: "\n").count }
            let start = BootTime.now
            let sent = try lab.flood(
                kind, perSecond: 30_000, seconds: 4, from: attacker, to: Lab.group(),
                isSpoofing: kind == .header)
            #expect(sent > 1000, "a busy machine sends fewer than it is told to")
            let history = try lab.addressHistory()
            for seat in before.seats {
                guard let holder = seat.holder else { continue }
                let hasLeft = history.firstRemoval(of: seat.address, from: holder, after: start) != nil
                #expect(!hasLeft, "\(seat.name)")
            }
            for (host, count) in zip(lab.hosts, lines) {
                #expect(host.log.split(separator: "\n").count - count <= 8, "\(host.log.suffix(2000))")
            }
            try lab.waitUntilSettled()
            try cluster.powerLoss(of: "master1")
            try cluster.checkNoOverlap()
        }
    }
}
