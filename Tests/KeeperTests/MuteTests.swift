@preconcurrency import Glibc
import Keeper
import KeeperProtocol
import Primitives
import Testing

/// What leaves from an address that was let go, seen from the other end of the wire: nothing.
@Suite(.serialized, .enabled(if: NetworkNamespaces.areAvailable, "network namespaces take root"))
struct MuteTests {
    private static let v4 = KeeperAddress("10.99.0.7/24")
    private static let v6 = KeeperAddress("2001:db8:99::7/64")
    private static let other = KeeperAddress("2001:db8:99::8/64")

    private static func bare(_ address: KeeperAddress) -> String {
        String(address.description.prefix { $0 != "/" })
    }

    private static func far(_ address: KeeperAddress) -> String {
        address.family == .v4 ? "10.99.0.2" : "2001:db8:99::2"
    }

    /// The rules that mute, as `ip` tells them.
    private static func rules(in namespace: String) throws -> [String] {
        try NetworkNamespaces.ip("-n \(namespace) -6 rule show").split(separator: "\n").map(String.init)
            .filter { $0.contains("proto 102") }
    }

    private static func rule(_ address: KeeperAddress) -> String {
        "5:\tfrom \(bare(address)) iif lo unreachable proto 102"
    }

    /// Looks again and again until it is so, for 5 s at most.
    private static func becomes(_ isSo: () throws -> Bool) throws -> Bool {
        let end = KeeperUnderTest.now() + .nanoseconds(5_000_000_000)
        while KeeperUnderTest.now() < end {
            if try isSo() { return true }
            usleep(5000)
        }
        return try isSo()
    }

    private func hold(_ address: KeeperAddress, _ keeper: KeeperUnderTest, token: UInt64) throws {
        try keeper.hold(address, for: 50_000, token: token)
        guard case .held(address, token, _, _) = try keeper.report() else {
            Issue.record("not held")
            return
        }
    }

    private func release(_ address: KeeperAddress, _ keeper: KeeperUnderTest, token: UInt64) throws
        -> Instant
    {
        try keeper.send(.release(address, token: token))
        guard case .released(address, token, let at, .asked) = try keeper.report() else {
            throw MuteTestFailure.notReleased
        }
        return at
    }

    private enum MuteTestFailure: Error { case notReleased }

    @Test(
        "after a release nothing leaves from the address, by UDP or TCP, and no old word when it is back",
        arguments: [v4, v6])
    func release(_ address: KeeperAddress?) throws {
        let address = try #require(address)
        let lan = try NetworkNamespaces("mute")
        let keeper = try KeeperUnderTest(in: lan.near)
        _ = try keeper.configure(.kernel, [address])
        try hold(address, keeper, token: 1)
        let listener = try Listener(to: Self.bare(address), in: lan.far)
        let talker = try Talker(from: Self.bare(address), to: Self.far(address), in: lan.near)
        #expect(
            try Self.becomes {
                let heard = try listener.heard(); return heard.udp > 40 && heard.tcp > 20
            })

        let released = try release(address, keeper, token: 1)
        let sent = try talker.count()
        // Longer than TCP takes to send again what nobody acknowledged (0.2 s, 0.4 s).
        usleep(1_000_000)
        let silent = try listener.heard()
        print(
            "last packet of \(address): \((silent.last.nanoseconds - released.nanoseconds) / 1000) µs after release"
        )
        #expect(silent.last.nanoseconds < released.nanoseconds + 5_000_000)
        #expect(silent.connections == 1, "the other end of the connection hears of no end")
        let refused = try talker.count()
        #expect(refused.refused > sent.refused + 100 && refused.taken < sent.taken + 20)

        try hold(address, keeper, token: 2)
        #expect(try Self.becomes { try listener.heard().udp > silent.udp + 40 }, "UDP sockets live on")
        usleep(1_000_000)
        let back = try listener.heard()
        #expect(back.tcp == silent.tcp, "what waited in the connection never leaves")
        #expect(back.connections == 1)
    }

    @Test(
        "an address is mute from the keeper's start, except while it is held, and stays so when the keeper ends"
    )
    func rules() throws {
        let lan = try NetworkNamespaces("rules")
        let (v4, address) = (try #require(Self.v4), try #require(Self.v6))
        let keeper = try KeeperUnderTest(in: lan.near)
        _ = try keeper.configure(.kernel, [v4, address])
        #expect(try Self.rules(in: lan.near) == [Self.rule(address)])
        try hold(address, keeper, token: 1)
        #expect(try Self.rules(in: lan.near) == [])
        // Held still, though somebody deletes it: it is added again, and not muted.
        try NetworkNamespaces.ip("-n \(lan.near) addr del \(Self.bare(address)) dev near0")
        guard case .held = try keeper.report() else { Issue.record("not held again"); return }
        #expect(try Self.rules(in: lan.near) == [])
        keeper.hangUp()
        #expect(try keeper.exit() == .code(0))
        #expect(try Self.rules(in: lan.near) == [Self.rule(address)])
    }

    @Test(
        "a dead predecessor's rules are taken over, and removed where the address is not of the cluster any more"
    )
    func predecessor() throws {
        let lan = try NetworkNamespaces("before")
        let (address, other) = (try #require(Self.v6), try #require(Self.other))
        let first = try KeeperUnderTest(in: lan.near)
        _ = try first.configure(.kernel, [address, other])
        try hold(address, first, token: 1)
        first.signal(SIGKILL)
        _ = try first.exit()
        #expect(try Self.rules(in: lan.near) == [Self.rule(other)])
        try NetworkNamespaces.ip(
            "-n \(lan.near) -6 rule add from 2001:db8:99::9 iif lo unreachable pref 7 protocol 102")

        let second = try KeeperUnderTest(in: lan.near)
        _ = try second.configure(.kernel, [address])
        #expect(try Self.rules(in: lan.near) == [Self.rule(address)])
        _ = try second.configure(.kernel, [address, other])
        #expect(try Self.rules(in: lan.near).sorted() == [Self.rule(address), Self.rule(other)])
        try hold(other, second, token: 2)
        _ = try second.configure(.kernel, [address, other])
        #expect(try Self.rules(in: lan.near) == [Self.rule(address)])
    }

    @Test("a rule that another program removes is put back")
    func removedByHand() throws {
        let lan = try NetworkNamespaces("foreign")
        let address = try #require(Self.v6)
        let keeper = try KeeperUnderTest(in: lan.near)
        _ = try keeper.configure(.kernel, [address])
        for _ in 0..<3 {
            try NetworkNamespaces.ip("-n \(lan.near) -6 rule del pref 5")
            #expect(try Self.becomes { try Self.rules(in: lan.near) == [Self.rule(address)] })
        }
        try hold(address, keeper, token: 1)
        #expect(try Self.rules(in: lan.near) == [])
    }
}
