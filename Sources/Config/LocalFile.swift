@preconcurrency import Glibc

/// Reads whole small files, and only regular ones: a pipe or a device could give bytes without end.
enum LocalFile {
    /// Why a file was not read, as the rest of a sentence that starts with its name.
    struct Refusal: Error {
        var reason: String
    }

    /// What is told about an opened file before its bytes are believed.
    struct Facts {
        /// Permission bits only.
        var mode: UInt32
        var size: Int
        /// A user's number.
        var owner: UInt32
        /// A group's number.
        var group: UInt32 = 0
    }

    /// - Parameters:
    ///   - limit: the most bytes the file may have.
    ///   - followsLinks: whether the last part of the path may be a symbolic link.
    ///   - check: looks at the opened file, so that what is checked is what is read.
    static func read(
        _ path: String, limit: Int, followsLinks: Bool = true,
        check: (Facts) throws(Refusal) -> Void = { _ throws(Refusal) in }
    ) throws(Refusal) -> [UInt8] {
        // Without O_NONBLOCK the opening of a pipe would wait for its writer.
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (followsLinks ? 0 : O_NOFOLLOW)
        let descriptor = open(path, flags)
        if descriptor < 0 { throw Refusal(reason: "cannot be read: \(message(of: errno))") }
        defer { close(descriptor) }
        var status = stat()
        if fstat(descriptor, &status) != 0 {
            throw Refusal(reason: "cannot be read: \(message(of: errno))")
        }
        if status.st_mode & S_IFMT != S_IFREG { throw Refusal(reason: "is not a regular file") }
        try check(facts(status))
        return try bytes(of: descriptor, limit: limit)
    }

    /// Of a directory itself, not of what a link leads to.
    static func facts(ofDirectory path: String) throws(Refusal) -> Facts {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            throw Refusal(reason: "cannot be read: \(message(of: errno))")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Refusal(reason: "is in no directory") }
        return facts(status)
    }

    /// Of what a path leads to; nil where it cannot be looked at.
    static func facts(of path: String) -> Facts? {
        var status = stat()
        return stat(path, &status) == 0 ? facts(status) : nil
    }

    private static func facts(_ status: stat) -> Facts {
        Facts(
            mode: status.st_mode & 0o7777, size: Int(status.st_size), owner: status.st_uid,
            group: status.st_gid)
    }

    private static func bytes(of descriptor: Int32, limit: Int) throws(Refusal) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while bytes.count <= limit {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count > 0 {
                bytes += chunk[..<count]
            } else if errno != EINTR {
                throw Refusal(reason: "cannot be read: \(message(of: errno))")
            }
        }
        throw Refusal(reason: "is larger than \(limit) bytes")
    }

    private static func message(of code: Int32) -> String {
        var text = [CChar](repeating: 0, count: 256)
        guard strerror_r(code, &text, text.count) == 0 else { return "error \(code)" }
        return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    /// The path made absolute against the working directory; links and `..` are left as they are.
    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard let directory = getcwd(&buffer, buffer.count) else { return path }
        return join(String(cString: directory), path)
    }

    /// `name` as seen from `directory`.
    static func join(_ directory: String, _ name: String) -> String {
        if name.hasPrefix("/") || directory.isEmpty { return name }
        return directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
    }

    /// The folder part of a path; empty when there is none.
    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
