import Cluster
import Consensus
import NIOCore
import Primitives
import Testing

@testable import Daemon

@Suite("Ways to a peer")
struct PeerWaysTests {
    private let holder = Holder(member: MemberID(name: "fs2", birth: 5), incarnation: 1 << 32)

    private func way(_ last: Int) -> PeerWay {
        let ends = [last, 1].compactMap { IPAddress("10.0.0.\($0)") }.map { Endpoint(ip: $0, port: 5405) }
        return PeerWay(remote: ends[0], local: ends[1])
    }

    private func at(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(1) + .milliseconds(milliseconds)
    }

    private func sighting(_ ways: [PeerWay], isTold: Bool) -> PeerSighting {
        PeerSighting(holder: holder, ways: ways, isTold: isTold)
    }

    @Test(
        "the way that led to the peer comes first, then those not tried, then those that failed, the oldest failure first"
    )
    func order() {
        var ways = PeerWays()
        for last in [2, 3, 4] { ways.learn(sighting([way(last)], isTold: false), at: at(0)) }
        ways.succeeded(way(3))
        #expect(ways.next(at: at(10), within: .seconds(1)) == way(3))
        ways.failed(way(3))
        #expect(ways.next(at: at(10), within: .seconds(1)) == way(2))
        ways.failed(way(2))
        ways.failed(way(4))
        #expect(ways.next(at: at(10), within: .seconds(1)) == way(3))
        ways.forgive()
        #expect(ways.next(at: at(10), within: .seconds(1)) == way(3))
        #expect(ways.next(at: at(2000), within: .seconds(1)) == nil)
    }

    @Test("what a peer tells of itself replaces what was only seen, and is not mixed with it again")
    func told() {
        var ways = PeerWays()
        ways.learn(sighting([way(66)], isTold: false), at: at(0))
        ways.learn(sighting([way(2)], isTold: true), at: at(1))
        ways.learn(sighting([way(66)], isTold: false), at: at(2))
        ways.failed(way(2))
        #expect(ways.next(at: at(3), within: .seconds(1)) == way(2))
        #expect(ways.leads(to: way(2).remote.ip))
        #expect(!ways.leads(to: way(66).remote.ip))
    }

    @Test("hints are tried after what the peer told, and what it told is fresh again when it is hinted at")
    func hinted() {
        var ways = PeerWays()
        ways.learn(sighting([way(2)], isTold: true), at: at(0))
        ways.hint([way(66)], at: at(1))
        #expect(ways.next(at: at(2), within: .seconds(1)) == way(2))
        ways.failed(way(2))
        #expect(ways.next(at: at(3), within: .seconds(1)) == way(66))
        ways.failed(way(66))
        #expect(ways.next(at: at(4), within: .seconds(1)) == way(2))
        ways.hint([way(2)], at: at(5000))
        #expect(ways.next(at: at(5001), within: .seconds(1)) == way(2))
        for last in 70...100 { ways.hint([way(last)], at: at(5002)) }
        #expect(ways.next(at: at(5003), within: .seconds(1)) == way(97), "not tried yet")
        ways.succeeded(way(2))
        #expect(ways.next(at: at(5004), within: .seconds(1)) == way(2))
    }

    @Test("many addresses that were only seen do not drive out the one that led to the peer")
    func seen() {
        var ways = PeerWays()
        ways.learn(sighting([way(2)], isTold: false), at: at(0))
        ways.succeeded(way(2))
        for last in 10...100 { ways.learn(sighting([way(last)], isTold: false), at: at(Int64(last))) }
        #expect(ways.next(at: at(100), within: .seconds(1)) == way(2))
    }
}
