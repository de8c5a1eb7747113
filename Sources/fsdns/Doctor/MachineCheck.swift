import Daemon
@preconcurrency import Glibc
import Keeper

/// Whether this machine can keep time: real-time scheduling, locked memory, a fast disk, a steady clock.
struct MachineCheck {
    var stateDirectory: String

    /// A term or a vote is on disk before it is told to others; slower disks delay takeovers.
    private static let slowSync = Duration.milliseconds(20)
    private static let syncs = 20
    /// All listeners together keep below a thousand; each file, socket and child needs one.
    private static let descriptors: rlim_t = 4096
    /// What a heartbeat socket asks for.
    private static let receiveBuffer = 1 << 22

    var findings: [Finding] {
        [scheduling, memory, files, buffers] + state + [clock, Self.time(isKept: KernelClock.isKept)]
    }

    private var files: Finding {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(__RLIMIT_OFILE.rawValue), &limit)
        return Self.files(limit: limit.rlim_cur)
    }

    static func files(limit: rlim_t) -> Finding {
        if limit >= descriptors { return .fine("descriptors", "\(limit) files and sockets may be open") }
        return .wrong(
            "descriptors",
            "only \(limit) files and sockets may be open; a crowd of strangers could use them up",
            fix: "LimitNOFILE=65536 in the service unit, or ulimit -n \(descriptors) at least")
    }

    private var buffers: Finding {
        Self.buffers(limit: Local.tail("/proc/sys/net/core/rmem_max", lines: 1).first.flatMap { Int($0) })
    }

    static func buffers(limit: Int?) -> Finding {
        guard let limit else {
            return .notice(
                "buffers", "net.core.rmem_max cannot be read here", fix: "see sysctl net.core.rmem_max")
        }
        if limit >= receiveBuffer { return .fine("buffers", "net.core.rmem_max is \(limit)") }
        return .notice(
            "buffers",
            "net.core.rmem_max is \(limit): a flood on the ring fills a heartbeat socket within a few ms",
            fix: "sysctl -w net.core.rmem_max=\(receiveBuffer), and a file in /etc/sysctl.d with it")
    }

    private var scheduling: Finding {
        let isPermitted = Self.works {
            var parameter = sched_param()
            parameter.sched_priority = 1
            return sched_setscheduler(0, SCHED_RR, &parameter) == 0
        }
        if isPermitted { return .fine("scheduling", "SCHED_RR is permitted") }
        return .notice(
            "scheduling", "SCHED_RR is not permitted, heartbeats may be late under load",
            fix:
                "LimitRTPRIO=10 in the service unit (or run as root), and dead-after of at least 250ms until then"
        )
    }

    private var memory: Finding {
        // As the node service does it.
        if Self.works({ KeeperPrivileges.lockMemory() == 0 }) {
            return .fine("memory", "memory may be locked")
        }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit)
        return .notice(
            "memory",
            "memory may not be locked (the limit is \(limit.rlim_cur >> 10) KiB), paging can delay heartbeats",
            fix: "LimitMEMLOCK=infinity in the service unit")
    }

    /// Tried by a child, so that this process is not changed.
    private static func works(_ attempt: () -> Bool) -> Bool {
        let child = fork()
        if child == 0 { _exit(attempt() ? 0 : 1) }
        var status: Int32 = 0
        return child > 0 && waitpid(child, &status, 0) == child && status == 0
    }

    private var state: [Finding] {
        var path = stateDirectory
        guard access(path, F_OK) == 0 else {
            let parent =
                path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
            guard access(parent, W_OK) == 0 else {
                return [
                    .wrong(
                        "state", "\(path) is missing and cannot be made here",
                        fix: "mkdir -p \(path) and chown it to the node's user")
                ]
            }
            path = parent
            return [room(in: path), sync(in: path)]
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            return [
                .wrong("state", "\(path) is not writable for this user", fix: "chown it to the node's user")
            ]
        }
        return [room(in: path), sync(in: path)]
    }

    /// As `status` warns of it.
    private func room(in directory: String) -> Finding {
        guard let trouble = DiskRoom(of: directory).trouble else {
            return .fine("state", "the disk of \(directory) has room")
        }
        return .notice(
            "state", "\(trouble) of \(directory)", fix: "free some space: a full disk stops decisions")
    }

    private func sync(in directory: String) -> Finding {
        var template = Array("\(directory)/.fsdns-doctor.XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            return .wrong(
                "state", "cannot write in \(directory): \(String(cString: strerror(errno)))",
                fix: "chown it to the node's user, and see that the disk is not full")
        }
        defer {
            close(descriptor)
            unlink(template)
        }
        let page = [UInt8](repeating: 0x55, count: 4096)
        var times: [Duration] = []
        for _ in 0..<Self.syncs {
            let watch = Stopwatch()
            guard write(descriptor, page, page.count) == page.count, fsync(descriptor) == 0 else {
                return .wrong(
                    "state", "cannot write in \(directory): \(String(cString: strerror(errno)))",
                    fix: "free some space on that disk")
            }
            times.append(watch.elapsed)
        }
        times.sort()
        let median = times[times.count / 2]
        let tenths = median.wholeSeconds * 10_000 + median.components.attoseconds / 100_000_000_000_000
        let text = "fsync in \(directory) takes \(tenths / 10).\(tenths % 10) ms median"
        if median <= Self.slowSync { return .fine("state", text) }
        return .notice("state", text, fix: "put the state on a local disk that syncs faster")
    }

    /// - Parameter isKept: what the kernel says of its wall clock.
    static func time(isKept: Bool?) -> Finding {
        guard let isKept else {
            return .notice(
                "time", "the kernel does not tell whether NTP keeps the clock", fix: "see timedatectl")
        }
        if isKept { return .fine("time", "something keeps the clock right") }
        return .notice(
            "time", "nothing keeps the wall clock right: schedules and certificates go by it",
            fix: "install chrony, or wait until it is in step (chronyc tracking)")
    }

    private var clock: Finding {
        let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        let source = Local.tail(path, lines: 1).first ?? "unknown"
        let steady = ["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "xen"]
        if steady.contains(source) { return .fine("clock", "source is \(source)") }
        return .notice(
            "clock", "source is \(source), reading it may be slow or unsteady",
            fix: "see /sys/devices/system/clocksource/clocksource0/available_clocksource and dmesg about tsc")
    }
}
