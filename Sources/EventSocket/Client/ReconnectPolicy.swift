/// How long to wait before the next attempt to connect: doubling, with a jitter that keeps nodes from coming together.
package struct ReconnectPolicy: Hashable, Sendable {
    /// Before the first attempt after a loss.
    package var first: Duration
    package var maximum: Duration
    /// The least wait after a refusal that will not change by itself soon: password, address, subscription.
    package var afterRefusal: Duration

    package init(
        first: Duration = .milliseconds(50), maximum: Duration = .seconds(5),
        afterRefusal: Duration = .seconds(15)
    ) {
        self.first = first
        self.maximum = maximum
        self.afterRefusal = afterRefusal
    }

    /// The wait before attempt number `attempt` (0 is the first after a connection that had been ready). Between half of the step and
    /// all of it, by `jitter`, any number from the caller's generator.
    package func delay(attempt: Int, after reason: DisconnectReason, jitter: UInt64) -> Duration {
        var step = min(maximum, first * (1 << min(max(attempt, 0), 20)))
        switch reason {
        case .passwordRefused, .addressRefused, .subscriptionRefused: step = max(step, afterRefusal)
        case .lostEvents, .shutdown, .notice, .closed, .unreadable, .differentProcesses, .unexpected,
            .requested:
            break
        }
        let half = step / 2
        return half + half * Int(jitter % 1024) / 1024
    }
}
