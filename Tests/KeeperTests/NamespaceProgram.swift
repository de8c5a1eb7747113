@preconcurrency import Glibc
import Keeper
import Primitives
import Testing

/// A Python program in a namespace that answers each line it is given with a line.
final class NamespaceProgram {
    private let pid: pid_t
    private let input: Int32
    private let output: Int32
    private var read: [UInt8] = []

    init(_ script: String, _ arguments: [String], in namespace: String) throws {
        var (inputs, outputs): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
        try #require(pipe(&inputs) == 0 && pipe(&outputs) == 0)
        for end in inputs + outputs { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_adddup2(&files, inputs[0], 0)
        posix_spawn_file_actions_adddup2(&files, outputs[1], 1)
        let words = (["ip", "netns", "exec", namespace, "python3", "-c", script] + arguments).map {
            strdup($0) as UnsafeMutablePointer<CChar>?
        }
        defer { for word in words { free(word) } }
        var argv = words + [nil]
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, "ip", &files, nil, &argv, environ)
        close(inputs[0])
        close(outputs[1])
        self.pid = pid
        (input, output) = (inputs[1], outputs[0])
        try #require(code == 0, "ip cannot be started")
    }

    deinit {
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        close(input)
        close(output)
    }

    /// The words of the answer.
    func ask(_ question: String) throws -> [String] {
        let bytes = Array((question + "\n").utf8)
        try #require(write(input, bytes, bytes.count) == bytes.count)
        return try line()
    }

    /// The next line it says, as words; fails when none comes within 10 s.
    func line() throws -> [String] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            if let end = read.firstIndex(of: 10) {
                defer { read.removeSubrange(...end) }
                return String(decoding: read[..<end], as: UTF8.self).split(separator: " ").map(String.init)
            }
            var waited = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            try #require(poll(&waited, 1, 10_000) == 1, "the program in the namespace says nothing")
            let count = Glibc.read(output, &buffer, buffer.count)
            try #require(count > 0, "the program in the namespace has ended")
            read += buffer[..<count]
        }
    }
}

/// Sends from an address every few milliseconds, whatever happens: on a UDP socket, on a connected one, on TCP.
struct Talker {
    /// How many sends the kernel took, and how many it refused.
    struct Count { let taken: Int, refused: Int }

    private let program: NamespaceProgram

    /// The address must be there: binds to it. Returns once TCP is connected.
    init(from address: String, to far: String, in namespace: String) throws {
        program = try NamespaceProgram(Self.script, [address, far], in: namespace)
        try #require(try program.line() == ["ready"])
    }

    func count() throws -> Count {
        let words = try program.ask("count")
        return Count(taken: try #require(Int(words[0])), refused: try #require(Int(words[1])))
    }

    private static let script = """
        import select, socket, sys
        address, far = sys.argv[1:]
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        def bound(kind, port):
            made = socket.socket(family, kind)
            made.bind((address, port))
            return made
        loose, tied, tcp = bound(socket.SOCK_DGRAM, 5060), bound(socket.SOCK_DGRAM, 5061), bound(socket.SOCK_STREAM, 5062)
        tied.connect((far, 9000))
        tcp.connect((far, 9001))
        tcp.setblocking(False)
        print('ready', flush=True)
        taken = refused = 0
        while True:
            for send in (lambda: loose.sendto(b'BYE', (far, 9000)), lambda: tied.send(b'BYE'), lambda: tcp.send(b'BYE')):
                try:
                    send()
                    taken += 1
                except OSError:
                    refused += 1
            if select.select([sys.stdin], [], [], 0.003)[0]:
                if not sys.stdin.readline():
                    sys.exit()
                print(taken, refused, flush=True)
        """
}

/// Hears, at the other end of the wire, what leaves from an address, and takes its TCP connections.
struct Listener {
    struct Heard {
        let udp: Int
        let tcp: Int
        /// When the last packet came by, by the kernel's own stamp.
        let last: Instant
        /// TCP connections taken that were neither ended nor reset.
        let connections: Int
    }

    private let program: NamespaceProgram

    init(to address: String, in namespace: String) throws {
        program = try NamespaceProgram(Self.script, [address], in: namespace)
        try #require(try program.line() == ["ready"])
    }

    func heard() throws -> Heard {
        let words = try program.ask("heard").map { Int64($0) ?? -1 }
        try #require(words.count == 4)
        return Heard(
            udp: Int(words[0]), tcp: Int(words[1]), last: Instant(nanoseconds: words[2]),
            connections: Int(words[3]))
    }

    private static let script = """
        import select, socket, struct, sys, time
        address = sys.argv[1]
        isSix = ':' in address
        wanted = socket.inet_pton(socket.AF_INET6 if isSix else socket.AF_INET, address)
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        wire.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
        any = '::' if isSix else '0.0.0.0'
        family = socket.AF_INET6 if isSix else socket.AF_INET
        sink = socket.socket(family, socket.SOCK_DGRAM)
        sink.bind((any, 9000))
        door = socket.socket(family, socket.SOCK_STREAM)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((any, 9001))
        door.listen()
        calls, udp, tcp, last = [], 0, 0, 0
        print('ready', flush=True)
        while True:
            for ready in select.select([wire, sink, door, sys.stdin] + calls, [], [])[0]:
                if ready is wire:
                    frame, notes, flags, source = wire.recvmsg(2048, 256)
                    if isSix and frame[12:14] == b'\\x86\\xdd' and frame[22:38] == wanted:
                        kind = frame[20]
                    elif not isSix and frame[12:14] == b'\\x08\\x00' and frame[26:30] == wanted:
                        kind = frame[23]
                    else:
                        continue
                    seconds, nanoseconds = struct.unpack('qq', notes[0][2])
                    past = time.clock_gettime_ns(time.CLOCK_REALTIME) - seconds * 10**9 - nanoseconds
                    last = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - past
                    udp += kind == 17
                    tcp += kind == 6
                elif ready is door:
                    calls.append(door.accept()[0])
                elif ready is sys.stdin:
                    if not sys.stdin.readline():
                        sys.exit()
                    print(udp, tcp, last, len(calls), flush=True)
                else:
                    try:
                        said = ready.recv(65536)
                    except OSError:
                        said = b''
                    if not said:
                        calls.remove(ready)
        """
}
