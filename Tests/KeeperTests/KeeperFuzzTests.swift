import CLinux
@preconcurrency import Glibc
import KeeperProtocol
import Primitives
import Testing

@testable import Keeper

/// Feeds the keeper's decoders what no honest node service or kernel sends: each for `FSDNS_FUZZ_SECONDS`.
@Suite struct KeeperFuzzTests {
    @Test("random datagrams never trap, and what decodes encodes to what decodes the same")
    func datagrams() {
        var decoded = 0
        fuzz { generator in
            var bytes = (0..<KeeperLimits.datagramBytes).map { _ in UInt8.random(in: 0...8, using: &generator)
            }
            let kind: UInt8 = [1, 2, 3, 4, 129, 130, 131, 132].randomElement(using: &generator)!
            bytes.replaceSubrange(0..<4, with: Array("fK".utf8) + [1, kind])
            if let request = try? KeeperRequest(datagram: bytes) {
                decoded += 1
                #expect((try? KeeperRequest(datagram: request.datagram)) == request)
            }
            if let report = try? KeeperReport(datagram: bytes) {
                decoded += 1
                #expect((try? KeeperReport(datagram: report.datagram)) == report)
            }
        }
        #expect(decoded > 80)
    }

    @Test("damaged messages of the kernel never trap")
    func netlink() {
        let good = Self.news()
        var table = InterfaceTable()
        var rules = 0
        fuzz { generator in
            var bytes = good
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(
                    in: 0...255, using: &generator)
            }
            let kept = Int.random(in: 0...bytes.count, using: &generator)
            for message in NetlinkMessage.messages(in: bytes[..<kept]) {
                _ = table.apply(message)
                if MuteRules.rule(message) != nil { rules += 1 }
            }
            if table.interfaces.count + table.placements.count > 256 { table = InterfaceTable() }
        }
        #expect(rules > 5)
    }

    /// Three messages as the kernel sends them: an interface, an address on it, and a policy rule.
    private static func news() -> [UInt8] {
        var link = NetlinkWriter(type: Int(RTM_NEWLINK), flags: 0, sequence: 0)
        for word in [UInt32(0), 7, UInt32(IFF_UP | IFF_RUNNING), 0] { link.append(word) }
        link.append(attribute: Int(IFLA_ADDRESS), [2, 0, 0, 0, 0, 7])
        let address = KeeperAddress("192.0.2.7/24")!
        var placement = NetlinkWriter(type: Int(RTM_NEWADDR), flags: 0, sequence: 0)
        placement.appendAddressHeader(address, interface: 7)
        placement.append(attribute: Int(IFA_LOCAL), address.bytes)
        var rule = NetlinkWriter(type: Int(RTM_NEWRULE), flags: 0, sequence: 0)
        rule.append([UInt8(AF_INET6), 0, 128, 0, 0, 0, 0, 7, 0, 0, 0, 0])
        rule.append(attribute: Int(FRA_PRIORITY), words: [MuteRules.priority])
        rule.append(attribute: Int(FRA_SRC), [UInt8](repeating: 0x20, count: 16))
        rule.append(attribute: Int(FRA_PROTOCOL), [MuteRules.protocolMark])
        return link.finish() + placement.finish() + rule.finish()
    }

    private func fuzz(_ round: (inout SeededGenerator) -> Void) {
        let seconds = getenv("FSDNS_FUZZ_SECONDS").flatMap { Double(String(cString: $0)) } ?? 0
        let clock = ContinuousClock()
        let end = clock.now + .seconds(seconds)
        var generator = SeededGenerator(state: 1)
        var rounds = 0
        while rounds < 3200 || clock.now < end {
            round(&generator)
            rounds += 1
        }
    }
}

/// SplitMix64, so that a failing run can be repeated.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
