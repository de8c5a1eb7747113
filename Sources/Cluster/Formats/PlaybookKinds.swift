import Calendar
import Primitives

// The kinds of commands about playbooks, as `CommandKinds.swift` has those of all others.

extension PlaybookCommand {
    enum Kind: String, CaseIterable {
        case schedule = "schedule"
        case unschedule = "unschedule"
        case consider = "consider"
        case start = "start"
        case begin = "begin"
        case assign = "assign"
        case drain = "drain"
        case rest = "rest"
        case undrain = "undrain"
        case move = "move"
        case lowerTTL = "lowerTTL"
        case outcome = "outcome"
        case approve = "approve"
        case abandon = "abandon"
        case beginUndo = "beginUndo"
        case finish = "finish"
    }

    /// The oldest format that has this command.
    var format: Int {
        switch self {
        case .schedule, .unschedule, .consider, .start, .begin, .assign, .drain, .rest, .undrain, .move,
            .lowerTTL, .outcome, .approve, .abandon, .beginUndo, .finish:
            1
        case .unknown: .max
        }
    }
}

extension PlaybookCommand: Codable {
    package init(from decoder: any Decoder) throws {
        let read = try KindReader<Kind>(decoder)
        switch read.kind {
        case .schedule:
            self = .schedule(try read(), who: try read("who"), considered: try read("considered"))
        case .unschedule: self = .unschedule(name: try read("name"), who: try read("who"))
        case .consider:
            self = .consider(
                schedule: try read("schedule"), through: try read("through"), reason: try read("reason"))
        case .start: self = .start(try read())
        case .begin: self = .begin(run: try read("run"), step: try read("step"))
        case .assign: self = .assign(try read(), try read("_1"))
        case .drain: self = .drain(try read(), try read("_1"))
        case .rest: self = .rest(try read(), try read("_1"), reason: try read("reason"))
        case .undrain: self = .undrain(try read())
        case .move: self = .move(try read(), try read("_1"))
        case .lowerTTL: self = .lowerTTL(try read())
        case .outcome: self = .outcome(try read(), try read("_1"))
        case .approve:
            self = .approve(run: try read("run"), step: try read("step"), who: try read("who"))
        case .abandon:
            self = .abandon(
                run: try read("run"), reason: try read("reason"), undoes: try read("undoes"))
        case .beginUndo: self = .beginUndo(run: try read("run"), step: try read("step"))
        case .finish: self = .finish(run: try read("run"))
        case nil: self = .unknown(read.name)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .schedule(let playbook, let who, let considered):
            var write = KindWriter(encoder, Kind.schedule.rawValue)
            try write(playbook)
            try write("who", who)
            try write("considered", considered)
        case .unschedule(let name, let who):
            var write = KindWriter(encoder, Kind.unschedule.rawValue)
            try write("name", name)
            try write("who", who)
        case .consider(let schedule, let through, let reason):
            var write = KindWriter(encoder, Kind.consider.rawValue)
            try write("schedule", schedule)
            try write("through", through)
            try write("reason", reason)
        case .start(let start):
            var write = KindWriter(encoder, Kind.start.rawValue)
            try write(start)
        case .approve(let run, let step, let who):
            var write = KindWriter(encoder, Kind.approve.rawValue)
            try write("run", run)
            try write("step", step)
            try write("who", who)
        case .abandon(let run, let reason, let undoes):
            var write = KindWriter(encoder, Kind.abandon.rawValue)
            try write("run", run)
            try write("reason", reason)
            try write("undoes", undoes)
        case .finish(let run):
            var write = KindWriter(encoder, Kind.finish.rawValue)
            try write("run", run)
        case .begin, .assign, .drain, .rest, .undrain, .move, .lowerTTL, .outcome, .beginUndo:
            try encodeStep(to: encoder)
        case .unknown(let kind): _ = KindWriter(encoder, kind)
        }
    }

    /// Those that are about one step of a run.
    private func encodeStep(to encoder: any Encoder) throws {
        func write(_ kind: Kind, _ id: StepID, _ second: (some Encodable)?, reason: String? = nil) throws {
            var write = KindWriter(encoder, kind.rawValue)
            try write(id)
            try write("_1", second)
            try write("reason", reason)
        }
        func write(_ kind: Kind, run: Epoch, step: Int) throws {
            var write = KindWriter(encoder, kind.rawValue)
            try write("run", run)
            try write("step", step)
        }
        let nothing: String? = nil
        switch self {
        case .begin(let run, let step): try write(.begin, run: run, step: step)
        case .beginUndo(let run, let step): try write(.beginUndo, run: run, step: step)
        case .assign(let id, let executor): try write(.assign, id, executor)
        case .drain(let id, let drain): try write(.drain, id, drain)
        case .rest(let id, let holder, let reason): try write(.rest, id, holder, reason: reason)
        case .undrain(let id): try write(.undrain, id, nothing)
        case .move(let id, let move): try write(.move, id, move)
        case .lowerTTL(let id): try write(.lowerTTL, id, nothing)
        case .outcome(let id, let outcome): try write(.outcome, id, outcome)
        case .schedule, .unschedule, .consider, .start, .approve, .abandon, .finish, .unknown: break
        }
    }
}
