@preconcurrency import Glibc
import NIOCore

/// Who is at the other end of a control connection, as the kernel knows it (unix(7), SO_PEERCRED).
struct ControlCaller: Hashable, Sendable {
    var pid: Int32
    var uid: UInt32
    var gid: UInt32

    /// The kernel did not say.
    static let unknown = ControlCaller(pid: 0, uid: .max, gid: .max)
    private static let names = WorkQueue("logins")

    /// To be called on the channel's loop.
    static func of(_ channel: any Channel) -> ControlCaller {
        guard let provider = channel as? any SocketOptionProvider else { return unknown }
        let answer: EventLoopFuture<ControlCaller> = provider.unsafeGetSocketOption(
            level: .socket, name: .init(rawValue: CInt(SO_PEERCRED)))
        var caller = unknown
        answer.assumeIsolated().whenSuccess { caller = $0 }
        return caller
    }

    /// Hands over the login name, or `uid-NUMBER`, on the loop. Looked up elsewhere: it may take a directory server.
    func login(on loop: any EventLoop, _ then: @escaping @Sendable (String) -> Void) {
        Self.names.async {
            let name = loginName
            loop.execute { then(name) }
        }
    }

    var loginName: String {
        let number = uid == Self.unknown.uid ? "unknown" : "uid-\(uid)"
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard uid != Self.unknown.uid, getpwuid_r(uid, &entry, &buffer, buffer.count, &found) == 0,
            found != nil, let name = entry.pw_name
        else { return number }
        return String(cString: name)
    }
}
