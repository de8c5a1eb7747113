import Primitives

// How long this node waits for what. What the cluster file sets, and what follows from it, are durations of `Timing`; what no
// file sets stands in `Timers`. Where a subject has durations of its own, they stand with it (`ZoneTurns`, `Debts`, `Doubt`).

extension Node {
    /// When `.tick` is wanted next; nil when nothing is wanted any more.
    var deadline: Instant? {
        if case .stopped = membershipPhase { return nil }
        // Everything that is looked at with each beat comes in time with the next.
        var deadline = nextBeat
        if state != nil, doubt == nil, let raftDeadline = raft.nextDeadline {
            deadline = min(deadline, raftDeadline)
        }
        if let leadership, let due = leadership.nextSilence { deadline = min(deadline, due) }
        return deadline
    }
}

extension Timing {
    /// Elections fit inside `dead-after`, so that a dead leader that is also a master costs no extra time.
    var electionTimeout: ClosedRange<Duration> { deadAfter * 6 / 10...deadAfter * 9 / 10 }

    /// A process that was not run for longer must not take its own absence for everybody else's.
    var absence: Duration { interval * 2 + .milliseconds(5) }

    /// An absence of so much is told.
    var absenceTold: Duration { deadAfter / 2 }

    /// A hold is renewed when it would last longer by so much, and looked at when it ends sooner after the next beat.
    var renewalStep: Duration { interval / 2 }

    /// How long a voter's word on whom it hears counts: where the leader itself is deaf, all words are old.
    var wordMemory: Duration { deadAfter / 2 }

    /// A spare that was not heard for so long is given nothing.
    var spareSilence: Duration { max(interval * 4, deadAfter / 2) }

    /// All nodes of a cluster that is started anew are there within so long.
    var startWindow: Duration { discovery * 2 }

    /// Between two repetitions of what a node says to the leader until it is heard.
    var reminder: Duration { max(.milliseconds(100), interval * 4) }

    /// Of a holder that wants to be rid of its addresses: without a repetition for so long it may be well again.
    var relinquishmentMemory: Duration { max(.milliseconds(500), interval * 12) }
}

enum Timers {
    // MARK: Who is there

    /// Longer than anybody could be unheard by mere chance: who is not heard any more is named to others for so long.
    static let heardLately: Duration = .seconds(2)
    /// A voice of another life or process that pauses for longer begins anew.
    static let voicePause: Duration = .milliseconds(500)
    /// Frames of a life that just ended may still be under way: another process with our name counts when it is heard for so long.
    static let duplicateNamePatience: Duration = .seconds(1)
    /// A leader says again and again who has our name by agreement; after so long without a word that may have changed.
    static let ownerMemory: Duration = .seconds(2)
    /// A node that names us by an older heartbeat says no more than that.
    static let longestAge: Duration = .seconds(60)
    /// What a node says over links for so long after it was heard last shows that it runs.
    static let lateWord: Duration = .seconds(1)

    // MARK: Leading

    /// A leader that has just begun, or a node that has just come back, needs so long until it is counted on.
    static let settling: Duration = .seconds(2)
    /// Who wants to be taken in repeats it while it does.
    static let admissionMemory: Duration = .seconds(2)
    /// How long an applicant is waited for before it is told what keeps it out.
    static let applicantPatience: Duration = .seconds(2)
    /// How long a holder that stops waits for a successor that was just started.
    static let successorPatience: Duration = .seconds(2)
    /// After `discovery` a switch that was well all the time is so long in coming: it is reached, and answers three times.
    static let switchPatience: Duration = .seconds(2)
    /// How long a leader lacks links that another has before that one leads.
    static let unlinkedPatience: Duration = .seconds(1)
    /// Between two tries of a leader that is unfit to let another lead.
    static let handoverPause: Duration = .seconds(10)
    /// The same of one that has read another cluster file.
    static let handoverPauseForFile: Duration = .seconds(5)
    /// The same of one that stops.
    static let handoverPauseOnLeaving: Duration = .milliseconds(300)
    /// Automatic takeovers are counted within so long.
    static let takeoverWindow: Duration = .seconds(3600)
    /// Between two reports that automatic takeover is withheld.
    static let withheldReminder: Duration = .seconds(60)

    // MARK: This node

    /// Trouble of the keeper that lasts longer is a reason to give addresses away.
    static let keeperPatience: Duration = .seconds(1)
    /// A node that was told to stop goes after so long, whatever it still holds.
    static let leavingDeadline: Duration = .seconds(5)

    // MARK: Operators

    /// A request that only wants to look is answered by this node itself when the leader says nothing for so long.
    static let lookPatience: Duration = .seconds(1)
    /// Nobody waits longer for an answer: one on its way may have been lost with its link.
    static let answerPatience: Duration = .seconds(8)
    /// What a node owes, and a name server lacks, is told when it lasts longer than a hiccup.
    static let troubleTold: Duration = .seconds(1)
    /// A node with a release that is too old is told of for so long after it was heard.
    static let outdatedTold: Duration = .seconds(10)

    // MARK: Drains

    /// TTLs are counted in whole seconds: a resolver may remember an answer for so much longer.
    static let ttlAllowance: Duration = .seconds(1)

    // MARK: Playbooks

    /// Without a reading of the calendar for so long nothing is due.
    static let calendarMemory: Duration = .seconds(10)
    /// How long an operator waits until the calendar says whether a window is open.
    static let calendarPatience: Duration = .seconds(6)
    /// A clock that is further behind than what was due already was set back.
    static let clockTolerance: Duration = .seconds(60)
    /// A look at a check whose answer never comes is not waited for any longer.
    static let checkPatience: Duration = .seconds(120)
    /// Between two looks at a check at least.
    static let checkPause: Duration = .milliseconds(100)

    /// How long what a node found about a check counts, which looks once an interval.
    static func checkMemory(every interval: Duration) -> Duration { max(.seconds(5), interval * 3) }
}
