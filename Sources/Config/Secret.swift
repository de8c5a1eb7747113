@preconcurrency import Glibc

/// Why a secret was not read; the text says how to mend it and never shows the secret.
package struct SecretFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package var path: String
    package var reason: String
    /// What the file is called.
    package var kind: String

    package init(path: String, reason: String, kind: String = "secret file") {
        self.path = path
        self.reason = reason
        self.kind = kind
    }

    package var description: String { "\(kind) \(path) \(reason)" }
}

/// Reads a key or a password from its file. Secrets are text: line ends at the end are not part of them.
///
/// - Parameters:
///   - limit: the most bytes it may have.
///   - user: whose it may be besides root's: who runs the service.
/// - Throws: `SecretFailure` when the file is missing, empty, larger, no regular file, open to anybody but its owner, or
///   somebody else's.
package func readSecret(
    path: String, limit: Int = 4096, user: UInt32 = geteuid()
) throws(SecretFailure) -> [UInt8] {
    do throws(LocalFile.Refusal) {
        var bytes = try read(path, .secret, limit: limit, user: user)
        while let last = bytes.last, last == 10 || last == 13 { bytes.removeLast() }
        if bytes.isEmpty { throw LocalFile.Refusal(reason: "is empty") }
        return bytes
    } catch {
        throw SecretFailure(path: path, reason: error.reason)
    }
}

/// Reads a file that is no secret but decides whom this machine believes.
///
/// - Throws: `SecretFailure` when the file is missing, empty, larger, no regular file, or writable by anybody but its owner.
package func readTrusted(
    path: String, limit: Int, user: UInt32 = geteuid()
) throws(SecretFailure) -> [UInt8] {
    do throws(LocalFile.Refusal) {
        let bytes = try read(path, .trusted, limit: limit, user: user)
        if bytes.isEmpty { throw LocalFile.Refusal(reason: "is empty") }
        return bytes
    } catch {
        throw SecretFailure(path: path, reason: error.reason, kind: "file")
    }
}

private func read(
    _ path: String, _ kind: FileKeeping.Kind, limit: Int, user: UInt32
) throws(LocalFile.Refusal) -> [UInt8] {
    try LocalFile.read(path, limit: limit) { facts throws(LocalFile.Refusal) in
        let faults = FileKeeping.findings(facts, kind, path: path, user: user).filter(\.isFault)
        if let fault = faults.first { throw LocalFile.Refusal(reason: fault.reason) }
    }
}
