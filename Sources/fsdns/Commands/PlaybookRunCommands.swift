import ArgumentParser
import Calendar
import Cluster
import Config
@preconcurrency import Glibc

struct PlaybookRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a playbook now.",
        discussion: """
            Refused outside its window unless --now is given, and while another one runs. With --wait the exit code is 0 \
            when every step was done, 1 when the run failed or was rolled back, and 4 when --timeout was over first. \
            End a run with: fsdns playbook cancel
            """)

    @OptionGroup var source: PlaybookSource
    @OptionGroup var control: ControlOptions
    @OptionGroup var waiting: WaitOptions

    @Flag(help: "Print the timeline and what stands against a run, and change nothing.")
    var dryRun = false

    @Flag(help: "Run outside the playbook's window too; then its end does not end the run.")
    var now = false

    mutating func validate() throws {
        if dryRun, waiting.wait { throw ValidationError("--dry-run changes nothing to --wait for") }
    }

    mutating func run() throws {
        let client = control.client
        let (file, settings) = try source.read(for: client)
        let request = PlaybookRequest.run(
            file.playbook, who: Operator.name, dryRun: dryRun, ignoresWindow: now)
        if dryRun {
            let text = PlaybookText(file: file, facts: .init(settings), zones: .system)
            Output.lines(text.lines(at: .now))
            guard case .plan = try client.ask(.playbook(request)) else {
                throw CommandFailure.noAnswer(client.strange)
            }
            Output.line("Nothing stands against a run now. Dry run: nothing was changed.")
            return
        }
        guard let id = try Answer.show(try client.ask(.playbook(request)), client: client) else { return }
        guard waiting.wait else {
            Output.line("How far it is: fsdns playbook list")
            return
        }
        var watch = RunWatch(id, name: file.playbook.name)
        try waiting.follow(with: "fsdns playbook list") { elapsed throws(CommandFailure) in
            (watch.observe(try client.playbooks(.list), at: elapsed), watch.outcome)
        }
    }
}

struct PlaybookScheduleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule", abstract: "Have the cluster run a playbook at the times it names.",
        discussion: """
            The cluster keeps what it was given: change the file and schedule it again, and the schedule of that name is \
            replaced. Take it off with: fsdns playbook cancel NAME
            """)

    @OptionGroup var source: PlaybookSource
    @OptionGroup var control: ControlOptions

    mutating func run() throws {
        let client = control.client
        let (file, settings) = try source.read(for: client)
        guard file.playbook.schedule != nil else {
            throw CommandFailure.invalid([
                "\(source.file): has no <schedule>; run it by hand with: fsdns playbook run \(source.file)"
            ])
        }
        let request = PlaybookRequest.schedule(file.playbook, who: Operator.name)
        _ = try Answer.show(try client.ask(.playbook(request)), client: client)
        let text = PlaybookText(file: file, facts: .init(settings), zones: .system)
        Output.lines(text.dueLines(at: .now))
    }
}

struct PlaybookCancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "End the run under way and undo it, or take a playbook off the schedule.",
        discussion: """
            Without NAME the run under way begins no more steps, and its done ones are undone, newest first. With NAME that \
            playbook is not due any more; a run of it that is under way goes on.
            """)

    @Argument(help: "Of the scheduled playbook, as `fsdns playbook list` shows it.")
    var name: String?

    @OptionGroup var control: ControlOptions
    @OptionGroup var waiting: WaitOptions

    mutating func validate() throws {
        if name != nil, waiting.wait {
            throw ValidationError("a schedule is taken off at once: leave out --wait")
        }
    }

    mutating func run() throws {
        let client = control.client
        let who = Operator.name
        if let name {
            let request = PlaybookRequest.unschedule(name: name, who: who)
            _ = try Answer.show(try client.ask(.playbook(request)), client: client)
            return
        }
        let run = waiting.wait ? try client.playbooks(.list).run : nil
        _ = try Answer.show(try client.ask(.playbook(.cancel(who: who))), client: client)
        guard let run else { return }
        var watch = RunWatch(run.id, name: run.name, isCancelled: true)
        try waiting.follow(with: "fsdns playbook list") { elapsed throws(CommandFailure) in
            (watch.observe(try client.playbooks(.list), at: elapsed), watch.outcome)
        }
    }
}

struct PlaybookApproveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Let the run go on that waits for somebody to say so.",
        discussion: "What it asks is shown by: fsdns playbook list")

    @OptionGroup var control: ControlOptions

    mutating func run() throws {
        let client = control.client
        let request = PlaybookRequest.approve(who: Operator.name)
        _ = try Answer.show(try client.ask(.playbook(request)), client: client)
    }
}

extension WallTime {
    /// This machine's clock.
    static var now: WallTime { WallTime(seconds: Int64(time(nil))) }
}
