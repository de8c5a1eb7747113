import Consensus
import Primitives

// How the next format of commands and state is agreed on, and who is not taken in because it cannot read the present one.

extension LeaderPass {
    /// One step at a time, and only as far as its own release reads.
    mutating func raiseFormat() {
        guard let obstacles = view.formatObstacles(scratch) else { return }
        let isReady = obstacles.isEmpty
        if view.leadership?.format?.isReady != isReady {
            view.leadership?.format = Leadership.FormatWait(isReady: isReady, since: now)
        }
        guard isReady, let since = view.leadership?.format?.since, now - since >= ClusterView.formatPatience
        else {
            return
        }
        propose(.raiseFormat(to: scratch.format + 1))
    }

    /// Sent each time the node asks, told once.
    mutating func refuseOldRelease(_ asked: Leadership.Asked<Admission>) -> Bool {
        let holder = asked.wish.holder
        guard let refusal = view.releaseRefusal(of: holder, in: scratch) else { return false }
        if asked.last == now { send(.refused(refusal), to: holder.member) }
        if view.leadership?.isNewlyOutdated(holder.name) ?? false {
            report(.trouble, holder.name, "\(holder.name) is not taken in: \(refusal)")
        }
        return true
    }
}

extension ClusterView {
    /// So long must every member have said that it reads the next format: a node that is only just restarted with its former
    /// release is heard again meanwhile.
    static let formatPatience: Duration = .seconds(10)

    /// Who keeps the next format from being agreed on and why, a part of a sentence each; nil where this release knows no
    /// newer one.
    func formatObstacles(_ state: ControlState) -> [String]? {
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
        for id in agreement.membership.members where !active.contains(id) {
            guard neighbours.isHeard(id, within: Timers.heardLately, at: now), let release = release(of: id),
                release.formats.upperBound < next
            else { continue }
            obstacles.append(tooOld(id.name, release))
        }
        return obstacles
    }

    private func tooOld(_ node: String, _ release: ReleaseInfo) -> String {
        "\(node), as \(release.text) reads format \(release.formats.upperBound) at most"
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

    /// What a node is told that would come back, or join, with a release that cannot read what is agreed; nil when it can.
    func releaseRefusal(of holder: Holder, in state: ControlState) -> String? {
        guard let other = release(of: holder), other.formats.upperBound < state.format else { return nil }
        return
            "the cluster has agreed on format \(state.format), and \(other.text) reads \(other.formats.upperBound) at "
            + "most: install fsdns \(release.name) or a later release on \(holder.name), then start it again"
    }
}
