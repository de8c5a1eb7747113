@preconcurrency import Glibc
import Lab
import Testing

extension LabSuites {
    @Suite("Drains that are aborted")
    struct DrainAbortTests {
        static let phases = [
            "raising", "publishing", "withdrawing", "forgetting", "moving-registrations", "waiting-for-calls",
        ]

        /// Each phase, and whether the leader is the drained node; by turns where not everything is tried.
        static let cases = phases.enumerated().flatMap { number, phase in
            [false, true].filter { LabSuites.isWhole || $0 == (number % 2 == 0) }.map { (phase, $0) }
        }

        /// So slow that the phase is seen, or as fast as can be.
        private static func prompts(_ phase: String) -> Int { phase == "moving-registrations" ? 2 : 1000 }

        @Test(
            "wherever it is, an abort leads back to where it began",
            arguments: LabSuites.isWhole ? phases : ["raising", "forgetting", "waiting-for-calls"])
        func everywhere(phase: String) throws {
            let drains = try DrainSite { $0.promptsPerSecond = Self.prompts(phase) }
            defer { drains.close() }
            try abort(in: phase, of: "master2", drains) { _ in }
        }

        @Test(
            "so it does when the leader is killed at that moment, one beside it or the drained node itself",
            arguments: cases)
        func withoutLeader(phase: String, isDrained: Bool) throws {
            let drains = try DrainSite(nodes: 5) { $0.promptsPerSecond = Self.prompts(phase) }
            defer { drains.close() }
            let own = try drains.site.cluster.seatOfLeader()
            let seat = isDrained ? own : try #require(SwitchCluster.seats.first { $0 != own })
            try abort(in: phase, of: seat, drains) { leader in
                try leader.kill(.service)
                pause(milliseconds: 500)
                try leader.startService()
            }
        }

        /// Drains until the phase, aborts, and lets something befall the leader at that moment.
        private func abort(
            in phase: String, of seat: String, _ drains: DrainSite, _ befall: (Host) throws -> Void
        ) throws {
            let site = drains.site
            let address = SwitchCluster.addressNames[SwitchCluster.seats.firstIndex(of: seat) ?? 0]
            try drains.registerPhones(20, at: address)
            let calls = try site.lab.startCalls(to: site.ip(address), rate: 25, count: 20, seconds: 0)
            try calls.waitUntilUp(20)
            let before = try drains.picture()
            let old = try site.host(of: address)
            let hold = try drains.begin(seat, until: phase)
            // Callers who found the new address already.
            let isPublished = phase != "raising"
            let new =
                isPublished
                ? try site.lab.startCalls(to: drains.ip("delta"), rate: 25, count: 5, seconds: 4) : nil
            try new?.waitUntilUp(5)
            #expect(try drains.drain()?.phase == phase)
            let leader = try site.lab.host(try #require(try site.lab.status().leader))
            let start = BootTime.now
            try old.command("abort")
            try befall(leader)
            hold.letGo()
            try drains.waitUntilOver()
            let took = BootTime.now.milliseconds(since: start)
            print("abort in \(phase) on \(old.name), led by \(leader.name): back after \(Int(took)) ms")
            try drains.expect(before)
            if let new { #expect(try new.waitUntilOver().outcomes == ["ended": 5]) }
            #expect(try calls.record().up == 20)
            #expect(try drains.call(address) == "ended")
            #expect(try calls.stop().outcomes == ["ended": 20])
            drains.checkZone()
            for host in site.whole {
                #expect(try site.lab.status().node(host.name)?.role != "maintenance")
            }
            try site.cluster.checkAgreement()
            try site.cluster.checkNoOverlap()
        }
    }
}

extension DrainSite {
    /// What keeps a drain in its phase.
    struct Hold {
        fileprivate var release: [() -> Void] = []

        func letGo() { for step in release { step() } }
    }

    /// Begins a drain and keeps it in the phase.
    func begin(_ seat: String, until phase: String) throws -> Hold {
        let old = try site.cluster.holder(of: seat)
        guard let name = try lab.status().nodes.first(where: { $0.position == 1 })?.name else {
            throw LabFailure("no slave")
        }
        let taker = try lab.host(name)
        var hold = Hold()
        guard ["raising", "publishing", "withdrawing"].contains(phase) else {
            try old.command("drain", seat)
            try waitFor(phase: phase)
            return hold
        }
        // A switch that stands still is not taken for dead for ten seconds, but does not answer.
        let freeswitch = try taker.freeswitch.pid ?? -1
        let server = lab.nameServer
        kill(freeswitch, SIGSTOP)
        do {
            try old.command("drain", seat)
            try waitFor(phase: "raising")
            if phase == "raising" {
                hold.release.append { kill(freeswitch, SIGCONT) }
                return hold
            }
            server.freeze()
            kill(freeswitch, SIGCONT)
            try waitFor(phase: "publishing")
            if phase == "withdrawing" { try step(server, to: phase) }
            hold.release.append { server.thaw() }
            return hold
        } catch {
            kill(freeswitch, SIGCONT)
            server.thaw()
            throw error
        }
    }

    /// Lets the name server work for moments only, until what it did brought the drain there.
    private func step(_ server: NameServer, to phase: String) throws {
        for _ in 0..<2000 {
            server.thaw()
            pause(milliseconds: 2)
            server.freeze()
            pause(milliseconds: 30)
            switch try drain()?.phase {
            case phase: return
            case "publishing": continue
            case let other: throw LabFailure("the drain is \(other ?? "none") instead of \(phase)")
            }
        }
        throw LabFailure("the drain stays before \(phase)")
    }

    /// Registers phones at the drained address that are told to come again, and answers for them.
    func registerPhones(_ count: Int, at address: String) throws {
        try site.register(count, at: [address], makes: ["Yealink SIP-T46S 66.86.0.15"])
        try lab.startPhones(port: Phones.port(address))
        try site.waitForPhones(count, at: [address])
    }
}
