/// How our event-socket server treats its clients; the same for all of them.
package struct ServerConfiguration: Hashable, Sendable {
    /// Of `auth`. Empty refuses every password.
    package var password: String
    /// Of `auth`, for who may only look: poll, ask and subscribe, but change nothing. Empty refuses every password.
    package var lookPassword: String
    /// Of `userauth`: none are known unless listed.
    package var users: [User]
    /// After authentication; before it `FrameLimits.beforeAuthentication` holds.
    package var limits: FrameLimits
    /// Bytes that may wait for a client that does not read: above this events are dropped, and its commands wait.
    package var maximumUnsentBytes: Int
    /// So many events dropped in a row and the client is sent away (mod_event_socket.c, MAX_MISSED).
    package var maximumLostEvents: Int
    package var maximumFilters: Int
    package var maximumSubclasses: Int
    /// `bgapi` commands of one client not yet finished.
    package var maximumJobs: Int
    package var backOff: PasswordBackOff
    /// Commands of one client carried out before others have their turn; for drivers that hand in `turn`.
    package var commandsPerTurn = Int.max
    /// A client that sends more before it gives the password is sent away; FreeSWITCH knows no such bound.
    package var maximumCommandsBeforePassword = Int.max
    /// How long the driver lets a client stay without a password (mod_event_socket.c: listener_run).
    package var authenticationTimeout: Duration = .seconds(25)

    package init(
        password: String, lookPassword: String = "", users: [User] = [],
        limits: FrameLimits = FrameLimits(headerBytes: 1 << 20, headerCount: 1024, bodyBytes: 1 << 24),
        maximumUnsentBytes: Int = 1 << 24, maximumLostEvents: Int = 500, maximumFilters: Int = 100,
        maximumSubclasses: Int = 1000, maximumJobs: Int = 100, backOff: PasswordBackOff = PasswordBackOff()
    ) {
        self.password = password
        self.lookPassword = lookPassword
        self.users = users
        self.limits = limits
        self.maximumUnsentBytes = maximumUnsentBytes
        self.maximumLostEvents = maximumLostEvents
        self.maximumFilters = maximumFilters
        self.maximumSubclasses = maximumSubclasses
        self.maximumJobs = maximumJobs
        self.backOff = backOff
    }
}

/// Who may come with `userauth`, and what for.
package struct User: Hashable, Sendable {
    /// `USER@DOMAIN`, or just `USER`.
    package var name: String
    package var password: String
    /// Words of an `event` command; nil allows all.
    package var allowedEvents: [String]?
    /// First words of `api` commands; nil allows all.
    package var allowedCommands: [String]?
    package var allowsLog: Bool

    package init(
        name: String, password: String, allowedEvents: [String]? = nil, allowedCommands: [String]? = nil,
        allowsLog: Bool = true
    ) {
        self.name = name
        self.password = password
        self.allowedEvents = allowedEvents
        self.allowedCommands = allowedCommands
        self.allowsLog = allowsLog
    }

    /// Commands that run another: that one must be allowed too (mod_event_socket.c: auth_api_command).
    private static let wrappers = ["bgapi", "sched_api", "eval", "expand", "xml_wrap"]

    func allows(command line: String) -> Bool {
        guard let allowedCommands else { return true }
        for word in line.split(separator: " ") {
            guard allowedCommands.contains(String(word)) else { return false }
            guard Self.wrappers.contains(word.lowercased()) else { return true }
        }
        return !line.isEmpty
    }
}

/// How long the answer to a wrong password is held back, by how many came from the same address before.
package struct PasswordBackOff: Hashable, Sendable {
    package var first: Duration
    package var maximum: Duration

    package init(first: Duration = .milliseconds(250), maximum: Duration = .seconds(8)) {
        self.first = first
        self.maximum = maximum
    }

    /// None for the first wrong password, then doubling.
    package func delay(refusals: Int) -> Duration {
        guard refusals > 0 else { return .zero }
        return min(maximum, first * (1 << min(refusals - 1, 20)))
    }
}

/// Compares secrets without telling by the time taken where they differ.
enum ConstantTime {
    /// Takes time by the length of `given` alone.
    static func isEqual(_ given: String, _ secret: String) -> Bool {
        let given = Array(given.utf8)
        let secret = Array(secret.utf8)
        var difference = given.count ^ secret.count
        for index in given.indices {
            let other = secret.isEmpty ? 0 : secret[index % secret.count]
            difference |= Int(given[index] ^ other)
        }
        return difference == 0
    }
}
