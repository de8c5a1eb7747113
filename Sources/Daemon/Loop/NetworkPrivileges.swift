@preconcurrency import Glibc

/// Gives away what only the keeper needs: CAP_NET_ADMIN and CAP_NET_RAW (capabilities(7)).
///
/// For root they go from the effective and the permitted set, and a keeper started later gets them by being root's
/// program; for another user, who may have them to pass on to the keeper, they go from the effective set.
enum NetworkPrivileges {
    private struct Header {
        /// _LINUX_CAPABILITY_VERSION_3
        var version: UInt32 = 0x2008_0522
        var pid: Int32 = 0
    }

    private struct Sets {
        var effective: UInt32 = 0
        var permitted: UInt32 = 0
        var inheritable: UInt32 = 0
    }

    private typealias Call = @convention(c) (UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Int32

    /// CAP_NET_ADMIN 12, CAP_NET_RAW 13.
    private static let network: UInt32 = 1 << 12 | 1 << 13

    /// Acts on the calling thread and those it makes later; a sentence when it did not work.
    static func giveUp() -> String? {
        guard let get = call("capget"), let set = call("capset") else {
            return "network privileges are kept: the C library has no capset"
        }
        var header = Header()
        // Two sets of 32 bits each; ours are in the first.
        var sets = [Sets(), Sets()]
        guard get(&header, &sets) == 0 else {
            return "network privileges are kept: \(errorText(errno))"
        }
        if (sets[0].effective | sets[0].permitted) & network == 0 { return nil }
        sets[0].effective &= ~network
        if geteuid() == 0 {
            sets[0].permitted &= ~network
            sets[0].inheritable &= ~network
        }
        return set(&header, &sets) == 0 ? nil : "network privileges are kept: \(errorText(errno))"
    }

    /// Declared in no header Swift imports, but part of the C library.
    private static func call(_ name: String) -> Call? {
        dlsym(nil, name).map { unsafeBitCast($0, to: Call.self) }
    }
}
