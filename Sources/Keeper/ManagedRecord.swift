@preconcurrency import Glibc
import KeeperProtocol

/// The addresses that a keeper manages, in a file: what a keeper that was killed can no longer remove, somebody else
/// finds there. One address with its prefix length a line.
enum ManagedRecord {
    /// Bytes; 256 of the longest addresses are well below.
    private static let limit = 32_768

    static func write(_ addresses: [KeeperAddress], to path: String) throws(SystemFailure) {
        let text = addresses.map { "\($0)\n" }.joined()
        let fresh = path + ".new"
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemFailure("open \(fresh)") }
        let bytes = Array(text.utf8)
        let count = Glibc.write(descriptor, bytes, bytes.count)
        let failure = SystemFailure("write \(fresh)")
        close(descriptor)
        guard count == bytes.count else { throw failure }
        guard rename(fresh, path) == 0 else { throw SystemFailure("rename \(fresh)") }
    }

    /// Nothing when there is no such file: no keeper was configured. Lines that name no address are passed over.
    static func read(_ path: String) throws(SystemFailure) -> [KeeperAddress] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return [] }
            throw SystemFailure("open \(path)")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var length = 0
        while length < bytes.count {
            let room = bytes.count - length
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress.map { $0 + length }, room)
            }
            if count < 0 { throw SystemFailure("read \(path)") }
            if count == 0 { break }
            length += count
        }
        let lines = bytes[..<length].split(separator: UInt8(ascii: "\n"))
        return lines.prefix(KeeperLimits.managedAddresses).compactMap { line in
            KeeperAddress(String(decoding: line, as: UTF8.self))
        }
    }
}
