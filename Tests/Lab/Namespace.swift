import CLab
@preconcurrency import Glibc

/// A kernel namespace that lives as long as this value: a machine's network, or its power.
package final class Namespace: Sendable {
    package enum Kind: Sendable { case network, processes }

    private let descriptor: Int32
    private let kind: Kind

    private init(descriptor: Int32, kind: Kind) {
        self.descriptor = descriptor
        self.kind = kind
    }

    deinit { close(descriptor) }

    /// A new network namespace, empty except for its loopback interface (down).
    package static func network() throws -> Namespace {
        try Launch.onOwnThread {
            guard unshare(Int32(LAB_NEWNET)) == 0 else {
                throw LabFailure("no new network namespace: \(String(cString: strerror(errno)))")
            }
            let descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw LabFailure("no /proc/thread-self/ns/net") }
            return Namespace(descriptor: descriptor, kind: .network)
        }
    }

    /// The namespace of processes whose first one `start` starts (on the calling thread); when that one
    /// dies, the
    /// kernel kills all.
    package static func processes(
        first start: @escaping @Sendable () throws -> pid_t
    ) throws -> (namespace: Namespace, first: pid_t) {
        try Launch.onOwnThread {
            guard unshare(Int32(LAB_NEWPID)) == 0 else {
                throw LabFailure("no new process namespace: \(String(cString: strerror(errno)))")
            }
            let pid = try start()
            let descriptor = open("/proc/\(pid)/ns/pid", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw LabFailure("no /proc/\(pid)/ns/pid") }
            return (Namespace(descriptor: descriptor, kind: .processes), pid)
        }
    }

    /// Moves the calling thread (for .processes: its later children) inside.
    func enter() throws {
        let type = kind == .network ? LAB_NEWNET : LAB_NEWPID
        guard setns(descriptor, Int32(type)) == 0 else {
            throw LabFailure("cannot enter a namespace: \(String(cString: strerror(errno)))")
        }
    }
}
