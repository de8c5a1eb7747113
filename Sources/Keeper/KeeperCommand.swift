import CLinux
@preconcurrency import Glibc

/// The keeper's program: started by a node service, started by a socket, or asked to clear up after a killed one.
package enum KeeperCommand {
    /// Milliseconds that a keeper started by its socket waits for who wanted it.
    private static let patience: Int32 = 10_000
    /// The first descriptor that systemd passes (sd_listen_fds(3)); also the end of the socket pair that
    /// `KeeperProcess` leaves.
    private static let given: Int32 = 3

    private static let usage = """
        usage: fsdns-keeper                 started by the node service, with a socket as descriptor 3
               fsdns-keeper spawn           started by the node service, likewise: starts keepers for it
               fsdns-keeper guard PID       started by a keeper: removes what that one does not
               fsdns-keeper serve RECORD    started by systemd, with a listening socket; notes its addresses in RECORD
               fsdns-keeper remove RECORD   removes the addresses noted in RECORD that are on this machine

        """

    /// - Parameter arguments: without the program's own name.
    /// - Returns: the exit code: 0 when done, 1 when it could not be done, 64 for wrong usage.
    package static func run(_ arguments: [String]) -> Int32 {
        switch (arguments.first, arguments.count) {
        case (nil, 0): return KeeperLoop.run(descriptor: given)
        case (KeeperSpawner.word, 1): return KeeperSpawning.run(descriptor: given)
        case (HoldGuard.word, 2):
            guard let keeper = pid_t(arguments[1]) else { break }
            return HoldGuard.run(beside: keeper)
        case ("serve", 2): return serve(record: arguments[1])
        case ("remove", 2): return remove(record: arguments[1])
        case ("--help", 1), ("-h", 1):
            write(usage, to: STDOUT_FILENO)
            return 0
        default: break
        }
        write(usage, to: STDERR_FILENO)
        return 64
    }

    /// Serves the one node service that connects, and ends with it; the socket's next connection starts another
    /// keeper, which begins by removing whatever is left.
    private static func serve(record: String) -> Int32 {
        _ = clinux_close_from(UInt32(given) + 1)
        guard isPassedToUs else {
            KeeperLoop.complain("serve is for systemd, which passes a listening socket; none was passed")
            return 64
        }
        guard isCalled() else { return 0 }
        let connection = accept(given, nil, nil)
        guard connection >= 0 else {
            // Who connected is gone again.
            if errno == EAGAIN || errno == ECONNABORTED { return 0 }
            KeeperLoop.complain(SystemFailure("accept").text)
            return 1
        }
        // Nothing is accepted any more: systemd has the listening socket, and gives it to the next keeper.
        guard dup2(connection, given) == given, close(connection) == 0,
            fcntl(given, F_SETFD, FD_CLOEXEC) == 0
        else {
            KeeperLoop.complain(SystemFailure("take the connection").text)
            return 1
        }
        var supervisor: GuardSupervisor?
        do throws(SystemFailure) { supervisor = try GuardSupervisor() } catch {
            KeeperLoop.complain("there is no guard: \(error.text)")
        }
        return KeeperLoop.run(descriptor: given, record: record, supervisor: supervisor)
    }

    /// Waits for who wanted this keeper; false when nobody comes.
    private static func isCalled() -> Bool {
        let watchdog = ServiceWatchdog()
        let pause = watchdog.map { Int32(clamping: max(1, $0.interval / 1_000_000)) } ?? patience
        var waiting = pollfd(fd: given, events: Int16(POLLIN), revents: 0)
        for _ in 0..<max(1, patience / pause) {
            watchdog?.tell()
            if poll(&waiting, 1, pause) > 0 { return true }
        }
        return false
    }

    /// sd_listen_fds(3): LISTEN_PID names the process that the descriptors are meant for.
    private static var isPassedToUs: Bool {
        func number(_ name: String) -> Int32? { getenv(name).flatMap { Int32(String(cString: $0)) } }
        return number("LISTEN_PID") == getpid() && number("LISTEN_FDS") == 1
    }

    /// What a keeper that was killed could not do: its addresses go now, not at the end of their kernel lifetime.
    private static func remove(record: String) -> Int32 {
        do throws(SystemFailure) {
            let addresses = try ManagedRecord.read(record)
            guard !addresses.isEmpty else { return 0 }
            let place = try KernelAddresses()
            place.manage(addresses)
            var status: Int32 = 0
            for address in try place.present() {
                if case .removeFailed(_, let code, let text) = place.remove(address) {
                    KeeperLoop.complain("cannot remove \(address): \(text) (\(code))")
                    status = 1
                }
            }
            place.finish()
            return status
        } catch {
            KeeperLoop.complain(error.text)
            return 1
        }
    }

    private static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(descriptor, bytes, bytes.count)
    }
}
