import Cluster

/// Keeps requests out whose numbers no arithmetic of ours could bear.
package enum RequestCheck {
    private static let longestDeadline: Duration = .seconds(366 * 86_400)

    /// - Throws: `.malformed("deadline")` for a drain that waits less than nothing or more than a year,
    ///   `.malformed("playbook …")` for one that no cluster could run.
    package static func plausible(_ request: OperatorRequest) throws(FrameFailure) -> OperatorRequest {
        if case .drain(let drain) = request, let deadline = drain.deadline,
            deadline < .zero || deadline > longestDeadline
        {
            throw .malformed("deadline")
        }
        switch request {
        case .playbook(.run(let playbook, _, _, _)), .playbook(.schedule(let playbook, _)):
            if let reason = playbook.implausibility { throw .malformed("playbook (\(reason))") }
        default: break
        }
        return request
    }
}
