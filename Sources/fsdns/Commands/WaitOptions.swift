import ArgumentParser

/// Whether a command stays until its work is done.
struct WaitOptions: ParsableArguments {
    /// Between two looks at the cluster.
    private static let interval = Duration.milliseconds(500)
    /// A node that is silent for longer while we wait is not coming back soon.
    private static let silencePatience = Duration.seconds(30)

    @Flag(help: "Stay until it is done, with a line for each change.")
    var wait = false

    @Option(
        parsing: .unconditional, help: "Longest --wait; the work itself goes on (exit code 4).",
        transform: OperatorDuration.parse)
    var timeout: OperatorDuration?

    mutating func validate() throws {
        if timeout != nil, !wait { throw ValidationError("--timeout belongs to --wait") }
        try OperatorDuration.check(
            timeout, of: "--timeout", otherwise: "leave out --wait to wait for nothing")
    }

    /// Polls until the move ended: returns when finished, throws when aborted or when time is over.
    func follow(_ watch: MoveWatch, client: ControlClient) throws(CommandFailure) {
        var watch = watch
        try follow(with: "fsdns status --watch") { elapsed throws(CommandFailure) in
            (watch.observe(try client.status(), at: elapsed), watch.outcome)
        }
    }

    /// Looks again and again until the work ended; nodes that are silent for a while are waited for.
    ///
    /// - Parameters:
    ///   - command: shows how far it is when the wait is over.
    ///   - look: what is worth saying now, and how it ended; `elapsed` counts from the start of the wait.
    func follow(
        with command: String,
        look: (_ elapsed: Duration) throws(CommandFailure) -> ([String], MoveWatch.Outcome?)
    ) throws(CommandFailure) {
        let clock = Stopwatch()
        var lastAnswer = Duration.zero
        while true {
            var outcome: MoveWatch.Outcome?
            do throws(CommandFailure) {
                let (lines, end) = try look(clock.elapsed)
                outcome = end
                lastAnswer = clock.elapsed
                for line in lines { Output.line("[\(Self.elapsed(clock.elapsed))] \(line)") }
            } catch {
                if clock.elapsed - lastAnswer > Self.silencePatience { throw error }
            }
            switch outcome {
            case .finished(let text):
                Output.line("[\(Self.elapsed(clock.elapsed))] \(text)")
                return
            case .aborted(let text): throw .refused([text])
            case nil: break
            }
            if let timeout, clock.elapsed >= timeout.duration {
                throw .waitEnded(
                    "not done after \(OperatorDuration.text(timeout.duration)); it goes on: \(command)")
            }
            Stopwatch.sleep(Self.interval)
        }
    }

    static func elapsed(_ duration: Duration) -> String {
        let tenths =
            duration.wholeSeconds * 10 + duration.components.attoseconds / 100_000_000_000_000_000
        return "\(tenths / 10).\(tenths % 10)s"
    }
}
