import Consensus
import Primitives

// Which format of commands and state the cluster has agreed on, and who cannot read it.

extension Node {
    /// So long must every member have said that it reads the next format: a node that is only just restarted with its former
    /// release is heard again meanwhile.
    static let formatPatience: Duration = .seconds(10)
    /// So long may a release keep the next format waiting before it is told: longer than an upgrade takes from one machine to
    /// the next.
    static let formatWaitTold: Duration = .seconds(300)

    /// What is known of the program of a node in this very life; nil when that was not heard.
    func release(of holder: Holder) -> ReleaseInfo? {
        if holder == me { return release }
        return neighbours[holder].map { $0.heartbeat.release ?? .unannounced }
    }

    /// The same for whichever life of a member was heard last.
    private func release(of member: MemberID) -> ReleaseInfo? {
        if member == me.member { return release }
        return neighbours[member].map { $0.heartbeat.release ?? .unannounced }
    }

    // MARK: - Raising it

    /// Who keeps the next format from being agreed on and why, a part of a sentence each; nil where this release knows no
    /// newer one.
    func formatObstacles(_ state: ControlState, at now: Instant) -> [String]? {
        let next = state.format + 1
        guard next <= release.formats.upperBound else { return nil }
        var obstacles: [String] = []
        for member in state.members where member.isActive {
            guard let release = release(of: member.holder) else {
                obstacles.append("\(member.name), which was not heard yet")
                continue
            }
            if release.formats.upperBound < next { obstacles.append(tooOld(member.name, release)) }
        }
        // One that is out and back in a moment, with the release it had, must not find itself shut out.
        let active = state.members.filter(\.isActive).map(\.holder.member)
        for id in raft.membership.members where !active.contains(id) {
            guard neighbours.isHeard(id, within: .seconds(2), at: now), let release = release(of: id),
                release.formats.upperBound < next
            else { continue }
            obstacles.append(tooOld(id.name, release))
        }
        return obstacles
    }

    private func tooOld(_ node: String, _ release: ReleaseInfo) -> String {
        "\(node), as \(release.text) reads format \(release.formats.upperBound) at most"
    }

    /// Leader: one step at a time, and only as far as its own release reads.
    mutating func raiseFormat(_ scratch: inout ControlState, at now: Instant) {
        guard let obstacles = formatObstacles(scratch, at: now) else { return }
        let isReady = obstacles.isEmpty
        if leadership?.format?.isReady != isReady {
            leadership?.format = Leadership.FormatWait(isReady: isReady, since: now)
        }
        guard isReady, let since = leadership?.format?.since, now - since >= Self.formatPatience else {
            return
        }
        propose(.raiseFormat(to: scratch.format + 1), &scratch, at: now)
    }

    /// Why a command may not be proposed now; nil when it may. Raising the format is the one command that is newer than what
    /// is agreed, since it waits until every member reads it.
    func formatRefusal(of command: ControlCommand, in state: ControlState) -> String? {
        if case .raiseFormat(let next) = command, next <= release.formats.upperBound { return nil }
        guard command.format > state.format else { return nil }
        return
            "the cluster has agreed on format \(state.format), and this needs format \(command.format): bring the "
            + "release of \(name) onto every node (`fsdns status` shows which have another)"
    }

    // MARK: - Who cannot read it

    /// Of a command or state in the log here, committed or not; or of the agreed state.
    var writtenFormat: Int { max(state?.format ?? FormatVersion.oldest, formatInLog) }

    /// Whether a node may be told what is agreed: not while it says that it cannot read it.
    func mayTell(_ member: MemberID) -> Bool {
        writtenFormat <= release(of: member)?.formats.upperBound ?? .max
    }

    /// What a node is told that would come back, or join, with a release that cannot read what is agreed; nil when it can.
    func releaseRefusal(of holder: Holder, in state: ControlState) -> String? {
        guard let other = release(of: holder), other.formats.upperBound < state.format else { return nil }
        return
            "the cluster has agreed on format \(state.format), and \(other.text) reads \(other.formats.upperBound) at "
            + "most: install fsdns \(release.name) or a later release on \(holder.name), then start it again"
    }

    /// Leader: sent each time the node asks, told once.
    mutating func refuseOldRelease(
        _ asked: Leadership.Asked<Admission>, in scratch: ControlState, at now: Instant
    ) -> Bool {
        let holder = asked.wish.holder
        guard let refusal = releaseRefusal(of: holder, in: scratch) else { return false }
        if asked.last == now { effects.append(.send(.refused(refusal), to: holder.member)) }
        if leadership?.isNewlyOutdated(holder.name) ?? false {
            report(.trouble, holder.name, "\(holder.name) is not taken in: \(refusal)")
        }
        return true
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

    func formatWarnings(in state: ControlState, at now: Instant) -> [String] {
        var warnings: [String] = []
        let outdated = neighbours.all.filter { neighbour in
            now - neighbour.received < .seconds(10) && releaseRefusal(of: neighbour.holder, in: state) != nil
        }
        for neighbour in outdated where !state.isActive(neighbour.holder) {
            if let refusal = releaseRefusal(of: neighbour.holder, in: state) {
                warnings.append("\(neighbour.holder.name) is not taken in: \(refusal)")
            }
        }
        guard let wait = leadership?.format, !wait.isReady, now - wait.since >= Self.formatWaitTold,
            let obstacles = formatObstacles(state, at: now), !obstacles.isEmpty
        else { return warnings }
        warnings.append(
            "format \(state.format + 1) waits for \(obstacles.joined(separator: "; for ")): install fsdns \(release.name) "
                + "there; a node that is gone for good: fsdns forget NODE")
        return warnings
    }
}
