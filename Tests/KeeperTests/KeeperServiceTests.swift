@preconcurrency import Glibc
import Keeper
import KeeperProtocol
import Primitives
import Testing

/// The keeper as a service of its own: started by its socket, its addresses removed by another process when it is killed.
@Suite(.serialized, .enabled(if: NetworkNamespaces.areAvailable, "network namespaces take root"))
struct KeeperServiceTests {
    private static let address = KeeperAddress("10.99.0.7/24")
    private static let second = KeeperAddress("2001:db8:99::7/64")

    @Test("a keeper started by its socket holds for who connects, and ends with it")
    func startedBySocket() throws {
        let site = try Site("socket")
        defer { site.clear() }
        let descriptor = try KeeperSocket.connect(path: site.socket)
        let process = try site.startService()
        try Self.hold(on: descriptor)
        #expect(try site.isThere(try #require(Self.address)))
        close(descriptor)
        #expect(try process.wait() == .code(0))
        #expect(try !site.isThere(try #require(Self.address)))
    }

    @Test(
        "a keeper that is killed, and one that stands still, leave nothing: its guard removes it",
        arguments: [SIGKILL, SIGSTOP])
    func guarded(signal: Int32) throws {
        let site = try Site("guard")
        defer { site.clear() }
        let descriptor = try KeeperSocket.connect(path: site.socket)
        let process = try site.startService()
        // A killed keeper's addresses go at once, a frozen one's when their holds end.
        try Self.hold(on: descriptor, for: signal == SIGKILL ? 30_000 : 400)
        kill(process.pid, signal)
        let start = KeeperUnderTest.now()
        for address in [Self.address, Self.second] {
            while try site.isThere(try #require(address)) {
                try #require(KeeperUnderTest.now() < start + .nanoseconds(10_000_000_000))
            }
        }
        let took = (KeeperUnderTest.now().nanoseconds - start.nanoseconds) / 1_000_000
        #expect(took < 900, "before the kernel's lifetime, which is a second and more")
        #expect(try NetworkNamespaces.ip("-n \(site.lan.near) -o addr show").contains(" 10.99.0.1/24 "))
        kill(process.pid, SIGKILL)
        _ = try process.wait()
        close(descriptor)
    }

    @Test(
        "a guard that is killed or stands still is replaced by another, which guards: also without root's privileges",
        arguments: [SIGKILL, SIGSTOP], [nil, "nobody"])
    func guardReplaced(signal: Int32, user: String?) throws {
        let site = try Site("replaced")
        defer { site.clear() }
        let descriptor = try KeeperSocket.connect(path: site.socket)
        let process = try site.startService(as: user)
        try Self.hold(on: descriptor)
        let first = try #require(site.guardOf(process))
        kill(first, signal)
        // That there is another one is said when it looks.
        while try Self.report(on: descriptor) != .guarded(true) {}
        #expect(site.guardOf(process) != first)
        kill(process.pid, SIGKILL)
        let killed = KeeperUnderTest.now()
        for address in [Self.address, Self.second] {
            while try site.isThere(try #require(address)) {
                try #require(KeeperUnderTest.now() < killed + .nanoseconds(10_000_000_000))
            }
        }
        let took = (KeeperUnderTest.now().nanoseconds - killed.nanoseconds) / 1_000_000
        #expect(took < 900, "before the kernel's lifetime, which is a second and more")
        _ = try process.wait()
        close(descriptor)
    }

    @Test(
        "what a killed keeper left is removed at once by the command that clears up after it, and nothing else is"
    )
    func clearedUp() throws {
        let site = try Site("clear")
        defer { site.clear() }
        let descriptor = try KeeperSocket.connect(path: site.socket)
        let process = try site.startService()
        try Self.hold(on: descriptor)
        kill(try #require(site.guardOf(process)), SIGKILL)
        kill(process.pid, SIGKILL)
        _ = try process.wait()
        #expect(try site.isThere(try #require(Self.address)), "the kernel's lifetime cannot have ended yet")
        #expect(try site.run("remove").wait() == .code(0))
        for address in [Self.address, Self.second] { #expect(try !site.isThere(try #require(address))) }
        #expect(try NetworkNamespaces.ip("-n \(site.lan.near) -o addr show").contains(" 10.99.0.1/24 "))
        close(descriptor)
    }

    @Test("a keeper that was never configured has nothing to be cleared up, and wrong usage is refused")
    func nothingToClear() throws {
        let site = try Site("usage")
        defer { site.clear() }
        #expect(try site.run("remove").wait() == .code(0))
        #expect(try site.run("serve").wait() == .code(64), "nobody passed it a socket")
        #expect(try site.run("hold").wait() == .code(64))
    }

    /// Configures the keeper at the other end and has it hold both addresses.
    private static func hold(on descriptor: Int32, for milliseconds: Int64 = 30_000) throws {
        let addresses = [try #require(address), try #require(second)]
        let configuration = try #require(
            KeeperConfiguration(mode: .kernel, nodeName: "node1", managed: addresses))
        let until = KeeperUnderTest.now() + .nanoseconds(milliseconds * 1_000_000)
        let requests = configuration.requests + addresses.map { .hold($0, until: until, token: 1) }
        for request in requests {
            let bytes = request.datagram
            try #require(send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
        }
        var held = 0
        while held < addresses.count {
            if case .held = try report(on: descriptor) { held += 1 }
        }
    }

    private static func report(on descriptor: Int32) throws -> KeeperReport {
        var waited = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        try #require(poll(&waited, 1, 5000) == 1, "the keeper reports nothing")
        var bytes = [UInt8](repeating: 0, count: KeeperLimits.datagramBytes + 1)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        try #require(count > 0, "the keeper has ended")
        return try KeeperReport(datagram: Array(bytes[..<count]))
    }

    /// A namespace, a listening socket as systemd makes one, and the keeper's program.
    private struct Site {
        let lan: NetworkNamespaces
        let socket: String
        private let record: String
        private var program: String { "\(record).program" }
        private let listener: Int32

        init(_ name: String) throws {
            lan = try NetworkNamespaces(name)
            socket = "/tmp/fsk\(getpid())-\(name).sock"
            record = "/tmp/fsk\(getpid())-\(name).record"
            unlink(socket)
            listener = Glibc.socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0)
            let bound = UnixSocket.withAddress(of: socket) { [listener] in bind(listener, $0, $1) }
            try #require(bound == 0 && listen(listener, 4) == 0)
        }

        func clear() {
            close(listener)
            unlink(socket)
            unlink(record)
            unlink(program)
        }

        func isThere(_ address: KeeperAddress) throws -> Bool {
            let bare = address.description.prefix { $0 != "/" }
            return try NetworkNamespaces.ip("-n \(lan.near) -o addr show").contains(" \(bare)/")
        }

        /// The process that the keeper forked.
        func guardOf(_ keeper: Child) -> pid_t? {
            let path = "/proc/\(keeper.pid)/task/\(keeper.pid)/children"
            let text = String(decoding: Self.bytes(of: path), as: UTF8.self)
            return text.split(separator: " ").first.flatMap { pid_t($0) }
        }

        private static func bytes(of path: String) -> ArraySlice<UInt8> {
            var bytes = [UInt8](repeating: 0, count: 64)
            let file = open(path, O_RDONLY)
            defer { close(file) }
            let count = read(file, &bytes, bytes.count)
            return bytes.prefix(max(0, count))
        }

        /// As systemd does: the listening socket is descriptor 3, and LISTEN_PID names who gets it.
        func startService(as user: String? = nil) throws -> Child {
            let start = "LISTEN_PID=$$ LISTEN_FDS=1 exec"
            guard let user else { return try self.start("\(start) \"$0\" serve \"$1\"", socket: listener) }
            // Where that user can read it.
            let privileges = "--inh-caps +net_admin,+net_raw --ambient-caps +net_admin,+net_raw"
            let other = "setpriv --reuid \(user) --clear-groups \(privileges) \(program) serve \"$1\""
            return try self.start("cp \"$0\" \(program) && \(start) \(other)", socket: listener)
        }

        func run(_ verb: String) throws -> Child { try start("exec \"$0\" \(verb) \"$1\"", socket: nil) }

        private func start(_ script: String, socket: Int32?) throws -> Child {
            var files = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&files)
            defer { posix_spawn_file_actions_destroy(&files) }
            if let socket { posix_spawn_file_actions_adddup2(&files, socket, 3) }
            let arguments = [
                "ip", "netns", "exec", lan.near, "/bin/sh", "-c", script, try KeeperUnderTest.executable,
                record,
            ]
            let words = arguments.map { strdup($0) as UnsafeMutablePointer<CChar>? }
            defer { for word in words { free(word) } }
            var argv = words + [nil]
            var pid: pid_t = 0
            try #require(posix_spawnp(&pid, "ip", &files, nil, &argv, environ) == 0)
            return Child(pid: pid)
        }
    }

    private struct Child {
        let pid: pid_t

        func wait() throws -> KeeperProcess.Exit {
            var status: Int32 = 0
            try #require(waitpid(pid, &status, 0) == pid)
            let signal = status & 0x7f
            return signal == 0 ? .code(status >> 8 & 0xff) : .signal(signal)
        }
    }
}
