import Primitives

/// Registrations whose time ran out in the replica. A profile in standby does not look for them (sofia.c:
/// sofia_profile_worker_thread_run), and would name their contacts for ever.
package struct RegistrationEndings: Sendable {
    private static let limit = 100_000
    /// The holder keeps a registration that much longer, and looks for it only from time to time.
    private static let lateness: Duration = .seconds(90)
    private var waiting: [(due: Instant, profile: String, key: [UInt8])] = []
    private var head = 0

    package init() {}

    package var nextDeadline: Instant? { head < waiting.count ? waiting[head].due : nil }

    /// - Returns: false when there is no room.
    package mutating func add(_ key: [UInt8], of profile: String, at now: Instant) -> Bool {
        guard waiting.count - head < Self.limit else { return false }
        waiting.append((now + Self.lateness, profile, key))
        return true
    }

    package mutating func take(at now: Instant) -> (profile: String, key: [UInt8])? {
        guard head < waiting.count, waiting[head].due <= now else { return nil }
        defer {
            head += 1
            if head > 1024, head > waiting.count / 2 {
                waiting.removeFirst(head)
                head = 0
            }
        }
        return (waiting[head].profile, waiting[head].key)
    }
}
