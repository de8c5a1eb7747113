import Calendar
import Cluster

/// Pretends the programs a node runs for a playbook; what one does is in its name.
struct PretendCommands: Hashable, Sendable {
    struct Running: Hashable, Sendable {
        var id: StepID
        var life: Int
    }
    private(set) var running: [Running] = []

    mutating func begin(_ id: StepID, life: Int) { running.append(Running(id: id, life: life)) }

    /// Whether it still ran: what was stopped or died with its service ends no second time.
    mutating func end(_ id: StepID, life: Int) -> Bool {
        guard let at = running.firstIndex(where: { $0.id == id && $0.life == life }) else { return false }
        running.remove(at: at)
        return true
    }

    mutating func forget(besides life: Int) { running.removeAll { $0.life != life } }

    /// How a program ends, and after how many nanoseconds.
    enum Fate: Hashable, Sendable {
        case ends(CommandResult, after: Int64)
        /// The service that runs it dies in the middle.
        case kills(after: Int64)
    }

    static func fate(of order: CommandOrder) -> Fate {
        switch order.program {
        case "/bin/false": return .ends(CommandResult(.exited(1), output: "no\n"), after: 20 * millisecond)
        case "/bin/hang": return .ends(CommandResult(.timedOut), after: order.timeout.nanoseconds)
        case "/bin/kill": return .kills(after: 30 * millisecond)
        case "/bin/sleep":
            let wanted = (order.arguments.first.flatMap(Int64.init) ?? 1) * millisecond
            if wanted > order.timeout.nanoseconds {
                return .ends(CommandResult(.timedOut), after: order.timeout.nanoseconds)
            }
            return .ends(CommandResult(.exited(0), output: "slept\n"), after: wanted)
        default: return .ends(CommandResult(.exited(0), output: "yes\n"), after: 5 * millisecond)
        }
    }
}

/// The wall clocks of a world's machines, and what people planned by them.
struct PretendCalendar: Sendable {
    /// What all clocks show when the world begins: a Tuesday in 2026, some seconds before 02:00 UTC.
    static let dawn = WallTime(seconds: 1_795_485_570)
    /// Nobody looks at a calendar before somebody uses one, so that worlds without playbooks stay as they are.
    var isUsed = false
    /// Nothing is due any more.
    var isOver = false
    /// How wrong the clock of each machine is, in seconds.
    var errors: [Int64] = []

    func wall(_ machine: Int, at moment: Moment) -> WallTime {
        WallTime(seconds: Self.dawn.seconds + moment.nanoseconds / 1_000_000_000 + errors[machine])
    }
}

extension World {
    // MARK: - Programs

    mutating func runCommand(
        _ id: StepID, _ order: CommandOrder, _ context: PlaybookContext, on machine: Int, life: Int
    ) {
        let name = machines[machine].name
        trace.add(
            now, name, "runs \(order.title): step \(context.step)\(context.isUndoing ? ", undoing" : "")")
        judge.executed(context, by: name, now)
        machines[machine].commands.forget(besides: life)
        machines[machine].commands.begin(id, life: life)
        switch PretendCommands.fate(of: order) {
        case .ends(let result, let nanoseconds):
            agenda.add(
                .commandEnds(id, result, machine: machine, life: life),
                at: now.after(nanoseconds: nanoseconds))
        case .kills(let nanoseconds):
            agenda.add(.serviceDies(machine: machine, life: life), at: now.after(nanoseconds: nanoseconds))
        }
    }

    mutating func stopCommand(_ id: StepID, on machine: Int, life: Int) {
        let end = now.after(nanoseconds: 10 * millisecond)
        agenda.add(.commandEnds(id, CommandResult(.stopped), machine: machine, life: life), at: end)
    }

    mutating func endCommand(_ id: StepID, _ result: CommandResult, of machine: Int, life: Int) {
        guard machines[machine].service?.life == life, machines[machine].commands.end(id, life: life) else {
            return
        }
        trace.add(now, machines[machine].name, "a program ends: \(result.end)")
        deliver(.commandEnded(id, result), to: machine, life: life)
    }

    mutating func look(_ id: StepID, _ check: PlaybookCheck, of machine: Int, life: Int) {
        let holds = checksHold && !(isStormy && chance.playbooks.happens(perMille: 300))
        let result = CheckResult(holds: holds, text: holds ? "as wanted" : "not as wanted")
        agenda.add(
            .event(.checked(id, result), machine: machine, life: life),
            at: now.after(nanoseconds: 5 * millisecond))
    }

    mutating func notify(_ id: StepID, _ url: String, _ context: PlaybookContext, of machine: Int, life: Int)
    {
        trace.add(now, machines[machine].name, "posts to \(url): step \(context.step)")
        judge.executed(context, by: machines[machine].name, now)
        let failure = isStormy && chance.playbooks.happens(perMille: 300) ? "no answer" : nil
        agenda.add(
            .event(.notified(id, failure: failure), machine: machine, life: life),
            at: now.after(nanoseconds: 5 * millisecond))
    }

    /// A life tells every entry once and in order; only what it begins with may be later than the first.
    mutating func audited(_ entries: [AuditEntry], by machine: Int) {
        let told = machines[machine].service?.audited ?? 0
        let numbers = entries.map(\.number)
        let first = told == 0 ? numbers.first ?? 0 : told + 1
        if numbers.isEmpty || zip(numbers, first...).contains(where: { $0 != $1 }) {
            judge.object(now, .audit, "\(machines[machine].name) tells \(numbers) after \(told)")
        }
        machines[machine].service?.audited = numbers.last ?? told
    }

    // MARK: - Calendars

    mutating func useCalendar() {
        guard !calendar.isUsed else { return }
        calendar.isUsed = true
        for machine in machines.indices { agenda.add(.calendarTurns(machine: machine), at: now) }
    }

    mutating func watchCalendar(_ questions: [CalendarQuestion], of machine: Int) {
        machines[machine].service?.questions = questions
        if calendar.isUsed {
            agenda.add(.calendarRead(machine: machine), at: now.after(nanoseconds: millisecond))
        }
    }

    mutating func turnCalendar(_ machine: Int) {
        agenda.add(.calendarTurns(machine: machine), at: now.after(nanoseconds: 1000 * millisecond))
        readCalendar(machine)
    }

    mutating func readCalendar(_ machine: Int) {
        guard let service = machines[machine].service else { return }
        let wall = calendar.wall(machine, at: now)
        let isOver = calendar.isOver
        let answers = service.questions.map { question in
            var answer = question.answer(now: wall, rules: .utc, windowRules: .utc)
            if isOver { answer.dues = [] }
            return answer
        }
        deliver(
            .calendar(CalendarReading(now: wall, answers: answers)), to: machine, life: service.life)
    }

    mutating func setClock(_ machine: Int, error seconds: Int64) {
        calendar.errors[machine] = seconds
        trace.add(now, machines[machine].name, "its wall clock shows \(calendar.wall(machine, at: now).text)")
    }
}
