/// Why a secret was not read; the text says how to mend it and never shows the secret.
package struct SecretFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package var path: String
    package var reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    package var description: String { "secret file \(path) \(reason)" }
}

/// Reads a key or a password from its file. Secrets are text: line ends at the end are not part of them.
///
/// - Throws: `SecretFailure` when the file is missing, empty, larger than 4 KiB, no regular file, or
///   open to anybody but its owner.
package func readSecret(path: String) throws(SecretFailure) -> [UInt8] {
    do throws(LocalFile.Refusal) {
        var bytes = try LocalFile.read(path, limit: 4096) { facts throws(LocalFile.Refusal) in
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
