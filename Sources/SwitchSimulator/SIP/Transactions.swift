/// SIP transactions (RFC 3261 §17): what was sent may have to be sent again, what comes again is absorbed.
struct Transactions: Sendable {
    static let t1 = Duration.milliseconds(500)
    static let t2 = Duration.seconds(4)
    /// 64·T1: how long a transaction waits, and answers duplicates.
    static let life = Duration.seconds(32)
    /// Server transactions remembered; the oldest go first.
    static let serverLimit = 20_000

    struct ServerKey: Hashable, Sendable {
        var branch: String
        var sentBy: String
        /// Tells requests without an RFC 3261 branch apart.
        var callID: String
        var sequence: UInt32
        var method: String
    }
    struct Server: Sendable {
        /// The newest response, sent again when the request comes again.
        var response: [UInt8] = []
        var status = 0
        var to: SIPEndpoint
        /// Index of the profile it came to.
        var profile: Int
        var isAcknowledged = false
        /// The leg an INVITE made, for CANCEL.
        var leg: String?
    }
    struct Client: Sendable {
        var request: SIPMessage
        var bytes: [UInt8]
        var to: SIPEndpoint
        var profile: String
        /// The leg it belongs to.
        var leg: String
        var since: Timestamp
        /// A response came: an INVITE is not sent again.
        var isHeard = false
        /// To be cancelled as soon as a 1xx came (RFC 3261 §9.1).
        var isCancelled = false
    }
    private(set) var servers: [ServerKey: Server] = [:]
    private var serverOrder: [ServerKey] = []
    private var forgotten = 0
    /// By `clientKey`.
    var clients: [String: Client] = [:]

    static func key(_ message: SIPMessage) -> ServerKey? {
        guard let via = message.via, let sequence = message.sequence else { return nil }
        // ACK and CANCEL find the INVITE's transaction.
        let method = sequence.method == "ACK" || sequence.method == "CANCEL" ? "INVITE" : sequence.method
        return ServerKey(
            branch: via.branch, sentBy: "\(via.host):\(via.port ?? 5060)", callID: message.callID,
            sequence: sequence.number, method: method)
    }

    mutating func open(_ key: ServerKey, to: SIPEndpoint, profile: Int) {
        servers[key] = Server(to: to, profile: profile)
        serverOrder.append(key)
        while serverOrder.count - forgotten > Self.serverLimit {
            servers[serverOrder[forgotten]] = nil
            forgotten += 1
        }
        if forgotten > Self.serverLimit {
            serverOrder.removeFirst(forgotten)
            forgotten = 0
        }
    }

    mutating func note(_ key: ServerKey, response: [UInt8], status: Int) {
        servers[key]?.response = response
        servers[key]?.status = status
    }

    static func clientKey(_ branch: String, _ method: String) -> String { branch + " " + method }

    mutating func acknowledge(_ key: ServerKey) { servers[key]?.isAcknowledged = true }

    mutating func note(_ key: ServerKey, leg: String) { servers[key]?.leg = leg }

    mutating func forget(_ key: ServerKey) { servers[key] = nil }
}
