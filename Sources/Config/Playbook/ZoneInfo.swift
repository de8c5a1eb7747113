import Calendar
@preconcurrency import Glibc

/// The machine's time zone data: a folder of TZif files, one a zone, `Europe/Berlin`.
package struct ZoneInfo: Sendable {
    package struct Refusal: Error, Hashable, Sendable {
        /// The rest of a sentence that starts with the zone's name.
        package var reason: String
    }

    package static let systemFolder = "/usr/share/zoneinfo"
    /// Near names that are told; entries of folders that are looked at for them.
    private static let suggestionLimit = 3
    private static let entryLimit = 4096

    package var folder: String

    package init(folder: String) { self.folder = folder }

    /// The folder tzset(3) uses: `TZDIR`, else the system's.
    package static var system: ZoneInfo {
        let named = getenv("TZDIR").map { String(cString: $0) } ?? ""
        return ZoneInfo(folder: named.hasPrefix("/") ? named : systemFolder)
    }

    /// `UTC` is known on any machine.
    package func rules(of zone: String) throws(Refusal) -> TimeZoneRules {
        guard Self.isName(zone) else {
            throw Refusal(reason: "is no name of a time zone, like Europe/Berlin or UTC")
        }
        if zone == "UTC" || zone == "Etc/UTC" { return .utc }
        let path = LocalFile.join(folder, zone)
        var status = stat()
        if stat(path, &status) != 0 || status.st_mode & S_IFMT != S_IFREG { throw unknown(zone) }
        do {
            return try TimeZoneFile.rules(of: try LocalFile.read(path, limit: TimeZoneFile.byteLimit))
        } catch let refusal as LocalFile.Refusal {
            throw Refusal(reason: "cannot be used: \(path) \(refusal.reason)")
        } catch let refusal as TimeZoneFile.Refusal {
            throw Refusal(reason: "cannot be used: \(path) \(refusal.reason)")
        } catch {
            preconditionFailure("an error of no known kind: \(error)")
        }
    }

    /// Parts of letters, digits, `_`, `+` and `-`, so that no name leads out of the folder.
    private static func isName(_ zone: String) -> Bool {
        let parts = zone.split(separator: "/", omittingEmptySubsequences: false)
        return (1...64).contains(zone.utf8.count) && parts.count <= 3
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.utf8.allSatisfy {
                        (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                            || $0 == 95 || $0 == 43 || $0 == 45
                    }
            }
    }

    private func unknown(_ zone: String) -> Refusal {
        let names = zones
        if names.isEmpty {
            return Refusal(
                reason: "is unknown: there is no time zone data in \(folder); install the package tzdata")
        }
        let near = Self.near(zone, in: names)
        let hint = near.isEmpty ? "" : "; did you mean \(near.joined(separator: " or "))?"
        return Refusal(reason: "is an unknown time zone\(hint)")
    }

    /// Names that differ in case, are the end of a longer one, or are a slip of at most two letters; sorted.
    private static func near(_ zone: String, in names: [String]) -> [String] {
        let wanted = zone.lowercased()
        if let same = names.first(where: { $0.lowercased() == wanted }) { return [same] }
        let city = wanted.split(separator: "/").last.map(String.init) ?? wanted
        let rated = names.compactMap { name -> (rank: Int, name: String)? in
            let lower = name.lowercased()
            if lower.hasSuffix("/" + city) { return (1, name) }
            let distance = distance(Array(lower.utf8), Array(wanted.utf8))
            if distance <= 2, wanted.utf8.count > 3 { return (1 + distance, name) }
            let lastPart = lower.split(separator: "/").last.map(String.init) ?? lower
            let ofCity = Self.distance(Array(lastPart.utf8), Array(city.utf8))
            return ofCity <= 1 && city.utf8.count > 3 ? (4, name) : nil
        }
        return rated.sorted { ($0.rank, $0.name) < ($1.rank, $1.name) }.prefix(suggestionLimit).map(\.name)
    }

    /// Levenshtein's.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let changed = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(changed, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }

    /// Every zone of the folder, sorted; copies under other names (`posix/`, `right/`) left out.
    package var zones: [String] {
        var found: [String] = []
        var left = Self.entryLimit
        collect("", depth: 0, &left, &found)
        return found.sorted()
    }

    private func collect(_ prefix: String, depth: Int, _ left: inout Int, _ found: inout [String]) {
        guard depth < 3, let directory = opendir(LocalFile.join(folder, prefix)) else { return }
        defer { closedir(directory) }
        while left > 0, let entry = readdir(directory) {
            left -= 1
            let bytes = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            let name = String(decoding: bytes, as: UTF8.self)
            guard Self.isName(name), !["posix", "right"].contains(name) else { continue }
            let path = prefix.isEmpty ? name : "\(prefix)/\(name)"
            var status = stat()
            guard stat(LocalFile.join(folder, path), &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                collect(path, depth: depth + 1, &left, &found)
            } else if status.st_mode & S_IFMT == S_IFREG,
                name.utf8.first.map({ (65...90).contains($0) }) ?? false
            {
                found.append(path)
            }
        }
    }
}
