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
/// - Parameter limit: the most bytes it may have.
/// - Throws: `SecretFailure` when the file is missing, empty, larger, no regular file, or open to anybody but its owner.
package func readSecret(path: String, limit: Int = 4096) throws(SecretFailure) -> [UInt8] {
    do throws(LocalFile.Refusal) {
        var bytes = try LocalFile.read(path, limit: limit) { facts throws(LocalFile.Refusal) in
            if facts.mode & 0o077 != 0 {
                let mode = String(facts.mode & 0o777, radix: 8)
                throw LocalFile.Refusal(
                    reason:
                        "is open to its group or to others (mode \(mode)); mend it with: chmod 600 \(path)")
            }
        }
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
package func readTrusted(path: String, limit: Int) throws(SecretFailure) -> [UInt8] {
    do throws(LocalFile.Refusal) {
        let bytes = try LocalFile.read(path, limit: limit) { facts throws(LocalFile.Refusal) in
            if facts.mode & 0o022 != 0 {
                throw LocalFile.Refusal(
                    reason: "may be written by its group or by others; mend it with: chmod go-w \(path)")
            }
        }
        if bytes.isEmpty { throw LocalFile.Refusal(reason: "is empty") }
        return bytes
    } catch {
        throw SecretFailure(path: path, reason: error.reason, kind: "file")
    }
}
