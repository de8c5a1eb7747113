@preconcurrency import Glibc
import Keeper
import KeeperProtocol
import Primitives
import Testing

@Suite(.serialized, .enabled(if: NetworkNamespaces.areAvailable, "network namespaces take root"))
struct KernelHoldTests {
    private static let v4 = KeeperAddress("10.99.0.7/24")
    private static let v6 = KeeperAddress("2001:db8:99::7/64")

    /// As the keeper puts it: a host of its own.
    private static func host(_ address: KeeperAddress) -> String {
        "\(address.description.prefix { $0 != "/" })/\(address.family == .v4 ? 32 : 128)"
    }

    private static func isThere(_ address: KeeperAddress, in namespace: String) throws -> Bool {
        try NetworkNamespaces.ip("-n \(namespace) -o addr show").contains(" \(host(address)) ")
    }

    /// Looks again and again until it is so; false after `milliseconds`.
    private static func becomes(within milliseconds: Int64, _ isSo: () throws -> Bool) rethrows -> Bool {
        let end = KeeperUnderTest.now() + .nanoseconds(milliseconds * 1_000_000)
        repeat {
            if try isSo() { return true }
            usleep(5000)
        } while KeeperUnderTest.now() < end
        return try isSo()
    }

    @Test(
        "an address is added and announced to the neighbours, and goes when its hold ends",
        arguments: [v4, v6])
    func holdAndExpire(_ address: KeeperAddress?) throws {
        let address = try #require(address)
        let lan = try NetworkNamespaces("expire")
        let bare = String(address.description.prefix { $0 != "/" })
        // The neighbour believes that somebody else has the address.
        try NetworkNamespaces.ip(
            "-n \(lan.far) neigh replace \(bare) lladdr 02:00:00:00:00:99 dev far0 nud stale")
        let keeper = try KeeperUnderTest(in: lan.near)
        guard case .ready(0, let armed, HoldCodec.version) = try keeper.configure(.kernel, [address]) else {
            Issue.record("not ready")
            return
        }
        #expect(armed.contains(.kernelLifetime))
        let start = KeeperUnderTest.now()
        let until = start + .nanoseconds(400_000_000)
        try keeper.send(.hold(address, until: until, token: 1))
        guard case .held(address, 1, let added, let announced?) = try keeper.report() else {
            Issue.record("not held and announced")
            return
        }
        #expect(start < added && added < announced)
        #expect(try Self.isThere(address, in: lan.near))
        let own = try NetworkNamespaces.ip("-n \(lan.near) -o link show near0")
        let hardware = try #require(own.split(separator: " ").drop { $0 != "link/ether" }.dropFirst().first)
        #expect(
            try Self.becomes(within: 2000) {
                try NetworkNamespaces.ip("-n \(lan.far) neigh show \(bare)").contains(hardware)
            })
        guard case .released(address, 1, let gone, .expired) = try keeper.report() else {
            Issue.record("not released")
            return
        }
        #expect(gone >= until)
        #expect(try !Self.isThere(address, in: lan.near))
        keeper.hangUp()
        #expect(try keeper.exit() == .code(0))
    }

    @Test("when the node service is killed, its addresses go and the keeper ends")
    func peerKilled() throws {
        let lan = try NetworkNamespaces("killed")
        let addresses = [try #require(Self.v4), try #require(Self.v6)]
        let keeper = try KeeperUnderTest(in: lan.near)
        _ = try keeper.configure(.kernel, addresses)
        for address in addresses {
            try keeper.hold(address, for: 50_000, token: 1)
            guard case .held = try keeper.report() else { Issue.record("not held"); return }
        }
        // Another process holds the socket's last copy; killed, it closes it.
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_adddup2(&files, keeper.process.descriptor, 5)
        var pid: pid_t = 0
        let words = (["sleep", "60"] as [String]).map { strdup($0) }
        defer { for word in words { free(word) } }
        var argv = words + [nil]
        try #require(posix_spawnp(&pid, "sleep", &files, nil, &argv, environ) == 0)
        keeper.hangUp()
        #expect(try Self.isThere(addresses[0], in: lan.near))
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        #expect(try keeper.exit() == .code(0))
        for address in addresses { #expect(try !Self.isThere(address, in: lan.near)) }
    }

    @Test("a frozen keeper's addresses go by the kernel's lifetime, and late renewals do not bring them back")
    func frozen() throws {
        let lan = try NetworkNamespaces("frozen")
        let addresses = [try #require(Self.v4), try #require(Self.v6)]
        let keeper = try KeeperUnderTest(in: lan.near)
        _ = try keeper.configure(.kernel, addresses)
        for address in addresses {
            try keeper.hold(address, for: 300, token: 1)
            guard case .held = try keeper.report() else { Issue.record("not held"); return }
        }
        keeper.signal(SIGSTOP)
        let frozenAt = KeeperUnderTest.now()
        for address in addresses { try keeper.hold(address, for: 500, token: 1) }
        let went = try Self.becomes(within: 3000) {
            try addresses.allSatisfy { try !Self.isThere($0, in: lan.near) }
        }
        let took = (KeeperUnderTest.now().nanoseconds - frozenAt.nanoseconds) / 1_000_000
        #expect(went)
        #expect(took > 300)
        print("frozen keeper: the kernel removed the addresses within \(took) ms")
        keeper.signal(SIGCONT)
        var reports: [String] = []
        for _ in 0..<4 {
            switch try keeper.report() {
            case .released(_, 1, _, .expired): reports.append("released")
            case .failed(_, 1, ETIMEDOUT, _): reports.append("refused")
            case let other: reports.append("\(other)")
            }
        }
        #expect(reports == ["released", "released", "refused", "refused"])
        #expect(try !Self.isThere(addresses[0], in: lan.near))
        #expect(
            try NetworkNamespaces.ip("-n \(lan.near) -6 route show dev near0").contains("2001:db8:99::/64"))
    }

    @Test("a held address that somebody deletes is added again, and the interface keeps its own routes")
    func deletedByHand() throws {
        let lan = try NetworkNamespaces("deleted")
        let addresses = [try #require(Self.v4), try #require(Self.v6)]
        let keeper = try KeeperUnderTest(in: lan.near)
        _ = try keeper.configure(.kernel, addresses)
        for address in addresses {
            try keeper.hold(address, for: 20_000, token: 3)
            guard case .held(address, 3, let first, _) = try keeper.report() else {
                Issue.record("not held"); return
            }
            try NetworkNamespaces.ip("-n \(lan.near) addr del \(Self.host(address)) dev near0")
            guard case .held(address, 3, let second, _) = try keeper.report() else {
                Issue.record("not held again")
                return
            }
            #expect(first < second)
            #expect(try Self.isThere(address, in: lan.near))
        }
        // Longer than the kernel lifetime: the refreshes keep the address, and no route expires.
        #expect(
            try !Self.becomes(within: 3000) {
                try addresses.contains { try !Self.isThere($0, in: lan.near) }
            })
        let routes = try NetworkNamespaces.ip("-n \(lan.near) -6 route show dev near0")
        #expect(routes.contains("2001:db8:99::/64 proto kernel") && !routes.contains("expires"))
        keeper.signal(SIGTERM)
        for address in addresses {
            guard case .released(address, 3, _, .asked) = try keeper.report() else {
                Issue.record("?"); return
            }
        }
        #expect(try keeper.exit() == .code(0))
    }

    @Test("IPv6 addresses that go with the link come back with it, or as soon as the kernel takes them")
    func linkDown() throws {
        let lan = try NetworkNamespaces("link")
        let address = try #require(Self.v6)
        let keeper = try KeeperUnderTest(in: lan.near)
        // Our own address goes with the link too: it is given back by hand, as a network manager would.
        _ = try keeper.configure(.kernel, [address])
        try keeper.hold(address, for: 20_000, token: 1)
        guard case .held = try keeper.report() else { Issue.record("not held"); return }
        try NetworkNamespaces.ip("-n \(lan.near) link set near0 down")
        try NetworkNamespaces.ip("-n \(lan.near) link set near0 up")
        try NetworkNamespaces.ip("-n \(lan.near) addr replace 2001:db8:99::1/64 dev near0 nodad")
        #expect(try Self.becomes(within: 3000) { try Self.isThere(address, in: lan.near) })
        var isHeld = false
        for _ in 0..<4 where !isHeld { if case .held = try keeper.report() { isHeld = true } }
        #expect(isHeld)
    }

    @Test("the machine's own address goes and comes back: its route does too, and the held address stays")
    func ownAddress() throws {
        let lan = try NetworkNamespaces("own")
        let address = try #require(Self.v4)
        let keeper = try KeeperUnderTest(in: lan.near)
        _ = try keeper.configure(.kernel, [address])
        try keeper.hold(address, for: 20_000, token: 1)
        guard case .held = try keeper.report() else { Issue.record("not held"); return }
        // As systemd sets it up: another address of the network becomes its first.
        try NetworkNamespaces.ip(
            "netns exec \(lan.near) sysctl -q -w net.ipv4.conf.all.promote_secondaries=1")
        try NetworkNamespaces.ip("-n \(lan.near) addr del 10.99.0.1/24 dev near0")
        try NetworkNamespaces.ip("-n \(lan.near) addr add 10.99.0.1/24 dev near0")
        let routes = try NetworkNamespaces.ip("-n \(lan.near) route show dev near0")
        #expect(routes.contains("10.99.0.0/24"))
        #expect(try Self.isThere(address, in: lan.near))
    }

    @Test("a dead predecessor's addresses are removed before the keeper says ready")
    func leftovers() throws {
        let lan = try NetworkNamespaces("leftover")
        let addresses = [try #require(Self.v4), try #require(Self.v6)]
        for address in addresses { try NetworkNamespaces.ip("-n \(lan.near) addr add \(address) dev near0") }
        let keeper = try KeeperUnderTest(in: lan.near)
        guard case .ready(0, _, _) = try keeper.configure(.kernel, addresses) else {
            Issue.record("?"); return
        }
        for address in addresses { #expect(try !Self.isThere(address, in: lan.near)) }
    }

    @Test("an address in no interface's network is told as failed, and released when its hold ends")
    func noInterface() throws {
        let lan = try NetworkNamespaces("nowhere")
        let address = try #require(KeeperAddress("192.0.2.1/24"))
        let keeper = try KeeperUnderTest(in: lan.near)
        _ = try keeper.configure(.kernel, [address])
        try keeper.hold(address, for: 100, token: 1)
        guard case .failed(address, 1, EADDRNOTAVAIL, _) = try keeper.report() else {
            Issue.record("?"); return
        }
        guard case .released(address, 1, _, .expired) = try keeper.report() else { Issue.record("?"); return }
    }

    @Test(
        "another machine that has a held address is told of with its hardware address", arguments: [v4, v6])
    func contested(_ address: KeeperAddress?) throws {
        let lan = try NetworkNamespaces("contested")
        let address = try #require(address)
        let keeper = try KeeperUnderTest(in: lan.near)
        _ = try keeper.configure(.kernel, [address])
        try keeper.hold(address, for: 20_000, token: 5)
        guard case .held = try keeper.report() else { Issue.record("not held"); return }
        // It asks after 250 ms, and hears nobody.
        var waited = pollfd(fd: keeper.process.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&waited, 1, 700) == 0)
        let nodad = address.family == .v6 ? " nodad" : ""
        try NetworkNamespaces.ip("-n \(lan.far) addr add \(address) dev far0\(nodad)")
        let line = try NetworkNamespaces.ip("-n \(lan.far) -o link show far0")
        let text = try #require(line.split(separator: " ").drop { $0 != "link/ether" }.dropFirst().first)
        let hardware = text.split(separator: ":").reduce(UInt64(0)) { $0 << 8 | (UInt64($1, radix: 16) ?? 0) }
        for _ in 0..<2 {
            #expect(try keeper.report() == .contested(address, token: 5, hardware: hardware))
        }
        #expect(try Self.isThere(address, in: lan.near))
    }

    @Test("200 times: from asking to added to announced", arguments: [v4, v6])
    func latency(_ address: KeeperAddress?) throws {
        let lan = try NetworkNamespaces("latency")
        let address = try #require(address)
        let keeper = try KeeperUnderTest(in: lan.near)
        _ = try keeper.configure(.kernel, [address])
        var added: [Int64] = []
        var announced: [Int64] = []
        for token in UInt64(1)...200 {
            let asked = KeeperUnderTest.now()
            try keeper.send(.hold(address, until: asked + .nanoseconds(5_000_000_000), token: token))
            guard case .held(address, token, let addedAt, let announcedAt?) = try keeper.report() else {
                Issue.record("not held")
                return
            }
            added.append((addedAt.nanoseconds - asked.nanoseconds) / 1000)
            announced.append((announcedAt.nanoseconds - asked.nanoseconds) / 1000)
            try keeper.send(.release(address, token: token))
            guard case .released(address, token, _, .asked) = try keeper.report() else {
                Issue.record("not released")
                return
            }
        }
        added.sort()
        announced.sort()
        print("\(address): asked→added median \(added[100]) µs, max \(added[199]) µs;", terminator: " ")
        print("asked→announced median \(announced[100]) µs, max \(announced[199]) µs")
        #expect(added.count == 200)
    }
}
