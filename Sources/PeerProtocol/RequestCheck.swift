import Cluster
import Primitives

/// Keeps requests out whose numbers no arithmetic of ours could bear.
package enum RequestCheck {
    private static let longestDeadline: Duration = .seconds(366 * 86_400)

    /// Of a reason or a name, in bytes.
    private static let longestText = 1024

    /// - Throws: `.malformed("reason (has control characters)")` and its like for a text that is more than one plain
    ///   line, `.malformed("deadline")` for a drain that waits less than nothing or more than a year,
    ///   `.malformed("playbook …")` for one that no cluster could run.
    package static func plausible(_ request: OperatorRequest) throws(FrameFailure) -> OperatorRequest {
        if case .drain(let drain) = request {
            let bounds = Duration.zero...longestDeadline
            if let deadline = drain.deadline, !bounds.contains(deadline) { throw .malformed("deadline") }
            if let back = drain.returnAfter, !bounds.contains(back) { throw .malformed("return-after") }
        }
        if case .recoverQuorum(let lost, _, _) = request, lost.count > ClusterLimits.nodes {
            throw .malformed("lost (\(ClusterLimits.nodes) nodes are the limit)")
        }
        for (field, text) in texts(of: request) {
            if text.utf8.count > longestText { throw .malformed("\(field) (is too long)") }
            if !VisibleText.isPlain(text) { throw .malformed("\(field) (has control characters)") }
        }
        switch request {
        case .playbook(.run(let playbook, _, _, _)), .playbook(.schedule(let playbook, _)):
            if let reason = playbook.implausibility { throw .malformed("playbook (\(reason))") }
        default: break
        }
        return request
    }

    /// What people wrote and others will read in `status`, `history` and logs.
    private static func texts(of request: OperatorRequest) -> [(field: String, text: String)] {
        let who = request.who.map { [("name of who asks", $0)] } ?? []
        switch request {
        case .drain(let drain): return who + [("reason", drain.reason), ("target", drain.target)]
        case .undrain(let node, _), .forget(let node, _), .revoke(let node, _): return who + [("node", node)]
        case .recoverQuorum(let lost, _, _):
            return who + lost.prefix(ClusterLimits.nodes + 1).map { ("node", $0) }
        case .switchover(let seat, let to, _, _): return who + [("seat", seat), ("node", to ?? "")]
        case .playbook(.run(let playbook, _, _, _)), .playbook(.schedule(let playbook, _)):
            return who + [("name of the playbook", playbook.name), ("summary", playbook.summary)]
        case .playbook(.unschedule(let name, _)): return who + [("name of the playbook", name)]
        case .status, .abortDrain, .zone, .zoneApply, .vacate, .playbook, .unknown: return who
        }
    }
}
