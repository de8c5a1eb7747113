import Cluster

/// What the node service that runs here says keeps this machine from taking an address with its calls. It has watched: that a
/// file was replaced under FreeSWITCH, for one, cannot be seen by looking once.
struct ReadinessCheck {
    /// Nil when no node service answers.
    var report: StatusReport?
    var node: String

    var findings: [Finding] {
        guard let found = report?.nodes.first(where: { $0.name == node }) else { return [] }
        let blockers = found.blockers ?? []
        if blockers.isEmpty {
            return found.ready == true
                ? [.fine("readiness", "\(node) stands ready, says the node service")] : []
        }
        return blockers.map {
            .notice("readiness", "the node service says: \($0)", fix: "see docs/operations.md, “READY”")
        }
    }
}
