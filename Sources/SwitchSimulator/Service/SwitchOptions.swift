/// What a simulator process is started with.
package struct SwitchOptions: Sendable {
    package var settings: SwitchSettings
    /// Port 0 takes a free one.
    package var eventSocket: SIPEndpoint
    package var password: String
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
