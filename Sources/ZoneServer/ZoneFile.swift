import DNSMessages
@preconcurrency import Glibc

/// The zone's file: read at start, replaced as a whole after each update.
package struct ZoneFile: Hashable, Sendable {
    package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        case text(ZoneText.Failure)
        case zone(file: String, Zone.Failure)
        case system(file: String, operation: String, errno: Int32)
        /// Some record's text is not that of the record: the next start would not have it.
        case unreadable(file: String)

        package var description: String {
            switch self {
            case .text(let failure): "\(failure)"
            case .zone(let file, let failure): "\(file):1: \(failure)"
            case .system(let file, let operation, let errno):
                "\(file): \(operation): \(String(cString: strerror(errno)))"
            case .unreadable(let file): "\(file): a record cannot be written so that it is read again"
            }
        }
    }

    package let path: String

    package init(path: String) { self.path = path }

    /// Reads the zone; relative names in it need an `$ORIGIN` line.
    package func load() throws(Failure) -> Zone {
        let text = String(decoding: try readBytes(), as: UTF8.self)
        let records: [DNSRecord]
        do throws(ZoneText.Failure) {
            records = try ZoneText.parse(text, origin: .root, file: path)
        } catch { throw .text(error) }
        do throws(Zone.Failure) { return try Zone(records) } catch { throw .zone(file: path, error) }
    }

    private func readBytes() throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw system("open") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= ZoneText.sizeLimit {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw system("read") }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    /// Writes the zone beside the file, makes it durable, then puts it in the file's place.
    ///
    /// After a crash at any moment the file is the old zone or the new one. Comments are not kept.
    package func store(_ zone: Zone) throws(Failure) {
        guard let text = ZoneText.readable(zone.records) else { throw .unreadable(file: path) }
        let temporary = path + ".new"
        var known = stat()
        let isKnown = stat(path, &known) == 0
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw system("create \(temporary)") }
        do throws(Failure) {
            defer { close(descriptor) }
            // Whoever could read the file before can read it now, and nobody else; only root may give it to others.
            if isKnown { _ = fchown(descriptor, known.st_uid, known.st_gid) }
            guard fchmod(descriptor, isKnown ? known.st_mode & 0o666 : 0o644) == 0 else {
                throw system("set the mode of \(temporary)")
            }
            try write(Array(text.utf8), to: descriptor)
            guard fsync(descriptor) == 0 else { throw system("fsync") }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let failure = system("rename")
            unlink(temporary)
            throw failure
        }
        try syncDirectory()
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw system("write") }
            rest = rest.dropFirst(count)
        }
    }

    /// The new name itself must survive a crash.
    private func syncDirectory() throws(Failure) {
        let end = path.lastIndex(of: "/")
        let directory = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw system("open \(directory)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw system("fsync \(directory)") }
    }

    private func system(_ operation: String) -> Failure {
        .system(file: path, operation: operation, errno: errno)
    }
}
