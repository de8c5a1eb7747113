import Calendar
import Consensus
import Primitives

@testable import Cluster

/// Fixed values of what is agreed on, with something in every field, for the recorded bytes.
enum Sample {
    static let one = Holder(
        member: MemberID(name: "fs1", birth: 0xF122_3344_5566_7788), incarnation: 3 << 32 | 0x0BAD_CAFE)
    static let two = Holder(member: MemberID(name: "fs2", birth: 2), incarnation: 1 << 32 | 7)
    static let three = Holder(member: MemberID(name: "fs3", birth: 300), incarnation: 2 << 32 | 1)
    static let machine = MachineID(host: 0xA1A2_A3A4_A5A6_A7A8, boot: 0xB1B2)

    static func epoch(_ index: UInt64) -> Epoch { Epoch(term: 3, index: index) }

    /// In seconds, and a bit.
    static func time(_ seconds: Int64) -> ClusterTime {
        ClusterTime(nanoseconds: seconds * 1_000_000_000 + 250)
    }

    static func wall(_ seconds: Int64) -> WallTime { WallTime(seconds: 1_795_485_600 + seconds) }

    static func ip(_ text: String) -> IPAddress {
        guard let ip = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return ip
    }

    static func endpoint(_ text: String) -> Endpoint {
        guard let endpoint = Endpoint(text) else { preconditionFailure("\(text) is no endpoint") }
        return endpoint
    }
}

// MARK: - The cluster file

extension Sample {
    static var settings: ClusterSettings {
        ClusterSettings(
            cluster: "pbx",
            timing: Timing(
                interval: .milliseconds(20), lease: .milliseconds(120), deadAfter: .milliseconds(160),
                discovery: .seconds(4)),
            nodes: [NodeRule(name: "fs1"), NodeRule(name: "w1", kind: .witness)], expect: 3,
            addresses: [
                ServiceAddress(name: "alpha", ip: ip("10.77.0.11"), prefixLength: 24),
                ServiceAddress(name: "beta", ip: ip("2001:db8::12"), prefixLength: 64),
                ServiceAddress(name: "spare", ip: ip("10.77.0.19"), prefixLength: 24),
            ],
            seats: [
                SeatRule(name: "master1", address: "alpha", prefer: "fs1"),
                SeatRule(name: "master2", address: "beta"),
            ], policy: policy, dns: dns, version: 0xC1C2_C3C4_C5C6_C7C8)
    }

    /// As a file without any of the options.
    static var plainSettings: ClusterSettings {
        ClusterSettings(
            cluster: "pbx", expect: 1, addresses: [], seats: [],
            policy: Policy(noQuorum: .release, onExhaustion: .withdraw))
    }

    private static var policy: Policy {
        var policy = Policy(noQuorum: .hold, onExhaustion: .keep, takeoversPerHour: 7)
        policy.playbookLateness = .seconds(600)
        policy.unservedAfter = .milliseconds(1500)
        return policy
    }

    private static var dns: DNSSettings {
        var dns = DNSSettings(
            zone: "voip.example.net", ttl: .seconds(60), floor: 1,
            servers: [
                .init(
                    endpoint: endpoint("10.77.0.2:53"), keyName: "fsdns", algorithm: "hmac-sha512",
                    secretFile: "/etc/fsdns/tsig.key"),
                .init(endpoint: endpoint("[2001:db8::2]:5353")),
            ],
            services: ["sip"], seatNames: true,
            srv: [.init(service: "_sip._udp", port: 5060, priority: 20, weight: 30)])
        dns.exclusiveServices = ["sip"]
        return dns
    }
}

// MARK: - Drains

extension Sample {
    static var maintenance: Maintenance {
        Maintenance(reason: "kernel update", who: "ann@ops", since: time(70), until: time(7270))
    }

    static var move: Move {
        var move = Move(address: "alpha", from: one, to: two, reason: "switchover by ann@ops")
        move.isAutomatic = true
        return move
    }

    static func drain(
        _ phase: Drain.Phase = .waitingForCalls, onDeadline: Drain.OnDeadline = .handover
    ) -> Drain {
        var drain = Drain(
            seat: "master1", from: one, to: two, oldAddress: "alpha", newAddress: "spare",
            deadline: time(3600), onDeadline: onDeadline, reason: "kernel update", owner: "ann@ops",
            began: time(60))
        drain.phase = phase
        drain.phaseEpoch = epoch(41)
        drain.phaseBegan = time(65)
        drain.id = epoch(40)
        drain.ttl = .seconds(60)
        drain.forgottenAt = time(130)
        drain.returnAfter = .seconds(7200)
        return drain
    }

    static func fence(_ basis: Fence.Basis) -> Fence {
        var fence = Fence(
            holder: one, basis: basis,
            grants: [Succession(address: "alpha", to: two), Succession(address: "beta", to: three)])
        fence.reason = "it was given up (recover-quorum)"
        return fence
    }
}
