import Primitives

/// Checks the password of every client, and makes each wrong one wait longer for its answer.
///
/// One value for all connections, so that connecting anew gains nothing.
package struct PasswordGuard: Sendable {
    package static let firstDelay: Duration = .milliseconds(50)
    package static let longestDelay: Duration = .seconds(3)
    /// A wrong password is forgiven after so long without another.
    package static let forgiveness: Duration = .seconds(10)
    /// Wrong passwords on one connection, after which it is closed.
    package static let attempts = 5

    private let password: [UInt8]?
    private var failures = 0
    private var lastFailure = Instant.zero
    /// Wrong passwords since the start.
    package private(set) var refused: UInt64 = 0

    /// - Parameter password: nil when none is asked for.
    package init(password: [UInt8]?) { self.password = password }

    package var isNeeded: Bool { password != nil }

    /// Nil when it is right; else how long to wait before saying that it is not. What it takes depends on the
    /// length given, not on where the password differs.
    package mutating func check(_ given: UnsafeRawBufferPointer, at now: Instant) -> Duration? {
        guard let password else { return nil }
        var difference = UInt8(given.count == password.count ? 0 : 1)
        for at in given.indices { difference |= given[at] ^ password[at % password.count] }
        if difference == 0, !given.isEmpty { return nil }
        let forgiven = (now - lastFailure).nanoseconds / Self.forgiveness.nanoseconds
        failures = max(0, failures - Int(clamping: forgiven))
        failures += 1
        lastFailure = now
        refused &+= 1
        return min(Self.firstDelay * (1 << min(failures - 1, 16)), Self.longestDelay)
    }
}
