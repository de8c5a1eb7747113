import Consensus
import Primitives

// Which format of commands and state the cluster has agreed on, and who cannot read it.

extension Node {
    /// So long may a release keep the next format waiting before it is told: longer than an upgrade takes from one machine to
    /// the next.
    static let formatWaitTold: Duration = .seconds(300)

    // MARK: - Who cannot read it

    /// Of a command or state in the log here, committed or not; or of the agreed state.
    var writtenFormat: Int { max(state?.format ?? FormatVersion.oldest, formatInLog) }

    /// Whether a node may be told what is agreed: not while it says that it cannot read it.
    func mayTell(_ member: MemberID) -> Bool {
        let program = member == me.member ? release : neighbours.release(of: member)
        return writtenFormat <= program?.formats.upperBound ?? .max
    }

    /// Why this node cannot go on; nil while it can. What it has on its disk stays as it is.
    var formatFault: String? {
        guard let state, state.format > release.formats.upperBound else { return nil }
        return faultText(state.format)
    }

    /// The same by the word of others, where this node was out when it was agreed and is not told any more.
    func formatFault(byHearsayAt now: Instant) -> String? {
        guard release.formats.upperBound > FormatVersion.oldest, let state else { return nil }
        let ahead = neighbours.all.first { neighbour in
            now - neighbour.received < timing.deadAfter && neighbour.heartbeat.clusterID == state.clusterID
                && neighbour.heartbeat.agreedFormat > release.formats.upperBound
        }
        return ahead.map { faultText($0.heartbeat.agreedFormat) }
    }

    private func faultText(_ agreed: Int) -> String {
        "the cluster has agreed on format \(agreed), and this fsdns \(release.name) reads \(release.formats.upperBound) at "
            + "most; the state here is kept as it is. Install the release that the other nodes have (`fsdns status` there "
            + "shows it), then start again"
    }

    /// A decision of a later release is passed over here and nowhere else: each kind is told once.
    mutating func tellUnknown(_ command: ControlCommand) {
        guard let kind = command.unknownKind, !unknownTold.contains(kind), unknownTold.count < 16 else {
            return
        }
        unknownTold.append(kind)
        report(.trouble, name, Self.text(unknown: [kind]))
    }

    static func text(unknown kinds: [String]) -> String {
        let list = kinds.map { "“\($0)”" }.joined(separator: ", ")
        return
            "\(list) \(kinds.count == 1 ? "was" : "were") agreed on, which this release does not know: it changed nothing "
            + "here; install the release of the leader on this node"
    }

    // MARK: - What status says

    func formatWarnings(at now: Instant) -> [String] {
        guard let view = view(at: now) else { return [] }
        let state = view.state
        var warnings: [String] = []
        let outdated = neighbours.all.filter { neighbour in
            now - neighbour.received < Timers.outdatedTold
                && view.releaseRefusal(of: neighbour.holder, in: state) != nil
        }
        for neighbour in outdated where !state.isActive(neighbour.holder) {
            if let refusal = view.releaseRefusal(of: neighbour.holder, in: state) {
                warnings.append("\(neighbour.holder.name) is not taken in: \(refusal)")
            }
        }
        guard let wait = leadership?.format, !wait.isReady, now - wait.since >= Self.formatWaitTold,
            let obstacles = view.formatObstacles(state), !obstacles.isEmpty
        else { return warnings }
        warnings.append(
            "format \(state.format + 1) waits for \(obstacles.joined(separator: "; for ")): install fsdns \(release.name) "
                + "there; a node that is gone for good: fsdns forget NODE")
        return warnings
    }
}
