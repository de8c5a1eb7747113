@preconcurrency import Glibc

/// A folder of its own for one test, gone when the test is over.
final class Scratch {
    let path: String

    init() {
        var template = Array("/tmp/fsdns-config-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "no temporary folder")
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    deinit {
        guard let folder = opendir(path) else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            unlink("\(path)/\(name)")
        }
        rmdir(path)
    }

    @discardableResult
    func write(_ name: String, _ text: String, mode: mode_t = 0o600) -> String {
        write(name, Array(text.utf8), mode: mode)
    }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) -> String {
        let full = "\(path)/\(name)"
        guard let file = fopen(full, "w") else { preconditionFailure("cannot write \(full)") }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
        chmod(full, mode)
        return full
    }
}
