@preconcurrency import Glibc

/// What this machine is asked beside the cluster: this program's path, other programs, ends of files.
enum Local {
    /// This program itself, also when it was started by a relative name.
    static var program: String {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &bytes, bytes.count - 1)
        if count <= 0 { return CommandLine.arguments[0] }
        return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The same file for a program that works in another directory.
    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&bytes, bytes.count) != nil else { return path }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) + "/"
            + path
    }

    /// The last lines of a log.
    static func tail(_ path: String, lines: Int = 8) -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        let size = lseek(descriptor, 0, SEEK_END)
        lseek(descriptor, max(0, size - 16_384), SEEK_SET)
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = max(0, read(descriptor, &bytes, bytes.count))
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return text.split(separator: "\n").suffix(lines).map(String.init)
    }

    /// A whole file, also one that the kernel writes; nil when it cannot be read, or is longer.
    static func text(_ path: String, limit: Int) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = read(descriptor, &chunk, chunk.count)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            guard count > 0 else { return nil }
            bytes += chunk[..<count]
        }
        return nil
    }

    /// Runs a program of this machine and returns what it printed; nil when it is missing or fails.
    static func output(_ command: String) -> String? {
        guard let pipe = popen(command + " 2>/dev/null", "re") else { return nil }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < 1 << 20 {
            let count = fread(&chunk, 1, chunk.count, pipe)
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return pclose(pipe) == 0 ? String(decoding: bytes, as: UTF8.self) : nil
    }
}
