import Testing

@testable import Cluster

@Suite("What clients may remember of a zone whose TTL was changed")
struct ServedTTLTests {
    private static func settings(ttl: Int64?) -> ClusterSettings {
        var settings = Five.settings
        settings.dns = ttl.map {
            DNSSettings(
                zone: "voip.example.net", ttl: .seconds($0), floor: 1, servers: [], services: ["sip"],
                seatNames: true, srv: [])
        }
        return settings
    }

    private static func time(_ seconds: Int64) -> ClusterTime { .zero + .seconds(seconds) }

    private func five(ttl: Int64) -> Five {
        var five = Five()
        five.apply(.configure(Self.settings(ttl: ttl)))
        return five
    }

    /// When an old address withdrawn at that time, in seconds, is forgotten.
    private func forgotten(by five: Five, at seconds: Int64) -> ClusterTime? {
        var five = five
        five.apply(.ttlServed, at: Self.time(seconds))
        _ = five.beginDrain()
        five.advance(.raising, .publishing)
        five.advance(.publishing, .withdrawing)
        let served = five.state.servedTTL
        five.apply(
            .drain(.advance(from: .withdrawing, to: .forgetting, served: served)), at: Self.time(seconds))
        return five.state.drain?.forgottenAt
    }

    @Test("once the former TTL is forgotten, a drain waits for the lowered one only")
    func lowered() {
        var five = five(ttl: 60)
        five.apply(.ttl(.seconds(5)), at: Self.time(10))
        five.apply(.ttlServed, at: Self.time(12))
        #expect(forgotten(by: five, at: 72) == Self.time(78))
    }

    @Test("before that, it waits for whoever learnt the address with the former one")
    func remembered() {
        var five = five(ttl: 60)
        five.apply(.ttl(.seconds(5)), at: Self.time(10))
        #expect(forgotten(by: five, at: 14) == Self.time(74))
        five.apply(.ttlServed, at: Self.time(12))
        #expect(forgotten(by: five, at: 20) == Self.time(72))
    }

    @Test("a cluster file with a lower TTL is waited for like a TTL lowered for a while")
    func activated() {
        var five = five(ttl: 60)
        five.apply(.configure(Self.settings(ttl: 5)), at: Self.time(10))
        five.apply(.ttlServed, at: Self.time(12))
        #expect(five.state.servedTTL == .seconds(5))
        #expect(forgotten(by: five, at: 20) == Self.time(72))
        #expect(forgotten(by: five, at: 80) == Self.time(86))
    }

    @Test("two files after each other forget nothing")
    func twice() {
        var five = five(ttl: 60)
        five.apply(.configure(Self.settings(ttl: 5)), at: Self.time(10))
        five.apply(.configure(Self.settings(ttl: 20)), at: Self.time(11))
        #expect(five.state.servedTTL == .seconds(20))
        #expect(forgotten(by: five, at: 12) == Self.time(72))
    }

    @Test("a file with a higher TTL leaves nothing behind")
    func raised() {
        var five = five(ttl: 5)
        five.apply(.configure(Self.settings(ttl: 60)), at: Self.time(10))
        #expect(five.state.ttl == nil)
        #expect(five.state.servedTTL == .seconds(60))
    }

    @Test("what a playbook lowered stays lowered under another file, and never above it")
    func bothLowered() {
        var five = five(ttl: 60)
        five.apply(.ttl(.seconds(10)), at: Self.time(10))
        five.apply(.ttlServed, at: Self.time(11))
        five.apply(.configure(Self.settings(ttl: 30)), at: Self.time(100))
        #expect(five.state.servedTTL == .seconds(10))
        five.apply(.configure(Self.settings(ttl: 4)), at: Self.time(101))
        five.apply(.ttlServed, at: Self.time(102))
        #expect(five.state.servedTTL == .seconds(4))
        #expect(forgotten(by: five, at: 200) == Self.time(205))
    }

    @Test("a file without a zone has no TTL")
    func noZone() {
        var five = five(ttl: 60)
        five.apply(.ttl(.seconds(10)), at: Self.time(10))
        five.apply(.configure(Self.settings(ttl: nil)), at: Self.time(11))
        #expect(five.state.servedTTL == nil)
    }
}
