import EventSocket
import Primitives

/// An address that is held here, and how far its calls were brought into the process of the switch that is here.
struct CallRecovery: Sendable {
    var placement: AddressPlacement
    var since: Instant
    /// Nil once its calls are revived, or there was nothing to revive.
    var run: RecoveryRun?
    /// Which of all runs it is: answers to an earlier one are none to this.
    var number = 0
    /// The run only tells peers that their calls were given up.
    var isTelling = false
    var isInspecting = false
    /// Since when the switch does not let itself be looked at, which the run waits for.
    var blindSince: Instant?
    /// The process that was brought to this address's calls last.
    var coreUUID: String?

    init(placement: AddressPlacement, since: Instant, coreUUID: String?) {
        self.placement = placement
        self.since = since
        self.coreUUID = coreUUID
    }
}

/// Questions to the switch of which a run's facts are made, one after the other.
struct Inspection: Hashable, Sendable {
    /// A drain's own pause, which may be about to begin, ends soon: so its mark is asked for, too.
    private static let commands = [
        SofiaProfile.command, LocalSwitch.pauseCheck, LocalSwitch.outboundPauseCheck,
        DrainControl.outboundMarkCheck,
    ]

    let address: String
    let coreUUID: String
    private var answers: [Result<APIResponse, RequestFailure>] = []

    init(of address: String, _ coreUUID: String) {
        self.address = address
        self.coreUUID = coreUUID
    }

    /// What to ask next; nil when all is answered.
    var command: String? { answers.count < Self.commands.count ? Self.commands[answers.count] : nil }

    mutating func add(_ answer: Result<APIResponse, RequestFailure>) { answers.append(answer) }

    /// - Throws: when an answer that matters is missing, or cannot be read.
    func facts(channels: Set<String>) throws(SwitchFailure) -> LocalSwitch {
        let isPaused = try LocalSwitch.isTrue(try body(1), of: LocalSwitch.pauseCheck)
        let makesNone = try LocalSwitch.isTrue(try body(2), of: LocalSwitch.outboundPauseCheck)
        let isDrained = (try? answers[3].get())?.text.hasPrefix("true") == true
        return LocalSwitch(
            coreUUID: coreUUID, profiles: try SofiaProfile.list(reading: try body(0)),
            isPaused: isPaused || makesNone || isDrained, channels: channels)
    }

    private func body(_ index: Int) throws(SwitchFailure) -> [UInt8] {
        switch answers[index] {
        case .success(let answer): return answer.body
        case .failure(let failure): throw .unreadable("answer", reason: failure.description)
        }
    }
}
