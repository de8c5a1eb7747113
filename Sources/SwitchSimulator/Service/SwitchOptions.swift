/// What a simulator process is started with.
package struct SwitchOptions: Sendable {
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

    package var settings: SwitchSettings
    /// Port 0 takes a free one.
    package var eventSocket: SIPEndpoint
    package var password: String
    package var hashRemotes: [HashRemote] = []
    package var limitService: LimitService?
    /// Calls between phones inside the process, held on the first profile.
    package var bridgedCalls = 0
    package var parkedCalls = 0
    package var seed: UInt64

    package init(
        settings: SwitchSettings, eventSocket: SIPEndpoint = SIPEndpoint(ip: "127.0.0.1", port: 8021),
        password: String = "ClueCon", seed: UInt64 = .random(in: .min ... .max)
    ) {
        self.settings = settings
        self.eventSocket = eventSocket
        self.password = password
        self.seed = seed
    }
}
