@preconcurrency import Glibc
import KeeperProtocol
import Primitives
import Testing

@testable import Keeper

/// What a keeper's guard knows, and the guard that also starts keepers.
@Suite struct HoldLedgerTests {
    private static let addresses = ["10.99.0.7/24", "10.99.0.8/24", "2001:db8:99::7/64"].compactMap {
        KeeperAddress($0)
    }
    private func at(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }

    @Test("the guard reads what the keeper noted: held addresses and when their holds end") func noted()
        throws
    {
        let ledger = try HoldLedger()
        let guardian = try #require(HoldLedger(descriptor: ledger.descriptor))
        #expect(guardian.read() == [])
        ledger.manage(Self.addresses)
        #expect(guardian.read() == [])
        ledger.note { $0 == Self.addresses[1] ? nil : at($0 == Self.addresses[0] ? 7 : .max) }
        #expect(
            guardian.read() == [
                .init(address: Self.addresses[0], until: at(7)),
                .init(address: Self.addresses[2], until: at(.max)),
            ])
        ledger.note { _ in at(-5) }
        #expect(guardian.read().map(\.until) == [at(1), at(1), at(1)], "0 would be: not held")
        ledger.manage(Array(Self.addresses.prefix(1)))
        #expect(guardian.read() == [])
    }

    @Test("as many addresses as a keeper may manage fit") func many() throws {
        let many = (0..<KeeperLimits.managedAddresses).compactMap {
            KeeperAddress("2001:db8::\(String($0 + 1, radix: 16))/64")
        }
        let ledger = try HoldLedger()
        ledger.manage(many)
        ledger.note { _ in at(9) }
        #expect(ledger.read().map(\.address) == many)
    }

    @Test("what is no ledger is not taken for one") func others() throws {
        let path = "/tmp/fsdns-ledger-\(getpid())"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer {
            close(file)
            unlink(path)
        }
        #expect(HoldLedger(descriptor: file) == nil, "empty")
        #expect(ftruncate(file, 8224) == 0)
        #expect(HoldLedger(descriptor: file) == nil, "zeros")
        #expect(HoldLedger(descriptor: -1) == nil)
        #expect(HoldLedger(descriptor: STDERR_FILENO) == nil)
    }
}

@Suite(.serialized, .enabled(if: NetworkNamespaces.areAvailable, "network namespaces take root"))
struct HoldGuardTests {
    /// The process that starts keepers in that namespace.
    private static func startSpawning(in lan: NetworkNamespaces) throws -> KeeperProcess {
        try KeeperProcess.spawn(
            path: "/sbin/ip",
            arguments: ["netns", "exec", lan.near, try KeeperUnderTest.executable, KeeperSpawner.word])
    }

    @Test(
        "a keeper that is killed, stands still, or is frozen with its node service keeps nothing beyond the end of its hold",
        arguments: [SIGKILL, SIGSTOP])
    func outlived(signal: Int32) throws {
        let lan = try NetworkNamespaces("outlived")
        let starter = try Self.startSpawning(in: lan)
        let spawner = KeeperSpawner(process: starter, path: "fsdns-keeper")
        let addresses = ["10.99.0.7/24", "2001:db8:99::7/64"].compactMap { KeeperAddress($0) }
        let keeper = KeeperUnderTest(try spawner.start(patience: .seconds(10)))
        guard case .ready = try keeper.configure(.kernel, addresses) else { Issue.record("?"); return }
        for address in addresses {
            try keeper.hold(address, for: 600, token: 1)
            guard case .held = try keeper.report() else { Issue.record("not held"); return }
        }
        let until = KeeperUnderTest.now() + .nanoseconds(600_000_000)
        keeper.signal(signal)
        func isThere() throws -> Bool {
            let text = try NetworkNamespaces.ip("-n \(lan.near) -o addr show")
            return text.contains(" 10.99.0.7/") || text.contains(" 2001:db8:99::7/")
        }
        #expect(try isThere())
        while try isThere() { try #require(KeeperUnderTest.now() < until + .nanoseconds(10_000_000_000)) }
        let late = (KeeperUnderTest.now().nanoseconds - until.nanoseconds) / 1_000_000
        print("guard: the addresses were gone \(late) ms after the end of their holds")
        #expect(late < 300, "before the kernel's lifetime, which is a second and more")
        keeper.signal(SIGKILL)
        kill(starter.pid, SIGKILL)
        _ = try? starter.wait()
    }

    @Test(
        "a keeper whose starter ended or stands still gets a guard of its own", arguments: [SIGKILL, SIGSTOP])
    func starterLost(signal: Int32) throws {
        let lan = try NetworkNamespaces("starter")
        let starter = try Self.startSpawning(in: lan)
        let spawner = KeeperSpawner(process: starter, path: "fsdns-keeper")
        let address = try #require(KeeperAddress("10.99.0.7/24"))
        let keeper = KeeperUnderTest(try spawner.start(patience: .seconds(10)))
        _ = try keeper.configure(.kernel, [address])
        try keeper.hold(address, for: 30_000, token: 1)
        guard case .held = try keeper.report() else { Issue.record("not held"); return }
        kill(starter.pid, signal)
        // It is told when it begins and when the new one looks.
        var told: [Bool] = []
        while told.last != true {
            guard case .guarded(let isWell) = try keeper.report() else { Issue.record("?"); return }
            told.append(isWell)
        }
        let until = KeeperUnderTest.now() + .nanoseconds(300_000_000)
        try keeper.hold(address, for: 300, token: 2)
        guard case .held = try keeper.report() else { Issue.record("not held anew"); return }
        keeper.signal(SIGSTOP)
        while try NetworkNamespaces.ip("-n \(lan.near) -o addr show").contains(" 10.99.0.7/") {
            try #require(KeeperUnderTest.now() < until + .nanoseconds(10_000_000_000))
        }
        #expect((KeeperUnderTest.now().nanoseconds - until.nanoseconds) / 1_000_000 < 300)
        keeper.signal(SIGKILL)
        kill(starter.pid, SIGKILL)
        _ = try? starter.wait()
    }

    @Test(
        "when the keeper and its starter, which guards it, are killed together, the kernel's lifetime is the bound"
    )
    func bothKilled() throws {
        let lan = try NetworkNamespaces("both")
        let starter = try Self.startSpawning(in: lan)
        let spawner = KeeperSpawner(process: starter, path: "fsdns-keeper")
        let addresses = ["10.99.0.7/24", "2001:db8:99::7/64"].compactMap { KeeperAddress($0) }
        let keeper = KeeperUnderTest(try spawner.start(patience: .seconds(10)))
        _ = try keeper.configure(.kernel, addresses)
        for address in addresses {
            try keeper.hold(address, for: 30_000, token: 1)
            guard case .held = try keeper.report() else { Issue.record("not held"); return }
        }
        kill(starter.pid, SIGKILL)
        keeper.signal(SIGKILL)
        let killed = KeeperUnderTest.now()
        func isThere() throws -> Bool {
            let text = try NetworkNamespaces.ip("-n \(lan.near) -o addr show")
            return text.contains(" 10.99.0.7/") || text.contains(" 2001:db8:99::7/")
        }
        while try isThere() { try #require(KeeperUnderTest.now() < killed + .nanoseconds(10_000_000_000)) }
        let after = (KeeperUnderTest.now().nanoseconds - killed.nanoseconds) / 1_000_000
        print("lifetime: the addresses were gone \(after) ms after their keeper and its guard")
        #expect(
            after < 2_300,
            "less than the node waits for before it says that it holds nothing (Holdings.afterlife)")
        _ = try? starter.wait()
    }

    @Test(
        "when node service and keeper are killed together, the starter of keepers removes everything at once")
    func orphaned() throws {
        let lan = try NetworkNamespaces("orphaned")
        let starter = try Self.startSpawning(in: lan)
        var spawner: KeeperSpawner? = KeeperSpawner(process: starter, path: "fsdns-keeper")
        let address = try #require(KeeperAddress("10.99.0.7/24"))
        let keeper = KeeperUnderTest(try #require(try spawner?.start(patience: .seconds(10))))
        _ = try keeper.configure(.kernel, [address])
        try keeper.hold(address, for: 30_000, token: 1)
        guard case .held = try keeper.report() else { Issue.record("not held"); return }
        keeper.signal(SIGSTOP)
        let start = KeeperUnderTest.now()
        // Its last reference closes our end of its socket, as the end of the node service does.
        spawner = nil
        #expect(try starter.wait() == .code(0))
        let text = try NetworkNamespaces.ip("-n \(lan.near) -o addr show")
        #expect(!text.contains(" 10.99.0.7/"))
        #expect((KeeperUnderTest.now().nanoseconds - start.nanoseconds) / 1_000_000 < 900)
    }
}
