@preconcurrency import Glibc

/// How much is left of a disk.
package enum DiskRoom: Hashable, Sendable {
    case enough
    /// Less than `least` bytes.
    case little
    /// Less than `leastFiles` more files can be made.
    case fewFiles

    /// What a log of a busy machine writes in minutes.
    private static let least: UInt64 = 64 << 20
    private static let leastFiles: UInt64 = 64

    /// What cannot be found out counts as enough: writing tells.
    package init(of directory: String) {
        var facts = statvfs()
        guard statvfs(directory, &facts) == 0 else {
            self = .enough
            return
        }
        self.init(
            free: UInt64(facts.f_bavail).multipliedReportingOverflow(by: UInt64(facts.f_frsize)),
            files: facts.f_files == 0 ? nil : UInt64(facts.f_favail))
    }

    /// - Parameter files: nil where files are not counted.
    private init(free: (partialValue: UInt64, overflow: Bool), files: UInt64?) {
        if !free.overflow, free.partialValue < Self.least {
            self = .little
        } else {
            self = files.map { $0 < Self.leastFiles } ?? false ? .fewFiles : .enough
        }
    }

    package var trouble: String? {
        switch self {
        case .enough: nil
        case .little: "less than \(Self.least >> 20) MiB are left on the disk"
        case .fewFiles: "almost no more files can be made on the disk"
        }
    }
}
