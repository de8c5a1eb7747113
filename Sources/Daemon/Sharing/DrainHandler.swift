import Cluster
import EventSocket
import Kernel
import NIOCore
import Primitives
import Replication
import Switch

/// Does what `DrainControl` asks for, and gives it answers and turns.
final class DrainHandler {
    /// What is on this machine, of which the control may see a part.
    struct View: DrainView {
        var calls: CallHandler
        var registrations: RegistrationHandler

        func registrations(at address: String) -> [Registration] {
            registrations.sync.registrations(at: address)
        }
        func isRegistered(_ registration: Registration, at address: String) -> Bool {
            registrations.sync.isHere(registration, at: address)
        }
        func callCount(on address: String) -> Int { calls.calls.callCount(on: address, of: calls.counts) }
        var isReviving: Bool { calls.isReviving }
    }

    private let link: SwitchLink
    private let log: EventLog
    private let view: View
    private var control: DrainControl
    private let timer: DeadlineTimer
    private var isStopped = false
    /// What is reported changed.
    var changed: (() -> Void)?

    init(settings: DrainControl.Settings, link: SwitchLink, log: EventLog, view: View) {
        control = DrainControl(settings: settings)
        self.link = link
        timer = DeadlineTimer(on: link.loop)
        self.log = log
        self.view = view
    }

    var isRefusing: Bool { control.isRefusing }
    var arePhonesTold: Bool { control.arePhonesTold }

    func surveyed(_ survey: Survey) { handle(.duty(survey.duty.map(DrainControl.Duty.init))) }
    func up() { handle(.up) }
    func down() { handle(.down) }

    private func handle(_ input: DrainControl.Input) {
        guard !isStopped else { return }
        let effects = control.handle(input, seeing: view, at: Instant.now())
        timer.wake(at: control.nextDeadline) { [weak self] in self?.handle(.tick) }
        for effect in effects { perform(effect) }
    }

    private func perform(_ effect: DrainControl.Effect) {
        switch effect {
        case .ask(let number, let line):
            link.api(line) { [weak self] in self?.handle(.answered(number, $0)) }
        case .command(let line): link.api(line) { _ in }
        case .prompt(let event): link.command(.sendevent(event)) { _ in }
        case .changed: changed?()
        case .notice(let subject, let text): log.notice("drain", subject, text)
        case .warning(let text): log.warning("drain", "switch", text)
        }
    }

    func stop() {
        isStopped = true
        timer.cancel()
    }
}

extension DrainControl.Duty {
    init(_ duty: DrainDuty) {
        self.init(
            address: duty.address, refusesCalls: duty.refusesCalls,
            movesRegistrations: duty.movesRegistrations, hangsUp: duty.hangsUp,
            isReceiverUnwell: duty.isReceiverUnwell)
    }
}
