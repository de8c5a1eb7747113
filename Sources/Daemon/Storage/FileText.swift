@preconcurrency import Glibc

/// Small files, read whole, and replaced or prolonged.
enum FileText {
    static func read(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < limit {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count <= 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    /// All of it or nothing: half of what a full disk took is cut off again.
    ///
    /// - Returns: why it could not be done.
    static func append(_ path: String, _ bytes: [UInt8]) -> String? {
        put(bytes, open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600))
    }

    private static func put(_ bytes: [UInt8], _ descriptor: Int32) -> String? {
        guard descriptor >= 0 else { return errorText(errno) }
        defer { close(descriptor) }
        let before = lseek(descriptor, 0, SEEK_END)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                let why = errorText(errno)
                if before >= 0 { _ = ftruncate(descriptor, before) }
                return why
            }
            written += count
        }
        return nil
    }

    /// Never half a file: written beside it, then renamed.
    ///
    /// - Returns: why it could not be done.
    static func replace(_ path: String, with bytes: [UInt8]) -> String? {
        let fresh = path + ".new"
        if let reason = put(bytes, open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)) {
            return reason
        }
        return rename(fresh, path) == 0 ? nil : errorText(errno)
    }

    /// Names in a directory; none where it cannot be read.
    static func entries(of path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while names.count < 10_000, let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
