import Cluster
import EventSocket
import NIOCore
import Primitives
import Replication
import Switch

/// What a drain asks of this machine's switch: new calls refused, phones told to come by DNS again, calls ended.
///
/// Level-triggered: what the survey wants is compared with what the switch was seen to do, also after either of them
/// began anew.
final class DrainSharing {
    private static let retry: TimeAmount = .seconds(1)
    /// Between two looks at whether the switch refuses calls that nobody wants refused.
    private static let look: TimeAmount = .seconds(10)
    private static let hangupInterval: Duration = .seconds(3)
    /// The dialplan asks for it.
    private static let variable = "fsdns_drain"
    /// Set while calls of the switch's own are paused by us.
    static let mark = "fsdns_drain_outbound"

    private let link: SwitchLink
    private let log: EventLog
    private let loop: any EventLoop
    private let access: Access
    private var duty: DrainDuty?
    private var isUp = false
    /// What the switch said last; nil while that is not known.
    private var refuses: Bool?
    private var isAsking = false
    private var move: RegistrationMove?
    private var movedAddress: String?
    private var hungUpAt: Instant?
    private var timer: Scheduled<Void>?
    private var isStopped = false

    /// What the cluster file says, and what only others know.
    struct Access {
        var promptsPerSecond: Int
        var drainsOutbound: Bool
        /// Registrations at an address held here.
        var registrations: (String) -> [Registration]
        /// Calls on an address held here.
        var calls: (String) -> Int
        /// Whether a registration is at that address still.
        var isHere: (Registration, String) -> Bool
        /// Whether calls are being revived in the switch.
        var isReviving: () -> Bool
        /// What is reported changed.
        var changed: () -> Void
    }

    init(link: SwitchLink, log: EventLog, access: Access) {
        self.link = link
        self.log = log
        self.access = access
        loop = link.loop
    }

    var isRefusing: Bool { isUp && refuses == true && duty?.refusesCalls == true }
    var arePhonesTold: Bool {
        guard let duty, duty.movesRegistrations else { return false }
        return movedAddress == duty.address && move?.isDone == true
    }

    func surveyed(_ survey: Survey) {
        guard survey.duty != duty else { return }
        duty = survey.duty
        if duty?.movesRegistrations != true {
            if let move, let movedAddress {
                log.notice(
                    "drain", movedAddress,
                    "\(move.told) phones were told to register again; \(move.left + move.silent) come by themselves"
                )
            }
            move = nil
            movedAddress = nil
        }
        if duty?.hangsUp != true { hungUpAt = nil }
        tend()
    }

    func up() {
        isUp = true
        refuses = nil
        tend()
    }

    func down() {
        isUp = false
        refuses = nil
        isAsking = false
    }

    private func tend() {
        timer?.cancel()
        timer = nil
        guard isUp, !isStopped else { return }
        refuse()
        moveRegistrations()
        hangUp()
        let isWorking = duty != nil || refuses != false
        guard isWorking else {
            timer = loop.assumeIsolated().scheduleTask(in: Self.look) { [weak self] in
                self?.refuses = nil
                self?.tend()
            }
            return
        }
        let pace = move.map { $0.isDone ? Self.retry : .milliseconds(20) } ?? Self.retry
        timer = loop.assumeIsolated().scheduleTask(in: pace) { [weak self] in self?.tend() }
    }

    // MARK: - New calls

    private func refuse() {
        let wanted = duty?.refusesCalls ?? false
        guard !isAsking, refuses != wanted else { return }
        isAsking = true
        // Until it is through, the switch may do either.
        refuses = nil
        read(Self.variable) { [weak self] refuses in
            guard let self else { return }
            // Whatever was begun before, by this or an earlier life of ours, is brought to its end.
            if wanted {
                beginRefusing(refuses)
            } else if refuses {
                endRefusing()
            } else {
                refusal(is: false)
            }
        }
    }

    private func beginRefusing(_ isBegun: Bool) {
        write(Self.variable, true) { [weak self] in
            guard let self else { return }
            if !isBegun { log.notice("drain", "switch", "new calls are answered with 503") }
            guard access.drainsOutbound else { return refusal(is: true) }
            guard !access.isReviving() else {
                // The called legs of what is revived count as outbound: once they are back.
                isAsking = false
                if duty?.refusesCalls != true { refuse() }
                return
            }
            ask("fsctl pause_check outbound") { [weak self] answer in
                // Somebody else's pause is not ours to end later.
                if answer.hasPrefix("true") { self?.refusal(is: true) } else { self?.pause() }
            }
        }
    }

    private func pause() {
        write(Self.mark, true) { [weak self] in
            self?.ask("fsctl pause outbound") { [weak self] _ in self?.refusal(is: true) }
        }
    }

    /// What tells that there is something to end goes last.
    private func endRefusing() {
        let end = { [weak self] in
            guard let self else { return }
            write(Self.variable, false) { [weak self] in
                self?.log.notice("drain", "switch", "new calls are taken again")
                self?.refusal(is: false)
            }
        }
        read(Self.mark) { [weak self] isOurs in
            guard isOurs else { return end() }
            self?.ask("fsctl resume outbound") { [weak self] _ in self?.write(Self.mark, false, end) }
        }
    }

    /// A variable that is not set is an empty answer, which the event socket calls an error.
    private func read(_ variable: String, _ then: @escaping (Bool) -> Void) {
        ask("global_getvar \(variable)", mayBeEmpty: true) { then($0.hasPrefix("true")) }
    }

    private func write(_ variable: String, _ value: Bool, _ then: @escaping () -> Void) {
        ask("global_setvar \(variable)=\(value ? "true" : "")") { _ in then() }
    }

    /// A question without a good answer ends the attempt; the next begins within a second.
    private func ask(_ line: String, mayBeEmpty: Bool = false, _ then: @escaping (String) -> Void) {
        link.api(line) { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let answer) where mayBeEmpty || !answer.text.hasPrefix("-"):
                if isUp { return then(answer.text) }
            case .failure(.disconnected): break
            default:
                log.warning(
                    "drain", "switch", "cannot be told to refuse calls, or to take them again: \(result)")
            }
            isAsking = false
        }
    }

    private func refusal(is refuses: Bool) {
        isAsking = false
        self.refuses = refuses
        access.changed()
        if refuses != (duty?.refusesCalls ?? false) { refuse() }
    }

    // MARK: - Phones

    private func moveRegistrations() {
        guard let duty, duty.movesRegistrations else { return }
        let now = Instant.now()
        if movedAddress != duty.address {
            let registrations = access.registrations(duty.address)
            let move = RegistrationMove(registrations, perSecond: access.promptsPerSecond, at: now)
            log.notice(
                "drain", duty.address,
                "\(registrations.count) phones are registered; \(move.left) understand a word of ours")
            self.move = move
            movedAddress = duty.address
        }
        let events =
            move?.due(
                isBusy: duty.isReceiverUnwell, isStillHere: { access.isHere($0, duty.address) }, at: now)
            ?? []
        for event in events { link.command(.sendevent(event)) { _ in } }
        if move?.isDone == true { access.changed() }
    }

    // MARK: - The end of calls

    private func hangUp() {
        guard let duty, duty.hangsUp, access.calls(duty.address) > 0 else { return }
        let now = Instant.now()
        if let hungUpAt, now - hungUpAt < Self.hangupInterval { return }
        hungUpAt = now
        log.notice(
            "drain", duty.address, "\(access.calls(duty.address)) calls are hung up: the deadline is over")
        link.api("hupall NORMAL_CLEARING sofia_profile_name \(duty.address)") { _ in }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
    }
}
