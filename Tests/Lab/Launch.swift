import CLab
import Foundation
@preconcurrency import Glibc

/// Starts programs, also inside a machine's namespaces.
package enum Launch {
    package struct Output: Sendable {
        package var status: Int32
        package var output: String
        package var errors: String
    }

    /// Starts a program in its own process group and returns its pid as this process sees it.
    ///
    /// `input`, `output` and `errors` are file descriptors; nil is /dev/null. Throws when the program
    /// cannot be
    /// started.
    package static func start(
        _ arguments: [String], inside namespaces: [Namespace] = [], environment: [String: String] = [:],
        input: Int32? = nil, output: Int32? = nil, errors: Int32? = nil
    ) throws -> pid_t {
        if namespaces.isEmpty {
            return try spawn(
                arguments, environment: environment, input: input, output: output, errors: errors)
        }
        return try onOwnThread {
            for namespace in namespaces { try namespace.enter() }
            return try spawn(
                arguments, environment: environment, input: input, output: output, errors: errors)
        }
    }

    /// Runs a program to its end, at most `seconds`, and returns all it said.
    package static func run(
        _ arguments: [String], inside namespaces: [Namespace] = [], input: String = "", seconds: Double = 15
    ) throws -> Output {
        let (inputEnd, inputStart) = try pipe()
        let (outputEnd, outputStart) = try pipe()
        let (errorsEnd, errorsStart) = try pipe()
        defer { for end in [outputEnd, errorsEnd] { close(end) } }
        let pid: pid_t
        do {
            defer { for end in [inputEnd, outputStart, errorsStart] { close(end) } }
            do {
                pid = try start(
                    arguments, inside: namespaces, input: inputEnd, output: outputStart, errors: errorsStart)
            } catch {
                close(inputStart)
                throw error
            }
        }
        feed(input, into: inputStart)
        let said = collect([outputEnd, errorsEnd], until: BootTime.now.adding(milliseconds: seconds * 1000))
        guard let said else {
            kill(pid, SIGKILL)
            _ = exitStatus(of: pid)
            throw LabFailure("\(arguments.joined(separator: " ")): did not end within \(seconds) s")
        }
        return Output(status: exitStatus(of: pid), output: said[0], errors: said[1])
    }

    /// As `run`, but anything except exit status 0 throws with what the program said.
    @discardableResult
    package static func check(
        _ arguments: [String], inside namespaces: [Namespace] = [], input: String = "", seconds: Double = 15
    ) throws -> String {
        let result = try run(arguments, inside: namespaces, input: input, seconds: seconds)
        guard result.status == 0 else {
            throw LabFailure(
                "\(arguments.joined(separator: " ")): status \(result.status): \(result.errors)\(result.output)"
            )
        }
        return result.output
    }

    /// Waits for the end of a child; 128 + signal when it was killed.
    package static func exitStatus(of pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return decoded(status)
    }

    /// The exit status of a child that has ended, nil while it runs.
    package static func exitStatusIfEnded(_ pid: pid_t) -> Int32? {
        var status: Int32 = 0
        return waitpid(pid, &status, WNOHANG) == pid ? decoded(status) : nil
    }

    private static func decoded(_ status: Int32) -> Int32 {
        status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }

    /// A pipe nobody inherits: reading end, writing end.
    package static func pipe() throws -> (Int32, Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC) == 0 else {
            throw LabFailure("pipe: \(String(cString: strerror(errno)))")
        }
        return (ends[0], ends[1])
    }

    /// Runs the body on a thread of its own, so that namespaces it enters end with it.
    package static func onOwnThread<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) throws -> Result {
        let done = DispatchSemaphore(value: 0)
        let box = ResultBox<Result>()
        Thread {
            box.result = Swift.Result { try body() }
            done.signal()
        }.start()
        done.wait()
        guard let result = box.result else { throw LabFailure("a thread of the lab ended without a result") }
        return try result.get()
    }

    /// Written by one thread before the semaphore is signalled, read by another after it.
    private final class ResultBox<Value: Sendable>: @unchecked Sendable {
        var result: Result<Value, any Error>?
    }

    private static func spawn(
        _ arguments: [String], environment: [String: String], input: Int32?, output: Int32?, errors: Int32?
    ) throws -> pid_t {
        let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(nothing) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, source) in [(Int32(0), input), (1, output), (2, errors)] {
            posix_spawn_file_actions_adddup2(&actions, source ?? nothing, target)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = all.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, arguments[0], &actions, &attributes, &argv, &envp)
        guard code == 0 else {
            throw LabFailure("cannot start \(arguments[0]): \(String(cString: strerror(code)))")
        }
        return pid
    }

    /// Writes what fits into a pipe at once; scripts of the lab are far below its 64 KiB.
    private static func feed(_ text: String, into end: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(end, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            bytes = bytes.dropFirst(count)
        }
        close(end)
    }

    /// Everything read from each descriptor until all are closed; nil when the time is over before.
    private static func collect(_ ends: [Int32], until deadline: BootTime) -> [String]? {
        var texts = [[UInt8]](repeating: [], count: ends.count)
        var open = Set(ends.indices)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !open.isEmpty {
            let left = deadline.milliseconds(since: .now)
            guard left > 0 else { return nil }
            var polls = ends.indices.map {
                pollfd(fd: open.contains($0) ? ends[$0] : -1, events: Int16(POLLIN), revents: 0)
            }
            guard poll(&polls, nfds_t(polls.count), Int32(left) + 1) > 0 else { continue }
            for index in ends.indices where polls[index].revents != 0 {
                let count = read(ends[index], &buffer, buffer.count)
                if count > 0 { texts[index] += buffer[..<count] } else { open.remove(index) }
            }
        }
        return texts.map { String(decoding: $0, as: UTF8.self) }
    }
}
