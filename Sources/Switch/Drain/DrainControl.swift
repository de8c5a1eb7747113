import EventSocket
import Primitives
import Replication

/// What a drain may look at on its machine, and cannot change.
package protocol DrainView {
    /// Registrations at an address held here.
    func registrations(at address: String) -> [Registration]
    /// Whether a registration is still at that address.
    func isRegistered(_ registration: Registration, at address: String) -> Bool
    /// Calls on an address held here.
    func callCount(on address: String) -> Int
    /// Whether calls are being revived in the switch.
    var isReviving: Bool { get }
}

/// What a drain does with this machine's switch: new calls are refused, phones are told to come by DNS again, calls are ended.
///
/// Level-triggered: the duty is compared with what the switch was seen to do, also after the switch or this node was restarted.
package struct DrainControl: Sendable {
    package struct Settings: Hashable, Sendable {
        /// Phones that are told to come again.
        package var promptsPerSecond: Int
        /// Whether the switch's own calls are paused, too.
        package var drainsOutbound: Bool
        /// Between two attempts.
        package var retryInterval: Duration = .seconds(1)
        /// Between two looks at whether phones are due.
        package var promptInterval: Duration = .milliseconds(20)
        /// Between two looks at whether the switch refuses calls that nobody wants refused.
        package var lookInterval: Duration = .seconds(10)
        /// Between two orders to hang up.
        package var hangUpInterval: Duration = .seconds(3)

        package init(promptsPerSecond: Int, drainsOutbound: Bool) {
            self.promptsPerSecond = promptsPerSecond
            self.drainsOutbound = drainsOutbound
        }
    }

    /// What the cluster wants of the switch.
    package struct Duty: Hashable, Sendable {
        package var address: String
        /// New calls get a 503.
        package var refusesCalls: Bool
        /// Phones are told to come by DNS again.
        package var movesRegistrations: Bool
        /// Calls are ended.
        package var hangsUp: Bool
        /// The switch that shall take the phones is not well.
        package var isReceiverUnwell: Bool

        package init(
            address: String, refusesCalls: Bool = false, movesRegistrations: Bool = false,
            hangsUp: Bool = false, isReceiverUnwell: Bool = false
        ) {
            self.address = address
            self.refusesCalls = refusesCalls
            self.movesRegistrations = movesRegistrations
            self.hangsUp = hangsUp
            self.isReceiverUnwell = isReceiverUnwell
        }
    }

    package enum Input: Hashable, Sendable {
        /// What is wanted from now on; nil wants nothing.
        case duty(Duty?)
        /// Commands may be given: to a process that may be another one.
        case up
        case down
        /// What the switch said to the question of that number.
        case answered(Int, Result<APIResponse, RequestFailure>)
        case tick
    }

    package enum Effect: Hashable, Sendable {
        /// An `api` command; answered by `.answered(number, …)`.
        case ask(number: Int, String)
        /// An `api` command whose answer does not matter.
        case command(String)
        /// An event for the switch, which tells one phone.
        case prompt(SwitchEvent)
        /// What is reported of the drain may have changed.
        case changed
        case notice(subject: String, String)
        case warning(String)
    }

    /// The dialplan asks for it.
    private static let variable = "fsdns_drain"
    /// Set while calls of the switch's own are paused by us.
    package static let outboundMark = "fsdns_drain_outbound"
    package static let outboundMarkCheck = "global_getvar \(outboundMark)"

    /// The question that is under way, and what it belongs to.
    private enum Question: Hashable {
        case whetherRefusing(wanted: Bool)
        case beginRefusing(isBegun: Bool)
        case whetherOutboundIsPaused
        case markOutbound
        case pauseOutbound
        case whetherOutboundIsOurs
        case resumeOutbound
        case unmarkOutbound
        case endRefusing

        var line: String {
            switch self {
            case .whetherRefusing: "global_getvar \(DrainControl.variable)"
            case .beginRefusing: "global_setvar \(DrainControl.variable)=true"
            case .whetherOutboundIsPaused: LocalSwitch.outboundPauseCheck
            case .markOutbound: "global_setvar \(DrainControl.outboundMark)=true"
            case .pauseOutbound: "fsctl pause outbound"
            case .whetherOutboundIsOurs: DrainControl.outboundMarkCheck
            case .resumeOutbound: "fsctl resume outbound"
            case .unmarkOutbound: "global_setvar \(DrainControl.outboundMark)="
            case .endRefusing: "global_setvar \(DrainControl.variable)="
            }
        }

        /// A variable that is not set is an empty answer, which the event socket calls an error.
        var mayBeEmpty: Bool {
            switch self {
            case .whetherRefusing, .whetherOutboundIsOurs: true
            default: false
            }
        }
    }

    private let settings: Settings
    private var duty: Duty?
    private var isUp = false
    /// What the switch said last; nil while that is not known.
    private var refuses: Bool?
    private var asking: (number: Int, question: Question)?
    private var number = 0
    private var move: RegistrationMove?
    private var movedAddress: String?
    private var hungUpAt: Instant?
    /// There was nothing to do when the deadline was set.
    private var isIdle = false
    /// When to look again.
    package private(set) var nextDeadline: Instant?

    package init(settings: Settings) { self.settings = settings }

    /// The switch refuses new calls, as is wanted.
    package var isRefusing: Bool { isUp && refuses == true && duty?.refusesCalls == true }
    /// Every phone that understands it was told to come again.
    package var arePhonesTold: Bool {
        guard let duty, duty.movesRegistrations else { return false }
        return movedAddress == duty.address && move?.isDone == true
    }

    package mutating func handle(
        _ input: Input, seeing view: some DrainView, at now: Instant
    ) -> [Effect] {
        var effects: [Effect] = []
        switch input {
        case .duty(let duty):
            if duty != self.duty { change(to: duty, view, at: now, &effects) }
        case .up:
            isUp = true
            refuses = nil
            tend(view, at: now, &effects)
        case .down:
            isUp = false
            refuses = nil
            asking = nil
            nextDeadline = nil
        case .answered(let number, let result):
            if let asking, asking.number == number {
                self.asking = nil
                answered(asking.question, result, view, &effects)
            }
        case .tick:
            if let nextDeadline, nextDeadline <= now {
                // What it does without a drain nobody tells: it is asked anew.
                if isIdle { refuses = nil }
                tend(view, at: now, &effects)
            }
        }
        return effects
    }

    private mutating func change(
        to duty: Duty?, _ view: some DrainView, at now: Instant, _ effects: inout [Effect]
    ) {
        self.duty = duty
        if duty?.movesRegistrations != true {
            if let move, let movedAddress {
                effects.append(
                    .notice(
                        subject: movedAddress,
                        "\(move.told) phones were told to register again; \(move.left + move.silent) come by themselves"
                    ))
            }
            move = nil
            movedAddress = nil
        }
        if duty?.hangsUp != true { hungUpAt = nil }
        tend(view, at: now, &effects)
    }

    private mutating func tend(_ view: some DrainView, at now: Instant, _ effects: inout [Effect]) {
        nextDeadline = nil
        guard isUp else { return }
        compareRefusal(&effects)
        moveRegistrations(view, at: now, &effects)
        hangUp(view, at: now, &effects)
        isIdle = duty == nil && refuses == false
        let isPrompting = move.map { !$0.isDone } ?? false
        let wait = isPrompting ? settings.promptInterval : settings.retryInterval
        nextDeadline = now + (isIdle ? settings.lookInterval : wait)
    }

    // MARK: - Phones

    private mutating func moveRegistrations(
        _ view: some DrainView, at now: Instant, _ effects: inout [Effect]
    ) {
        guard let duty, duty.movesRegistrations else { return }
        if movedAddress != duty.address {
            let registrations = view.registrations(at: duty.address)
            let move = RegistrationMove(registrations, perSecond: settings.promptsPerSecond, at: now)
            effects.append(
                .notice(
                    subject: duty.address,
                    "\(registrations.count) phones are registered; \(move.left) understand a word of ours"))
            self.move = move
            movedAddress = duty.address
        }
        let events =
            move?.due(
                isBusy: duty.isReceiverUnwell,
                isStillHere: { view.isRegistered($0, at: duty.address) }, at: now) ?? []
        effects += events.map { .prompt($0) }
        if move?.isDone == true { effects.append(.changed) }
    }

    // MARK: - The end of calls

    private mutating func hangUp(_ view: some DrainView, at now: Instant, _ effects: inout [Effect]) {
        guard let duty, duty.hangsUp else { return }
        let calls = view.callCount(on: duty.address)
        guard calls > 0 else { return }
        if let hungUpAt, now - hungUpAt < settings.hangUpInterval { return }
        hungUpAt = now
        effects.append(
            .notice(subject: duty.address, "\(calls) calls are hung up: the deadline is over"))
        effects.append(.command("hupall NORMAL_CLEARING sofia_profile_name \(duty.address)"))
    }
}

// MARK: - New calls

extension DrainControl {
    private mutating func ask(_ question: Question, _ effects: inout [Effect]) {
        number += 1
        asking = (number, question)
        effects.append(.ask(number: number, question.line))
    }

    private mutating func compareRefusal(_ effects: inout [Effect]) {
        let wanted = duty?.refusesCalls ?? false
        guard asking == nil, refuses != wanted else { return }
        // Until it is through, the switch may do either.
        refuses = nil
        ask(.whetherRefusing(wanted: wanted), &effects)
    }

    /// A question without a good answer ends the attempt; the next begins within a second.
    private mutating func answered(
        _ question: Question, _ result: Result<APIResponse, RequestFailure>, _ view: some DrainView,
        _ effects: inout [Effect]
    ) {
        switch result {
        case .success(let answer) where question.mayBeEmpty || !answer.text.hasPrefix("-"):
            go(on: question, answer.text.hasPrefix("true"), view, &effects)
        case .failure(.disconnected): break
        default:
            effects.append(
                .warning("cannot be told to refuse calls, or to take them again: \(result)"))
        }
    }

    /// The step after that question.
    ///
    /// - Parameter isTrue: the answer, where it was one of yes or no.
    private mutating func go(
        on question: Question, _ isTrue: Bool, _ view: some DrainView, _ effects: inout [Effect]
    ) {
        switch question {
        // Whatever was begun before, by this or an earlier life of ours, is brought to its end.
        case .whetherRefusing(wanted: true): ask(.beginRefusing(isBegun: isTrue), &effects)
        // What tells that there is something to end goes last.
        case .whetherRefusing(wanted: false) where isTrue: ask(.whetherOutboundIsOurs, &effects)
        case .whetherRefusing: refusal(is: false, &effects)
        case .beginRefusing(let isBegun):
            if !isBegun {
                effects.append(.notice(subject: "switch", "new calls are answered with 503"))
            }
            if !settings.drainsOutbound {
                refusal(is: true, &effects)
            } else if !view.isReviving {
                ask(.whetherOutboundIsPaused, &effects)
            } else if duty?.refusesCalls != true {
                compareRefusal(&effects)
            }
        // The called legs of what is revived count as outbound: once they are back, with the next attempt.
        case .whetherOutboundIsPaused where isTrue:
            // Somebody else's pause is not ours to end later.
            refusal(is: true, &effects)
        case .whetherOutboundIsPaused: ask(.markOutbound, &effects)
        case .markOutbound: ask(.pauseOutbound, &effects)
        case .pauseOutbound: refusal(is: true, &effects)
        case .whetherOutboundIsOurs: ask(isTrue ? .resumeOutbound : .endRefusing, &effects)
        case .resumeOutbound: ask(.unmarkOutbound, &effects)
        case .unmarkOutbound: ask(.endRefusing, &effects)
        case .endRefusing:
            effects.append(.notice(subject: "switch", "new calls are taken again"))
            refusal(is: false, &effects)
        }
    }

    private mutating func refusal(is refuses: Bool, _ effects: inout [Effect]) {
        self.refuses = refuses
        effects.append(.changed)
        compareRefusal(&effects)
    }
}
