import Primitives

/// What the cluster file says to the deciding half; the same on every node of a configuration version.
package struct ClusterSettings: Hashable, Sendable, Codable {
    package var cluster: String
    package var timing: Timing
    /// Nodes named in the file, sorted by name; empty when nodes find each other.
    package var nodes: [NodeRule]
    /// How many nodes must see each other before a new cluster forms.
    package var expect: Int
    /// Every service and maintenance address, in the order of the file.
    package var addresses: [ServiceAddress]
    /// The master positions, in the order of the file.
    package var seats: [SeatRule]
    package var policy: Policy
    /// Nil when the cluster keeps no DNS zone.
    package var dns: DNSSettings?
    /// Hash of the file's meaning; nodes that differ are shown in `status`.
    package var version: UInt64

    package init(
        cluster: String, timing: Timing = Timing(), nodes: [NodeRule] = [], expect: Int,
        addresses: [ServiceAddress], seats: [SeatRule], policy: Policy = Policy(),
        dns: DNSSettings? = nil, version: UInt64 = 0
    ) {
        self.cluster = cluster
        self.timing = timing
        self.nodes = nodes
        self.expect = expect
        self.addresses = addresses
        self.seats = seats
        self.policy = policy
        self.dns = dns
        self.version = version
    }
}

/// The four durations everything else follows from (docs/architecture.md).
package struct Timing: Hashable, Sendable, Codable {
    /// Between two heartbeats of one node.
    package var interval: Duration
    /// How long a majority's acknowledgement keeps the right to hold addresses.
    package var lease: Duration
    /// Silence after which a node is fenced; longer than `lease`.
    package var deadAfter: Duration
    /// How long a starting node listens before it acts.
    package var discovery: Duration

    package init(
        interval: Duration = .milliseconds(25), lease: Duration = .milliseconds(150),
        deadAfter: Duration = .milliseconds(200), discovery: Duration = .seconds(5)
    ) {
        self.interval = interval
        self.lease = lease
        self.deadAfter = deadAfter
        self.discovery = discovery
    }
}

extension Timing {
    /// Two clocks may differ in rate by so many thousandths; 1 ‰ is promised, and as much again is added.
    private static let allowance = 2

    /// How long a holder uses what a majority acknowledged, by its own clock: a little less than `lease`.
    var holderLease: Duration { lease * (1000 - Self.allowance) / 1000 }

    /// How long others wait by their clocks until a lease is over: a little more than `lease`.
    var leaseWait: Duration { lease * (1000 + Self.allowance) / 1000 }

    /// How long a neighbour is believed that does not show that it hears this very life of this node.
    var proofPatience: Duration { max(.seconds(1), interval * 8) }
}

/// What the file says about one named node.
package struct NodeRule: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable {
        /// Runs a FreeSWITCH and may hold a seat.
        case full = "full"
        /// Votes only.
        case witness = "witness"
    }
    package var name: String
    package var kind: Kind

    package init(name: String, kind: Kind = .full) {
        self.name = name
        self.kind = kind
    }
}

/// One address callers use; its name is also that of its sofia profile.
package struct ServiceAddress: Hashable, Sendable, Codable {
    package var name: String
    package var ip: IPAddress
    package var prefixLength: Int

    package init(name: String, ip: IPAddress, prefixLength: Int) {
        self.name = name
        self.ip = ip
        self.prefixLength = prefixLength
    }
}

/// One master position and the address it starts with.
package struct SeatRule: Hashable, Sendable, Codable {
    package var name: String
    /// Name of a `ServiceAddress`.
    package var address: String
    /// The node that should take the seat when the cluster forms.
    package var prefer: String?

    package init(name: String, address: String, prefer: String? = nil) {
        self.name = name
        self.address = address
        self.prefer = prefer
    }
}

package struct Policy: Hashable, Sendable, Codable {
    package enum NoQuorum: String, Hashable, Sendable, Codable {
        /// A node without a majority gives up its addresses when its lease ends.
        case release = "release"
        /// Nodes keep their addresses without a majority; automatic takeover is off, for two nodes without a witness.
        case hold = "hold"
    }
    package enum OnExhaustion: String, Hashable, Sendable, Codable {
        /// A seat without a spare leaves DNS until a node can take it.
        case withdraw = "withdraw"
        /// A seat without a spare stays in DNS.
        case keep = "keep"
    }
    package var noQuorum: NoQuorum
    package var onExhaustion: OnExhaustion
    /// Automatic takeovers allowed in any hour, cluster-wide.
    package var takeoversPerHour: Int
    /// How late a scheduled playbook may still start; nil is a quarter of an hour.
    package var playbookLateness: Duration?
    /// How long others cannot reach a seat's holder before the seat moves; nil is a second.
    package var unservedAfter: Duration?

    package init(
        noQuorum: NoQuorum = .release, onExhaustion: OnExhaustion = .withdraw, takeoversPerHour: Int = 20
    ) {
        self.noQuorum = noQuorum
        self.onExhaustion = onExhaustion
        self.takeoversPerHour = takeoversPerHour
    }
}

/// The zone the cluster keeps true, and the servers it is kept on.
package struct DNSSettings: Hashable, Sendable, Codable {
    /// Without trailing dot, lower case.
    package var zone: String
    package var ttl: Duration
    /// The service set is never made smaller than this while masters live.
    package var floor: Int
    /// The first is the primary, which gets the updates; every one is read back.
    package var servers: [ServerSettings]
    /// Owner labels of the service sets, relative to the zone (`sip`).
    package var services: [String]
    /// Those of them where nobody else may add addresses; nil for none.
    package var exclusiveServices: [String]?
    /// Whether each seat gets a name of its own.
    package var seatNames: Bool
    package var srv: [SRVSettings]

    package struct ServerSettings: Hashable, Sendable, Codable {
        package var endpoint: Endpoint
        /// TSIG key name; nil for a server that is only read.
        package var keyName: String?
        /// `hmac-sha256` or `hmac-sha512`.
        package var algorithm: String
        /// Path of the secret, resolved against the cluster file; the secret itself never enters a value.
        package var secretFile: String?

        package init(
            endpoint: Endpoint, keyName: String? = nil, algorithm: String = "hmac-sha256",
            secretFile: String? = nil
        ) {
            self.endpoint = endpoint
            self.keyName = keyName
            self.algorithm = algorithm
            self.secretFile = secretFile
        }
    }

    package struct SRVSettings: Hashable, Sendable, Codable {
        /// `_sip._udp`, relative to the zone.
        package var service: String
        package var port: UInt16
        package var priority: UInt16
        package var weight: UInt16

        package init(service: String, port: UInt16, priority: UInt16 = 10, weight: UInt16 = 10) {
            self.service = service
            self.port = port
            self.priority = priority
            self.weight = weight
        }
    }

    package init(
        zone: String, ttl: Duration, floor: Int, servers: [ServerSettings], services: [String],
        seatNames: Bool, srv: [SRVSettings]
    ) {
        self.zone = zone
        self.ttl = ttl
        self.floor = floor
        self.servers = servers
        self.services = services
        self.seatNames = seatNames
        self.srv = srv
    }
}
