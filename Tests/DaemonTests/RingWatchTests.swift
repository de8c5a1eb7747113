import Cluster
import Consensus
import Primitives
import Testing

@testable import Daemon

/// Multicast, unicast and whole rings that carry nothing while others do.
@Suite("Ways on the rings") struct RingWatchTests {
    private static let rings = [
        RingWatch.Ring(name: "lan", group: IPAddress("239.77.0.1")),
        RingWatch.Ring(name: "wan", group: nil),
    ]
    private let remotes = [
        "lan": Endpoint(ip: IPAddress("10.77.0.2")!, port: 5405),
        "wan": Endpoint(ip: IPAddress("10.78.0.2")!, port: 5405),
    ]
    private var watch = RingWatch(interval: .milliseconds(25))
    private var holder = Holder(member: MemberID(name: "fs2", birth: 1), incarnation: 1 << 32)

    private func at(_ milliseconds: Int) -> Instant { .zero + .seconds(100) + .milliseconds(milliseconds) }

    private struct Ways: OptionSet {
        var rawValue: Int
        static let multicast = Ways(rawValue: 1)
        static let unicast = Ways(rawValue: 2)
        static let wan = Ways(rawValue: 4)
    }

    /// fs2 speaks every 25 ms, and what arrives comes by these ways.
    private mutating func hear(
        _ ways: Ways, from start: Int, to end: Int, age: Duration? = .milliseconds(20), unicast: Bool = true
    ) throws {
        let (lan, wan) = (try #require(remotes["lan"]), try #require(remotes["wan"]))
        for time in stride(from: start, to: end, by: 25) {
            for (way, ring, remote, kind) in [
                (Ways.multicast, "lan", lan, DatagramWay.multicast), (.unicast, "lan", lan, .unicast),
                (.wan, "wan", wan, .unicast),
            ] where ways.contains(way) {
                watch.expect("fs2", at: lan, on: "lan", unicast: unicast, at: at(time))
                watch.expect("fs2", at: wan, on: "wan", unicast: true, at: at(time))
                watch.hear(holder, from: remote, on: ring, by: kind, age: age, at: at(time))
            }
        }
    }

    private func troubles(_ time: Int) -> [PathTrouble] { watch.troubles(on: Self.rings, at: at(time)) }

    @Test("nothing is told while every way carries heartbeats") mutating func well() throws {
        try hear([.multicast, .unicast, .wan], from: 0, to: 10_000)
        #expect(troubles(10_000).isEmpty)
    }

    @Test("multicast that stops is told after three seconds, with the group, and no longer once it is back")
    mutating func multicast() throws {
        try hear([.multicast, .unicast, .wan], from: 0, to: 2000)
        try hear([.unicast, .wan], from: 2000, to: 4900)
        #expect(troubles(4900).isEmpty)
        try hear([.unicast, .wan], from: 4900, to: 6000)
        #expect(
            troubles(6000) == [PathTrouble(.multicast, ring: "lan", detail: "239.77.0.1", peers: ["fs2"])])
        try hear([.multicast, .unicast, .wan], from: 6000, to: 6050)
        #expect(troubles(6050).isEmpty)
    }

    @Test("unicast that stops is told, if the peer speaks it at all") mutating func unicast() throws {
        try hear([.multicast, .wan], from: 0, to: 6000)
        #expect(troubles(6000) == [PathTrouble(.unicast, ring: "lan", peers: ["fs2"])])
        watch = RingWatch(interval: .milliseconds(25))
        try hear([.multicast, .wan], from: 0, to: 6000, unicast: false)
        #expect(troubles(6000).isEmpty, "a node of an earlier release")
    }

    @Test("a ring that is silent while another is not is told as one") mutating func ring() throws {
        try hear([.multicast, .unicast, .wan], from: 0, to: 2000)
        try hear([.wan], from: 2000, to: 6000)
        #expect(troubles(6000).map(\.kind) == [.ring])
        #expect(troubles(6000).map(\.ring) == ["lan"])
        watch = RingWatch(interval: .milliseconds(25))
        try hear([.multicast, .unicast], from: 0, to: 6000)
        #expect(troubles(6000).map(\.ring) == ["wan"])
    }

    @Test("who is heard on no way at all is down, and is forgiven its silence when it is back")
    mutating func down() throws {
        try hear([.multicast, .unicast, .wan], from: 0, to: 2000)
        #expect(troubles(9000).isEmpty)
        try hear([.wan], from: 9000, to: 9100)
        #expect(troubles(9100).isEmpty, "its other ways have had no time yet")
        holder.incarnation += 1 << 32
        try hear([.multicast, .wan], from: 9100, to: 11_000)
        #expect(troubles(11_000).isEmpty)
    }

    @Test(
        "a peer hears by unicast twice a second, and each time when its multicast is silent or it hears ours no more"
    )
    mutating func rescue() throws {
        try hear([.multicast, .unicast, .wan], from: 0, to: 25)
        var sent = 0
        for time in stride(from: 25, to: 1025, by: 25) {
            sent += watch.unicasts(on: "lan", at: at(time)).count
            try hear([.multicast, .wan], from: time, to: time + 25)
        }
        #expect(sent == 2)
        // Its multicast stops.
        sent = 0
        for time in stride(from: 1025, to: 2025, by: 25) {
            try hear([.wan], from: time, to: time + 25)
            sent += watch.unicasts(on: "lan", at: at(time)).count
        }
        #expect((35...40).contains(sent))
        // Its multicast is back, and it does not hear ours.
        sent = 0
        for time in stride(from: 2025, to: 3025, by: 25) {
            try hear([.multicast, .wan], from: time, to: time + 25, age: .milliseconds(90))
            sent += watch.unicasts(on: "lan", at: at(time)).count
        }
        #expect(sent == 40)
    }

    @Test("a node that cannot speak on a ring says why") mutating func closed() throws {
        try hear([.wan], from: 0, to: 6000)
        var rings = Self.rings
        rings[0].closed = "no interface has an address in 10.77.0.0/24"
        #expect(
            watch.troubles(on: rings, at: at(6000)).map(\.detail)
                == ["no interface has an address in 10.77.0.0/24"])
    }
}
