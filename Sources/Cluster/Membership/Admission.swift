import Primitives

// Who is taken in.

extension LeaderPass {
    /// A node whose peer links work and whose heartbeats do not would otherwise wait without a word.
    private mutating func tellIfUnheard(_ asked: Leadership.Asked<Admission>) {
        let holder = asked.wish.holder
        if holder == view.me || view.neighbours.isHeard(holder, within: view.timing.deadAfter, at: now) {
            view.leadership?.isHeardAgain(holder)
        } else if asked.last - asked.first > Timers.applicantPatience,
            view.leadership?.isNewlyUnheard(holder) ?? false
        {
            report(.trouble, holder.name, Self.unheardText(holder.name))
        }
    }

    static func unheardText(_ node: String) -> String {
        "\(node) asks to join, but its heartbeats do not arrive, or ours do not reach it: see whether UDP passes both "
            + "ways on the rings"
    }

    mutating func admit() {
        for asked in view.leadership?.admissions ?? [] {
            tellIfUnheard(asked)
            if refuseOldRelease(asked) { continue }
            let admission = asked.wish
            let holder = admission.holder
            guard let known = scratch.member(holder.name) else {
                admitIfCaughtUp(admission)
                continue
            }
            if known.holder == holder, known.isActive { continue }
            if known.isActive {
                // The old self is fenced first, by silence or because it was reborn; a namesake that goes on
                // living keeps the name.
                if known.holder.member != holder.member, asked.last - asked.first > Timers.applicantPatience,
                    view.neighbours.isHeard(known.holder.member, within: view.timing.deadAfter, at: now)
                {
                    send(
                        .refused("another node named \(holder.name) is alive; give this one another name"),
                        to: holder.member)
                }
                continue
            }
            admitIfCaughtUp(admission)
        }
    }

    /// Only who is heard now, in exactly this life: another would be fenced for its silence at once, and come again.
    private mutating func admitIfCaughtUp(_ admission: Admission) {
        let member = admission.holder.member
        guard
            admission.holder == view.me
                || view.neighbours.isHeard(admission.holder, within: view.timing.deadAfter, at: now)
        else { return }
        guard view.leadership?.mayReturn(member.name, at: now) ?? false else { return }
        guard view.agreement.membership.contains(member) else { return }
        guard
            member == view.me.member
                || (view.agreement.matchIndex(of: member) ?? 0) + 16 >= view.agreement.commitIndex
        else { return }
        propose(.admit(admission))
    }
}
