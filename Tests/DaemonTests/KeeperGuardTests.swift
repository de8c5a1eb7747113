import Cluster
import Config
import Glibc
import Keeper
import Primitives
import Testing

@testable import Daemon

@Suite("Keeper guard", .serialized)
struct KeeperGuardTests {
    private let directory = TemporaryDirectory()

    private let executable = KeeperProgram.path

    private func file(port: UInt16) throws -> ClusterFile {
        let text = """
            <cluster xmlns="urn:fsdns:cluster:1" name="pbx">
              <key file="cluster.key"/>
              <heartbeat interval="25ms" lease="150ms" dead-after="200ms" discovery="1s">
                <peer address="127.0.1.1"/>
              </heartbeat>
              <nodes expect="1"><node name="fs1" address="127.0.1.1"/></nodes>
              <addresses mode="loopback" probe-port="\(port)">
                <address name="alpha" ip="127.0.78.11/8"/>
                <address name="beta" ip="127.0.78.12/8"/>
              </addresses>
              <seats><seat name="master1" address="alpha"/></seats>
              <freeswitch kind="none"/>
            </cluster>
            """
        return try ClusterFile.load(text: Array(text.utf8), path: "\(directory.path)/cluster.xml")
    }

    /// The next events, asked for until one comes or twenty seconds are over.
    private func events(of keeper: KeeperGuard) -> [Event] {
        let end = Instant.now() + .seconds(20)
        while Instant.now() < end {
            let now = Instant.now()
            let news = keeper.tend(at: now)
            if !news.isEmpty { return news }
            if let descriptor = keeper.descriptor {
                var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                poll(&entry, 1, 100)
            }
            let events = keeper.receive(at: now)
            if !events.isEmpty { return events }
        }
        return []
    }

    @Test("a keeper is started, holds, lets go, dies, and its successor answers what it left open")
    func life() throws {
        let file = try file(port: UInt16(20_000 + getpid() % 20_000))
        let keeper = try KeeperGuard(.program(executable), file: file, node: "fs1", log: .silent)
        defer { keeper.finish() }
        let alpha = file.settings.addresses[0]
        let beta = file.settings.addresses[1]
        let epoch = Epoch(term: 1, index: 5)
        #expect(
            keeper.hold(alpha, until: .zero, epoch: epoch)
                == .keeperFailed(address: "alpha", epoch: epoch, reason: "the keeper does not run"))
        #expect(events(of: keeper) == [.keeperReady])

        #expect(keeper.hold(alpha, until: Instant.now() + .seconds(30), epoch: epoch) == nil)
        #expect(events(of: keeper) == [.keeperHeld(address: "alpha", epoch: epoch)])
        keeper.release(alpha, epoch: epoch)
        #expect(events(of: keeper) == [.keeperReleased(address: "alpha", epoch: epoch, cause: "asked")])
        keeper.release(beta, epoch: epoch)
        #expect(events(of: keeper) == [.keeperReleased(address: "beta", epoch: epoch, cause: "asked")])

        let pid = try #require(keeper.pid)
        kill(pid, SIGSTOP)
        keeper.release(alpha, epoch: epoch)
        kill(pid, SIGKILL)
        #expect(events(of: keeper) == [.keeperLost(endsByItself: true)])
        #expect(
            events(of: keeper)
                == [
                    .keeperReady,
                    .keeperReleased(address: "alpha", epoch: epoch, cause: "the keeper began anew"),
                ])
    }

    @Test("a keeper that stands still is noticed and killed, and its successor can be asked")
    func standingStill() throws {
        let file = try file(port: UInt16(20_000 + (getpid() + 4) % 20_000))
        let keeper = try KeeperGuard(.program(executable), file: file, node: "fs1", log: .silent)
        defer { keeper.finish() }
        let alpha = file.settings.addresses[0]
        let epoch = Epoch(term: 3, index: 4)
        #expect(events(of: keeper) == [.keeperReady])
        func hold() -> Event? { keeper.hold(alpha, until: Instant.now() + .seconds(30), epoch: epoch) }
        #expect(hold() == nil)
        #expect(events(of: keeper) == [.keeperHeld(address: "alpha", epoch: epoch)])
        let pid = try #require(keeper.pid)
        kill(pid, SIGSTOP)
        #expect(hold() == nil)
        #expect(events(of: keeper) == [.keeperLost(endsByItself: true)])
        #expect(events(of: keeper) == [.keeperReady])
        #expect(keeper.pid != pid)
        #expect(hold() == nil)
        #expect(events(of: keeper) == [.keeperHeld(address: "alpha", epoch: epoch)])
    }

    @Test("a hold that is not renewed ends by itself and is reported")
    func expiry() throws {
        let file = try file(port: UInt16(20_000 + (getpid() + 1) % 20_000))
        let keeper = try KeeperGuard(.program(executable), file: file, node: "fs1", log: .silent)
        defer { keeper.finish() }
        let epoch = Epoch(term: 2, index: 9)
        #expect(events(of: keeper) == [.keeperReady])
        #expect(
            keeper.hold(file.settings.addresses[0], until: Instant.now() + .milliseconds(300), epoch: epoch)
                == nil)
        #expect(events(of: keeper) == [.keeperHeld(address: "alpha", epoch: epoch)])
        #expect(
            events(of: keeper) == [.keeperReleased(address: "alpha", epoch: epoch, cause: "the lease ended")])
    }

    @Test("a keeper that dies is followed by another, started by a process that has kept its rights")
    func spawner() throws {
        let file = try file(port: UInt16(20_000 + (getpid() + 2) % 20_000))
        let spawner = try KeeperSpawner(path: executable)
        let keeper = try KeeperGuard(
            .program(executable), spawner: spawner, file: file, node: "fs1", log: .silent)
        defer { keeper.finish() }
        #expect(events(of: keeper) == [.keeperReady])
        let first = try #require(keeper.pid)
        kill(first, SIGKILL)
        #expect(events(of: keeper) == [.keeperLost(endsByItself: true)])
        #expect(events(of: keeper) == [.keeperReady])
        #expect(keeper.pid != first && keeper.end == nil)
        let name = FileText.read("/proc/\(try #require(keeper.pid))/comm", limit: 64) ?? []
        #expect(String(decoding: name, as: UTF8.self) == "fsdns-keeper\n")
    }

    @Test("without the process that starts keepers a keeper goes on, and its end is the service's end")
    func orphan() throws {
        let file = try file(port: UInt16(20_000 + (getpid() + 3) % 20_000))
        let spawner = try KeeperSpawner(path: executable)
        let keeper = try KeeperGuard(
            .program(executable), spawner: spawner, file: file, node: "fs1", log: .silent)
        defer { keeper.finish() }
        #expect(events(of: keeper) == [.keeperReady])
        kill(spawner.pid, SIGKILL)
        var status: Int32 = 0
        #expect(waitpid(spawner.pid, &status, 0) == spawner.pid)
        keeper.release(file.settings.addresses[0], epoch: Epoch(term: 1, index: 1))
        #expect(events(of: keeper).count == 1 && keeper.end == nil)
        kill(try #require(keeper.pid), SIGKILL)
        #expect(events(of: keeper) == [.keeperLost(endsByItself: true)])
        let limit = Instant.now() + .seconds(20)
        while keeper.end == nil, Instant.now() < limit { _ = keeper.tend(at: Instant.now()) }
        #expect(keeper.end == "the process that starts keepers is gone")
    }
}

enum KeeperProgram {
    /// The built keeper, which stands beside the test bundle.
    static var path: String {
        var link = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &link, link.count - 1)
        let path = String(decoding: link.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/fsdns-keeper"
    }
}
