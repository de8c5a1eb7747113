import Config
@preconcurrency import Glibc

/// Whether the keeper is there and may change addresses.
struct KeeperCheck {
    var path: String
    var mode: AddressMode

    /// Where the node service looks for it.
    static var beside: String {
        let program = Local.program
        let directory = program.lastIndex(of: "/").map { program[...$0] } ?? ""
        return directory + "fsdns-keeper"
    }

    private static let wanted = ["cap_net_admin", "cap_net_raw"]

    /// Where the shipped unit has it.
    private static let socket = "/run/fsdns-keeper.sock"

    private static var isService: Bool {
        var found = stat()
        return stat(socket, &found) == 0 && found.st_mode & S_IFMT == S_IFSOCK
    }

    /// Whether this process could pass both capabilities on to a keeper that it starts (capabilities(7): CAP_NET_ADMIN
    /// is 12, CAP_NET_RAW 13).
    private static var hasAmbient: Bool {
        guard let text = Local.output("grep ^CapAmb: /proc/self/status"),
            let word = text.split(whereSeparator: \.isWhitespace).last, let set = UInt64(word, radix: 16)
        else { return false }
        return set & 0x3000 == 0x3000
    }

    var findings: [Finding] {
        if Self.isService {
            return [.fine("keeper", "a service of its own, started by \(Self.socket)")]
        }
        guard access(path, X_OK) == 0 else {
            return [
                .wrong(
                    "keeper", "\(path) is missing or not executable",
                    fix: "install fsdns-keeper beside fsdns, or name it with --keeper")
            ]
        }
        guard case .kernel = mode else {
            return [.fine("keeper", "\(path); loopback mode needs no privileges")]
        }
        if Self.hasAmbient { return [.fine("keeper", "\(path); it is given its capabilities")] }
        if geteuid() == 0 { return [.fine("keeper", "\(path), run by root")] }
        let quoted =
            "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
            + "'"
        guard let text = Local.output("PATH=$PATH:/usr/sbin:/sbin getcap \(quoted)") else {
            return [
                .notice(
                    "keeper", "cannot tell whether \(path) may change addresses",
                    fix: "install libcap2-bin for getcap, or run this as the node's user")
            ]
        }
        if Self.wanted.allSatisfy(text.contains) { return [.fine("keeper", "\(path) has its capabilities")] }
        return [
            .wrong(
                "keeper", "\(path) may not change addresses",
                fix: "setcap cap_net_admin,cap_net_raw,cap_sys_nice,cap_ipc_lock+ep \(path), or run as root")
        ]
    }
}
