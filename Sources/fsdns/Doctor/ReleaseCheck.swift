import Cluster

/// Whether this program, the node service here and the other nodes are of one release, and read what is agreed on.
struct ReleaseCheck {
    /// Nil when no node service answers.
    var report: StatusReport?
    /// Of this machine; nil where it has no place in the file.
    var node: String?
    var program = ReleaseInfo.current

    var findings: [Finding] {
        guard let report else { return [] }
        if let agreed = report.format, agreed > program.formats.upperBound {
            return [
                .wrong(
                    "release",
                    "the cluster has agreed on format \(agreed), and this fsdns \(program.name) reads "
                        + "\(program.formats.upperBound) at most: it does not start",
                    fix: "install the release of the other nodes: fsdns status")
            ]
        }
        let own = report.nodes.first { $0.name == node }?.release
        if let own, own != program.name {
            return [
                .notice(
                    "release", "this program is of release \(program.name), the node service here of \(own)",
                    fix: "systemctl restart fsdns, when it is this machine's turn (docs/upgrading.md)")
            ]
        }
        let others = report.nodes.filter { $0.newestFormat != nil && $0.release != program.name }
        guard let other = others.first else {
            return own == nil ? [] : [.fine("release", "every node that is heard has \(program.name)")]
        }
        return [
            .notice(
                "release",
                "\(other.name) has \(other.release.map { "release \($0)" } ?? "an earlier release"), this machine "
                    + "\(program.name)", fix: "go on with the upgrade (docs/upgrading.md)")
        ]
    }
}
