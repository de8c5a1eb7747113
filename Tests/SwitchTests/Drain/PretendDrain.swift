import EventSocket
import Primitives
import Replication
import Switch

/// One machine of a drain: the value that decides, a switch that does what it is told, and the way between them.
struct PretendDrain {
    struct View: DrainView {
        var phones: [Registration] = []
        var calls = 0
        var isReviving = false

        func registrations(at address: String) -> [Registration] { phones }
        func isRegistered(_ registration: Registration, at address: String) -> Bool {
            phones.contains(registration)
        }
        func callCount(on address: String) -> Int { calls }
    }

    var control: DrainControl
    var view = View()
    var now = Instant.zero + .seconds(100)
    /// The switch's variables that are set.
    var variables: Set<String> = []
    var isOutboundPaused = false
    var isUp = false
    /// What the switch says to each question instead of carrying it out.
    var failure: Result<APIResponse, RequestFailure>?
    /// What was asked or ordered, in order.
    private(set) var lines: [String] = []
    private(set) var prompts: [SwitchEvent] = []
    private(set) var notices: [String] = []
    private(set) var warnings: [String] = []
    /// Questions the switch has not answered.
    private var questions: [(number: Int, line: String)] = []

    init(drainsOutbound: Bool = false, promptsPerSecond: Int = 10) {
        control = DrainControl(
            settings: .init(promptsPerSecond: promptsPerSecond, drainsOutbound: drainsOutbound))
    }

    var isDrained: Bool { variables.contains("fsdns_drain") }
    var isMarked: Bool { variables.contains("fsdns_drain_outbound") }

    mutating func want(_ duty: DrainControl.Duty?) { give(.duty(duty)) }

    mutating func connect() {
        isUp = true
        give(.up)
    }

    /// Of what was asked nobody knows whether it was done.
    mutating func disconnect() {
        for question in questions { give(.answered(question.number, .failure(.disconnected(.notice(""))))) }
        questions = []
        isUp = false
        give(.down)
    }

    /// Another process of the switch.
    mutating func restart() {
        disconnect()
        variables = []
        isOutboundPaused = false
        connect()
    }

    mutating func give(_ input: DrainControl.Input) {
        for effect in control.handle(input, seeing: view, at: now) {
            switch effect {
            case .ask(let number, let line):
                lines.append(line)
                questions.append((number, line))
            case .command(let line): lines.append(line)
            case .prompt(let event): prompts.append(event)
            case .changed: break
            case .notice(_, let text): notices.append(text)
            case .warning(let text): warnings.append(text)
            }
        }
    }

    /// Answers the oldest question.
    ///
    /// - Returns: whether there was one.
    mutating func answer() -> Bool {
        if questions.isEmpty { return false }
        let question = questions.removeFirst()
        give(.answered(question.number, failure ?? .success(APIResponse(carryOut(question.line)))))
        return true
    }

    mutating func settle() { while answer() {} }

    /// Lets time pass, with every question answered at once.
    mutating func pass(_ time: Duration) {
        let end = now + time
        settle()
        while let due = control.nextDeadline, due <= end {
            now = max(now, due)
            give(.tick)
            settle()
        }
        now = end
    }

    private mutating func carryOut(_ line: String) -> String {
        let words = line.split(separator: " ")
        switch (words[0], words[1]) {
        case ("global_getvar", let name):
            return variables.contains(String(name)) ? "true" : APIResponse.noReply
        case ("global_setvar", let setting):
            let parts = setting.split(separator: "=", omittingEmptySubsequences: false)
            if parts[1].isEmpty {
                variables.remove(String(parts[0]))
            } else {
                variables.insert(String(parts[0]))
            }
            return "+OK"
        case ("fsctl", "pause_check"): return isOutboundPaused ? "true" : "false"
        case ("fsctl", let verb):
            isOutboundPaused = verb == "pause"
            return "+OK"
        default: return "-ERR unknown\n"
        }
    }
}
