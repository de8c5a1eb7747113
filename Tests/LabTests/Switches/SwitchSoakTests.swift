import FoundationEssentials
import Lab
import Testing

/// How many rounds, and with which dice: FSDNS_LAB_SOAK=ROUNDS[:SEED]. Too long for every day.
private let order = (ProcessInfo.processInfo.environment["FSDNS_LAB_SOAK"] ?? "").split(separator: ":")
private let roundCount = order.first.flatMap { Int($0) } ?? 0
private let seed = order.count > 1 ? UInt64(order[1]) ?? 1 : 1

/// SplitMix64.
private struct Dice {
    var state: UInt64

    mutating func below(_ limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(limit))
    }
}

extension LabSuites {
    @Suite(
        "Losses and returns, again and again", .enabled(if: roundCount > 0, "FSDNS_LAB_SOAK=ROUNDS[:SEED]"))
    struct SwitchSoakTests {
        @Test("whoever fails in whichever way, every call lives on and every machine returns clean")
        func rounds() throws {
            let site = try SwitchCluster()
            defer { site.close() }
            var dice = Dice(state: seed)
            let calls = try site.place(20)
            for round in 1...roundCount {
                let address = SwitchCluster.addressNames[dice.below(3)]
                let victim = try site.host(of: address)
                let moment: BootTime
                let fault = dice.below(3)
                switch fault {
                case 0: moment = try victim.cutPower()
                case 1: moment = try victim.freeswitch.kill()
                default: moment = try victim.kill(.service)
                }
                let new = try site.waitForMove(of: address, from: victim, missing: fault == 1 ? 0 : 1)
                let back = try site.waitUntilBack(calls, address, on: new)
                let what = ["power loss", "death of FreeSWITCH", "death of the node service"][fault]
                try site.tell(
                    "round \(round), \(what) of \(victim.name)", address, since: moment, on: new, back: back)
                try site.check(calls)
                // Some machines return at once, others after the recovery is over.
                pause(milliseconds: Double(dice.below(7000)))
                switch fault {
                case 0: try victim.powerOn()
                case 1: try victim.freeswitch.start()
                default: try victim.startService()
                }
                try site.lab.waitUntilSettled()
                try site.waitUntilHealthy([victim])
                try wait(for: "\(victim.name) to have no calls", atMost: 15, every: 100) {
                    try victim.freeswitch.channelCount() == 0
                }
                if fault != 2 { #expect(try CoreDatabaseFile(of: victim).rows() == 0) }
                try site.check(calls)
            }
            try site.cluster.checkNoOverlap()
        }
    }
}
