@preconcurrency import Glibc
import Keeper
import KeeperProtocol
import Primitives
import Testing

/// Two network namespaces joined by a veth pair: "near" (10.99.0.1/24, 2001:db8:99::1/64 on `near0`) where a
/// keeper runs, and "far" (…2) where its neighbours are. Gone when this value is.
final class NetworkNamespaces {
    let near: String
    let far: String

    /// Namespaces are made as root only; under CI their absence is a failure, elsewhere a skip.
    static let areAvailable = geteuid() == 0 || getenv("CI").map { String(cString: $0) == "true" } == true

    init(_ name: String) throws {
        near = "fsk\(getpid())-\(name)-near"
        far = "fsk\(getpid())-\(name)-far"
        for namespace in [near, far] { try Self.ip("netns add \(namespace)") }
        try Self.ip("-n \(near) link add near0 type veth peer name far0 netns \(far)")
        for (namespace, link, host) in [(near, "near0", 1), (far, "far0", 2)] {
            try Self.ip("-n \(namespace) addr add 10.99.0.\(host)/24 dev \(link)")
            try Self.ip("-n \(namespace) addr add 2001:db8:99::\(host)/64 dev \(link) nodad")
            try Self.ip("-n \(namespace) link set lo up")
            try Self.ip("-n \(namespace) link set \(link) up")
        }
        // A fresh link hears no IPv6 multicast until its link-local address is proven unique, a second or
        // two.
        let end = KeeperUnderTest.now() + .nanoseconds(5_000_000_000)
        for namespace in [near, far] {
            while try Self.ip("-n \(namespace) -6 addr").contains("tentative") {
                try #require(KeeperUnderTest.now() < end, "the link does not become ready")
                usleep(20_000)
            }
        }
    }

    deinit {
        for namespace in [near, far] { _ = try? Self.ip("netns del \(namespace)") }
    }

    /// What `ip` prints; throws when it exits with anything but 0.
    @discardableResult
    static func ip(_ arguments: String) throws -> String {
        var pipes: [Int32] = [-1, -1]
        try #require(pipe(&pipes) == 0)
        for end in pipes { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_adddup2(&files, pipes[1], 1)
        let words = (["ip"] + arguments.split(separator: " ").map(String.init)).map {
            strdup($0) as UnsafeMutablePointer<CChar>?
        }
        defer { for word in words { free(word) } }
        var argv = words + [nil]
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, "ip", &files, nil, &argv, environ)
        close(pipes[1])
        defer { close(pipes[0]) }
        try #require(code == 0, "the ip command cannot be started")
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = read(pipes[0], &buffer, buffer.count), count > 0 { output += buffer[..<count] }
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        try #require(status == 0, "ip \(arguments)")
        return String(decoding: output, as: UTF8.self)
    }
}

/// The keeper as its node service sees it, for tests: asks, and waits for reports with a deadline.
final class KeeperUnderTest {
    let process: KeeperProcess
    private var descriptorIsOpen = true
    private var isReaped = false

    /// Starts the built executable in this namespace or in ours.
    init(in namespace: String? = nil) throws {
        let path = try Self.executable
        if let namespace {
            // Becomes the keeper itself (exec), with the same process id and descriptors.
            let arguments = ["netns", "exec", namespace, path]
            process = try KeeperProcess.spawn(path: "/sbin/ip", arguments: arguments)
        } else {
            process = try KeeperProcess.spawn(path: path)
        }
    }

    /// One that somebody else started.
    init(_ process: KeeperProcess) { self.process = process }

    deinit {
        hangUp()
        guard !isReaped else { return }
        kill(process.pid, SIGCONT)
        kill(process.pid, SIGKILL)
        _ = try? process.wait()
    }

    /// The built executable, which stands beside the test bundle.
    static var executable: String {
        get throws {
            var link = [CChar](repeating: 0, count: 4096)
            try #require(readlink("/proc/self/exe", &link, link.count - 1) > 0)
            let own = String(decoding: link.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let folder = own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
                separator: "/")
            return folder + "/fsdns-keeper"
        }
    }

    static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    func hangUp() {
        if descriptorIsOpen { close(process.descriptor) }
        descriptorIsOpen = false
    }

    func signal(_ number: Int32) { kill(process.pid, number) }

    func send(_ request: KeeperRequest) throws {
        let bytes = request.datagram
        try #require(Glibc.send(process.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    }

    func configure(_ mode: KeeperMode, _ managed: [KeeperAddress], name: String = "node1") throws
        -> KeeperReport
    {
        let configuration = try #require(KeeperConfiguration(mode: mode, nodeName: name, managed: managed))
        for request in configuration.requests { try send(request) }
        return try report()
    }

    /// Milliseconds from now for the hold's end.
    func hold(_ address: KeeperAddress, for milliseconds: Int64, token: UInt64) throws {
        try send(.hold(address, until: Self.now() + .nanoseconds(milliseconds * 1_000_000), token: token))
    }

    /// The next report; fails when none comes within 5 s.
    func report() throws -> KeeperReport {
        var waited = pollfd(fd: process.descriptor, events: Int16(POLLIN), revents: 0)
        try #require(poll(&waited, 1, 5000) == 1, "the keeper reports nothing")
        var bytes = [UInt8](repeating: 0, count: KeeperLimits.datagramBytes + 1)
        let count = recv(process.descriptor, &bytes, bytes.count, 0)
        try #require(count > 0, "the keeper has ended")
        return try KeeperReport(datagram: Array(bytes[..<count]))
    }

    /// Waits for the end of the process, which must come by itself.
    func exit() throws -> KeeperProcess.Exit {
        let ended = try process.wait()
        isReaped = true
        return ended
    }
}
