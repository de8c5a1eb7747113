import Limits
import Primitives

/// How often `limit hash` was run of late, for each key with a rate: no honest rate is above it.
struct LimitAttempts: Sendable {
    /// `limit` as it runs on a channel.
    struct Attempt: Hashable, Sendable {
        var key: LimitKey
        /// Seconds of its rate; nil for a total.
        var interval: Int64?
    }

    private struct Window: Sendable {
        var length: Duration
        var since: Instant
        var count: UInt32 = 0
        /// In the window before.
        var former: UInt32 = 0

        mutating func advance(to now: Instant) {
            guard now - since >= length else { return }
            former = now - since < length * 2 ? count : 0
            count = 0
            since = now
        }
    }

    private static let keyLimit = 16_384
    private var windows: [String: Window] = [:]

    mutating func note(_ attempt: Attempt, at now: Instant) {
        guard let interval = attempt.interval else { return }
        if windows[attempt.key.name] == nil {
            if windows.count >= Self.keyLimit {
                windows = windows.filter { now - $0.value.since < $0.value.length }
            }
            guard windows.count < Self.keyLimit else { return }
        }
        // mod_hash counts by the second, and begins its windows at other instants than we do.
        let length: Duration = .seconds(interval + 1)
        var window = windows[attempt.key.name] ?? Window(length: length, since: now)
        window.length = length
        window.advance(to: now)
        window.count = window.count &+ 1
        windows[attempt.key.name] = window
    }

    func allowances(at now: Instant) -> [String: LimitAllowance] {
        var allowances: [String: LimitAllowance] = [:]
        for (key, window) in windows {
            var window = window
            window.advance(to: now)
            let rate = window.count &+ window.former
            if rate > 0 { allowances[key] = LimitAllowance(rate: rate) }
        }
        return allowances
    }
}

extension LimitAttempts.Attempt {
    /// Nil when another application runs, or the key is none that is counted here.
    init?(_ event: ChannelEvent) {
        guard let data = event["Application-Data"] else { return nil }
        let words: String
        switch event["Application"] {
        case "limit", "limit_execute": words = data
        case "limit_hash", "limit_hash_execute": words = "hash \(data)"
        default: return nil
        }
        guard let key = LimitKey.taken(byLimit: words) else { return nil }
        self.init(key: key, interval: LimitKey.interval(ofLimit: words))
    }
}
