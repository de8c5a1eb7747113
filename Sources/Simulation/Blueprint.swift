import Cluster
import Primitives

/// What a world is made of before anything happens in it.
package struct Blueprint: Sendable {
    package struct MachinePlan: Sendable {
        package var name: String
        package var kind: NodeRule.Kind
        package var health: SwitchReport.Health
        /// Its copy of the cluster file, when it differs from the others'.
        package var settings: ClusterSettings?
        /// Parts per million; the world's true limit is 1000.
        package var drift: Int64
        /// What its clock shows when the world begins, in nanoseconds.
        package var clockOffset: Int64
        /// The program that lies there when the world begins.
        package var release = ReleaseInfo.current
        /// A second machine with a name that is taken; a storm starts it.
        var isCopy = false

        package init(
            name: String, kind: NodeRule.Kind = .full, health: SwitchReport.Health = .none,
            settings: ClusterSettings? = nil, drift: Int64 = 0, clockOffset: Int64 = 0
        ) {
            self.name = name
            self.kind = kind
            self.health = health
            self.settings = settings
            self.drift = drift
            self.clockOffset = clockOffset
        }
    }

    package var machines: [MachinePlan]
    package var settings: ClusterSettings
    package var sabotage: Sabotage
    /// Who wrote the zone before, as its epoch record names a writer; nil for a zone nobody wrote.
    var formerWriter: String?

    package init(machines: [MachinePlan], settings: ClusterSettings, sabotage: Sabotage = .none) {
        self.machines = machines
        self.settings = settings
        self.sabotage = sabotage
    }

    /// The name callers ask for.
    package var serviceName: String? {
        settings.dns.map { dns in dns.services.first.map { "\($0).\(dns.zone)" } ?? dns.zone }
    }

    /// What a former writer left.
    var formerRecords: [ZoneRecord] {
        guard let formerWriter, let serviceName else { return [] }
        return [
            ZoneRecord(
                name: "_fsdns.\(serviceName)", ttl: 1, content: .txt("v=1 cluster=\(formerWriter) epoch=9.1"))
        ]
    }

    /// Records of the zone that belong to others; nothing may ever touch them.
    var foreignRecords: [ZoneRecord] {
        guard let zone = settings.dns?.zone, let mail = IPAddress("192.0.2.25") else { return [] }
        return [
            ZoneRecord(name: "mail.\(zone)", ttl: 300, content: .address(mail)),
            ZoneRecord(name: "sip.\(zone)", ttl: 300, content: .txt("v=spf1 -all")),
            ZoneRecord(name: zone, ttl: 300, content: .txt("kept by people")),
            // A last resort somebody added to our own set.
            ZoneRecord(
                name: "_sip._udp.\(zone)", ttl: 1,
                content: .srv(priority: 20, weight: 5, port: 5060, target: "mail.\(zone)")),
        ].sorted()
    }
}

/// A world with one law broken on purpose, to prove that the judge sees what then goes wrong.
package enum Sabotage: String, Hashable, Sendable, CaseIterable {
    case none
    /// Keepers keep addresses whose hold ended, also when the node service is dead.
    case keeperIgnoresExpiry = "keeper-ignores-expiry"
    /// Clocks run up to 30 % wrong instead of 1 per mille.
    case wildClocks = "wild-clocks"
    /// Heartbeats arrive without the epoch that says what their acknowledgements are worth.
    case epochlessAcknowledgements = "epochless-acknowledgements"
    /// Silence is reported as ten seconds old, however young it is.
    case inflatedAges = "inflated-ages"
    /// The primary accepts every update, whatever epoch the zone has.
    case carelessPrimary = "careless-primary"
    /// Disks say that a write is durable before it is.
    case lyingDisk = "lying-disk"
}

extension Blueprint {
    /// A cluster as a seed draws it: how many, which timing, which zone servers, whose clock is how wrong.
    static func draw(using chance: inout SeededGenerator, sabotage: Sabotage) -> Blueprint {
        let sizes = [(2, 1, true), (3, 2, false), (5, 3, false), (5, 3, false), (7, 4, false)]
        let (count, seats, hasWitness) = chance.pick(sizes)
        let hasSwitches = chance.happens(perMille: 600)
        let wrongness: Int64 = sabotage == .wildClocks ? 300_000 : 1000
        let drifts = chance.happens(perMille: 700) || sabotage == .wildClocks
        var machines: [MachinePlan] = []
        for number in 1...(count + (hasWitness ? 1 : 0)) {
            let isWitness = number > count
            machines.append(
                MachinePlan(
                    name: isWitness ? "dns1" : "fs\(number)", kind: isWitness ? .witness : .full,
                    health: hasSwitches && !isWitness ? .healthy : .none,
                    drift: drifts ? chance.draw(-wrongness...wrongness) : 0,
                    clockOffset: chance.draw(0...3_600_000 * millisecond)))
        }
        let isFast = chance.happens(perMille: 250) || sabotage == .inflatedAges
        var timing = Timing(discovery: .milliseconds(chance.draw(200...600)))
        if isFast {
            timing.interval = .milliseconds(10)
            timing.lease = .milliseconds(25)
            timing.deadAfter = .milliseconds(35)
        }
        let settings = Self.settings(
            machines: machines, seats: seats, timing: timing,
            takeoversPerHour: chance.pick([20, 20, 2, 5]), secondaries: chance.draw(0...2),
            isListed: hasWitness || chance.happens(perMille: 500))
        return Blueprint(machines: machines, settings: settings, sabotage: sabotage)
    }

    /// A cluster file with one address for each seat and one to spare; `fs1` prefers `master1`, and so on.
    package static func settings(
        machines: [MachinePlan], seats: Int, timing: Timing, takeoversPerHour: Int = 20,
        secondaries: Int = 0, isListed: Bool = true
    ) -> ClusterSettings {
        let names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
        let addresses = (0...seats).compactMap { number in
            IPAddress("10.0.0.\(11 + number)").map {
                ServiceAddress(name: names[number], ip: $0, prefixLength: 24)
            }
        }
        let rules = (0..<seats).map { number in
            SeatRule(
                name: "master\(number + 1)", address: names[number],
                prefer: number < machines.count ? machines[number].name : nil)
        }
        let servers = (0...secondaries).compactMap { number in
            Endpoint("10.0.0.\(53 + number):53").map {
                DNSSettings.ServerSettings(endpoint: $0, keyName: number == 0 ? "fsdns." : nil)
            }
        }
        let dns = DNSSettings(
            zone: "voip.example.net", ttl: .seconds(1), floor: 1, servers: servers, services: ["sip"],
            seatNames: true, srv: [DNSSettings.SRVSettings(service: "_sip._udp", port: 5060)])
        let nodes = machines.map { NodeRule(name: $0.name, kind: $0.kind) }.sorted { $0.name < $1.name }
        return ClusterSettings(
            cluster: "pbx", timing: timing, nodes: isListed ? nodes : [], expect: machines.count,
            addresses: addresses, seats: rules, policy: Policy(takeoversPerHour: takeoversPerHour), dns: dns,
            version: 7)
    }
}
