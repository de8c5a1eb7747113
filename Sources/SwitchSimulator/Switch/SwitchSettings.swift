/// What one simulated switch is told at its start.
package struct SwitchSettings: Hashable, Sendable {
    /// A sofia profile: one per service address.
    package struct Profile: Hashable, Sendable {
        /// FreeSWITCH's `multiple-registrations`.
        package enum Registrations: String, Hashable, Sendable, CaseIterable {
            case single
            case callID = "call-id"
            case contact
        }
        package var name: String
        /// Numeric, IPv6 without brackets; it need not be on the machine yet.
        package var ip: String
        package var port: UInt16
        package var tracksCalls = true
        package var isStandby = false
        package var registrations = Registrations.single
        /// Parameters that its configuration tells, whatever it does: the simulator speaks no TLS.
        package var told: [String: String] = [:]
        /// What it says that it runs with, where that is something else: it was not restarted since.
        package var runs: [String: String]?

        package init(
            name: String, ip: String, port: UInt16 = 5060, tracksCalls: Bool = true, isStandby: Bool = false,
            registrations: Registrations = .single
        ) {
            self.name = name
            self.ip = ip
            self.port = port
            self.tracksCalls = tracksCalls
            self.isStandby = isStandby
            self.registrations = registrations
        }
    }

    /// A mod_hash remote: an event-socket server that is asked `hash_dump limit`.
    package struct HashRemote: Hashable, Sendable {
        package var name: String
        package var endpoint: SIPEndpoint
        /// With one, `userauth USER:PASSWORD` is sent.
        package var username: String
        package var password: String
        package var interval: Duration

        package init(
            name: String, endpoint: SIPEndpoint, username: String = "", password: String = "ClueCon",
            interval: Duration = .milliseconds(250)
        ) {
            self.name = name
            self.endpoint = endpoint
            self.username = username
            self.password = password
            self.interval = interval
        }
    }
    /// A mod_hiredis profile: a RESP service.
    package struct LimitService: Hashable, Sendable {
        package var endpoint: SIPEndpoint
        package var password: String?
        package var timeout: Duration = .milliseconds(500)
        package var connections = 3

        package init(endpoint: SIPEndpoint, password: String? = nil) {
            self.endpoint = endpoint
            self.password = password
        }
    }

    package var switchname: String
    package var hostname: String
    /// What `global_getvar db_dir` answers; `core.db` is in there.
    package var databaseDirectory: String
    package var profiles: [Profile]
    /// Parameters that its switch.conf tells, whatever it does; without any it does not tell that file.
    package var told: [String: String] = [:]
    /// Where dialled users go that are not registered; without one they are absent.
    package var carrier: SIPEndpoint?
    /// Checked before a call whose number begins with the rule's prefix.
    package var limits: [LimitRule] = []
    package var hashRemotes: [HashRemote] = []
    package var limitService: LimitService?
    /// Domains that are not in its directory; all others are.
    package var unknownDomains: Set<String> = []
    /// How long the SQL queue holds rows of table `recovery` (125 ms on average, freeswitch-integration §3).
    package var databaseLag = Duration.milliseconds(60)...Duration.milliseconds(190)
    /// How long an injected registration stays invisible.
    package var registrationLag = Duration.milliseconds(150)...Duration.milliseconds(210)
    /// `sip-expires-late-margin`: kept longer than promised.
    package var lateMargin = Duration.seconds(60)
    /// `registration-thread-frequency`: how often expired registrations are looked for.
    package var sweep = Duration.seconds(30)
    package var heartbeat = Duration.seconds(20)
    /// The time each leg takes to be revived; they go one after another.
    package var revivalPace = Duration.milliseconds(3)...Duration.milliseconds(6)
    /// Legs, `max-sessions`.
    package var sessionLimit = 2000
    /// `sessions-per-second`
    package var sessionRate = 500
    /// Addresses the phones inside the process pretend to have; 192.0.2.0/24 is nobody's (RFC 5737).
    package var phoneNetwork = "192.0.2."

    package init(
        switchname: String, hostname: String = "vm", databaseDirectory: String, profiles: [Profile],
        carrier: SIPEndpoint? = nil
    ) {
        self.switchname = switchname
        self.hostname = hostname
        self.databaseDirectory = databaseDirectory
        self.profiles = profiles
        self.carrier = carrier
    }

    static let version = "1.11.3-dev"
    static let userAgent = "FreeSWITCH-mod_sofia/1.11.3-dev~64bit"
}

/// `limit` in the dialplan, for dialled numbers that begin with a prefix.
package struct LimitRule: Hashable, Sendable {
    package enum Backend: String, Hashable, Sendable, CaseIterable { case hash, hiredis }
    package var prefix: String
    package var backend: Backend
    package var realm: String
    package var id: String
    package var max: Int
    /// With one, a rate: at most `max` in so many seconds.
    package var interval: Int?

    package init(prefix: String, backend: Backend, realm: String, id: String, max: Int, interval: Int? = nil)
    {
        self.prefix = prefix
        self.backend = backend
        self.realm = realm
        self.id = id
        self.max = max
        self.interval = interval
    }

    /// As the dialplan has it.
    var data: String {
        "\(backend.rawValue) \(realm) \(id) \(max)\(interval.map { "/\($0)" } ?? "") !CALL_REJECTED"
    }
}

/// A limit a channel holds and has to give back.
struct LimitHold: Hashable, Sendable {
    var backend: LimitRule.Backend
    var realm: String
    var id: String
}
