@preconcurrency import Glibc

/// Who may write or read the files that say what a node does: whoever may write them is as good as the node.
///
/// One set of rules for all of them, so that a start, `config check` and `doctor` say the same.
package enum FileKeeping {
    package enum Kind: Hashable, Sendable {
        /// Keys and passwords.
        case secret
        /// No secret, but it says whom this machine believes.
        case trusted
        /// The cluster file and what it includes.
        case configuration
    }

    package struct Finding: Hashable, Sendable {
        /// Whether a node refuses the file; otherwise it says so and goes on.
        package var isFault: Bool
        /// The rest of a sentence that starts with the file's name.
        package var reason: String
    }

    /// What is to be said of the file as it lies there and of its folder; nothing of one that cannot be looked at.
    ///
    /// - Parameter user: the number of the user who runs the service.
    package static func findings(_ path: String, _ kind: Kind, user: UInt32 = geteuid()) -> [Finding] {
        guard let facts = LocalFile.facts(of: path) else { return [] }
        var folder = LocalFile.directory(of: path)
        if folder.isEmpty { folder = "." }
        return findings(facts, kind, path: path, user: user)
            + (LocalFile.facts(of: folder).map { folderFindings($0, folder, user: user) } ?? [])
    }

    /// Of a file that is open, so that what is judged is what is read.
    static func findings(
        _ facts: LocalFile.Facts, _ kind: Kind, path: String, user: UInt32
    ) -> [Finding] {
        var findings: [Finding] = []
        let mode = "(mode \(String(facts.mode & 0o777, radix: 8)))"
        switch kind {
        case .secret:
            if facts.mode & 0o077 != 0 {
                findings.append(
                    .init(
                        isFault: true,
                        reason: "is open to its group or to others \(mode); mend it with: chmod 600 \(path)"))
            }
        case .trusted:
            if facts.mode & 0o022 != 0 {
                findings.append(
                    .init(
                        isFault: true,
                        reason: "may be written by its group or by others; mend it with: chmod go-w \(path)"))
            }
        case .configuration:
            if facts.mode & 0o002 != 0 {
                findings.append(
                    .init(
                        isFault: true,
                        reason: "may be written by everybody \(mode); mend it with: chmod go-w \(path)"))
            } else if isForeignGroup(facts) {
                findings.append(
                    .init(
                        isFault: false,
                        reason:
                            "may be written by its group, gid \(facts.group) \(mode), which so decides what the "
                            + "cluster does: chmod g-w \(path), unless that is meant"))
            }
        }
        if !isOwn(facts, user) {
            findings.append(
                .init(
                    isFault: kind == .secret,
                    reason: "belongs to uid \(facts.owner), which is neither root nor who runs the service "
                        + "(uid \(user)); mend it with: chown \(user) \(path)"))
        }
        return findings
    }

    /// Whoever may write the folder may put another file in its place, unless it is sticky, like /tmp.
    private static func folderFindings(_ facts: LocalFile.Facts, _ folder: String, user: UInt32) -> [Finding]
    {
        var reason: String?
        if facts.mode & 0o1000 == 0, facts.mode & 0o002 != 0 {
            reason = "may be written by everybody: chmod go-w \(folder)"
        } else if facts.mode & 0o1000 == 0, isForeignGroup(facts) {
            reason = "may be written by its group, gid \(facts.group): chmod g-w \(folder)"
        } else if !isOwn(facts, user) {
            reason = "belongs to uid \(facts.owner): chown root \(folder)"
        }
        return reason.map {
            [.init(isFault: false, reason: "could be replaced by others, as its folder \($0)")]
        } ?? []
    }

    private static func isOwn(_ facts: LocalFile.Facts, _ user: UInt32) -> Bool {
        facts.owner == 0 || facts.owner == user
    }

    /// Root's group has nobody in it, nor has one that was made for its owner alone: that has his number. Names are not
    /// looked up, as whoever answers for them may be slow.
    private static func isForeignGroup(_ facts: LocalFile.Facts) -> Bool {
        facts.mode & 0o020 != 0 && facts.group != 0 && facts.group != facts.owner
    }
}
