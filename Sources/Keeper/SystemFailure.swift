@preconcurrency import Glibc

/// What a system call could not do.
package struct SystemFailure: Error, Equatable, Sendable {
    package let errno: Int32
    package let text: String

    /// Takes errno as it stands; `what` names the call and its object.
    init(_ what: String, errno code: Int32 = Glibc.errno) {
        errno = code
        text = "\(what): \(String(cString: strerror(code)))"
    }
}
