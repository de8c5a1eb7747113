import Cluster
import Consensus
import Primitives
import Testing

@testable import Daemon

private let start = Instant.zero + .seconds(100)

/// How long a lost machine's usage of limits counts.
@Suite struct DepartedUsageTests {
    private let holders = (1...3).map {
        Holder(member: MemberID(name: "fs\($0)", birth: UInt64($0)), incarnation: UInt64($0) << 32)
    }

    private func survey(_ places: [(String, Holder?)], members: [Holder]) throws -> Survey {
        let ip = try #require(IPAddress("192.0.2.1"))
        return Survey(
            placements: places.map {
                Placement(
                    address: ServiceAddress(name: $0.0, ip: ip, prefixLength: 24), holder: $0.1,
                    epoch: Epoch(term: 1, index: 1), isHere: false)
            }, members: members)
    }

    @Test("it counts until the calls of each address it held are in other switches") func moved() throws {
        var usage = DepartedUsage(me: "fs3")
        let (one, two, three) = (holders[0], holders[1], holders[2])
        usage.surveyed(try survey([("alpha", one), ("beta", two)], members: holders), at: start) { _ in true }
        usage.surveyed(try survey([("alpha", three), ("beta", two)], members: [two, three]), at: start) { _ in
            true
        }
        #expect(usage.takeEnded(at: start + .seconds(1)) == [])
        usage.recovered("beta")
        #expect(usage.takeEnded(at: start + .seconds(1)) == [])
        usage.recovered("alpha")
        #expect(usage.takeEnded(at: start + .seconds(1)).map(\.node) == ["fs1"])
    }

    @Test("an address that it let go in a drain is not waited for") func drained() throws {
        var usage = DepartedUsage(me: "fs3")
        let (one, two, three) = (holders[0], holders[1], holders[2])
        usage.surveyed(try survey([("alpha", one), ("delta", one)], members: holders), at: start) { _ in true
        }
        usage.surveyed(try survey([("alpha", one), ("delta", nil)], members: holders), at: start) { _ in true
        }
        usage.surveyed(try survey([("alpha", three), ("delta", nil)], members: [two, three]), at: start) {
            _ in true
        }
        usage.recovered("alpha")
        #expect(usage.takeEnded(at: start + .milliseconds(300)).map(\.node) == ["fs1"])
    }

    @Test("an address without calls is not waited for, as nobody will say that its calls came") func idle()
        throws
    {
        var usage = DepartedUsage(me: "fs3")
        let (one, two, three) = (holders[0], holders[1], holders[2])
        let hasCalls = { $0 == "alpha" }
        // It holds its seat's address, and another one that carries no call now.
        usage.surveyed(
            try survey([("alpha", one), ("delta", one)], members: holders), at: start, hasCalls: hasCalls)
        usage.surveyed(
            try survey([("alpha", three), ("delta", three)], members: [two, three]), at: start,
            hasCalls: hasCalls)
        #expect(usage.takeEnded(at: start) == [])
        usage.recovered("alpha")
        #expect(usage.takeEnded(at: start + .milliseconds(300)).map(\.node) == ["fs1"])
    }

    @Test("a machine without any call counts no longer than it is there") func empty() throws {
        var usage = DepartedUsage(me: "fs3")
        let (one, two, three) = (holders[0], holders[1], holders[2])
        usage.surveyed(try survey([("alpha", one)], members: holders), at: start) { _ in false }
        usage.surveyed(try survey([("alpha", three)], members: [two, three]), at: start) { _ in false }
        #expect(usage.takeEnded(at: start).map(\.node) == ["fs1"])
    }

    @Test("an address that lost its holder is waited for, though nobody has it yet") func uncovered() throws {
        var usage = DepartedUsage(me: "fs3")
        let (one, two, three) = (holders[0], holders[1], holders[2])
        usage.surveyed(try survey([("alpha", one)], members: holders), at: start) { _ in true }
        usage.surveyed(try survey([("alpha", nil)], members: [two, three]), at: start) { _ in true }
        #expect(usage.takeEnded(at: start) == [])
        usage.surveyed(try survey([("alpha", three)], members: [two, three]), at: start) { _ in true }
        #expect(usage.takeEnded(at: start + .seconds(14)) == [])
        #expect(usage.takeEnded(at: start + .seconds(15)).map(\.node) == ["fs1"])
    }
}
