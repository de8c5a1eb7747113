import Consensus
import PeerProtocol
import Primitives

@testable import Cluster

// What nodes say to all others.

extension Sample {
    static let key = ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8))

    static var heartbeats: [(name: String, value: Heartbeat)] {
        let roles = Role.allCases.map { role in
            var heartbeat = plainHeartbeat
            heartbeat.role = role
            return ("role-\(role.rawValue)", heartbeat)
        }
        let healths = SwitchReport.Health.allCases.map { health in
            var heartbeat = plainHeartbeat
            heartbeat.load.health = health
            return ("health-\(health.rawValue)", heartbeat)
        }
        return [("full", heartbeat), ("plain", plainHeartbeat)] + roles + healths + kinds
    }

    /// Every blocker, verdict and path trouble; one heartbeat does not hold all of them.
    private static var kinds: [(name: String, value: Heartbeat)] {
        let blockers = Blocker.Kind.allCases.map { Blocker($0, nil, "why") }
        let troubles = PathTrouble.Kind.allCases.map { PathTrouble($0, peers: ["fs2"]) }
        return (0..<3).map { part in
            var heartbeat = plainHeartbeat
            heartbeat.service = ServiceView(
                blockers: Array(blockers.dropFirst(part * 10).prefix(10)),
                sights: Sight.Verdict.allCases.map {
                    Sight(address: "alpha", epoch: epoch(12), verdict: $0)
                })
            heartbeat.paths = Array(troubles.dropFirst(part * 6).prefix(6))
            return ("kinds-\(part + 1)", heartbeat)
        }
    }

    static var plainHeartbeat: Heartbeat {
        Heartbeat(
            clusterID: 0, sender: two, sequence: 1, kind: .full, role: .starting, settingsVersion: 0,
            term: 0, commit: 0, leader: nil, fenceEpoch: .zero, holding: [], leaseValid: false,
            keeperEmpty: false, leaving: false, load: SwitchReport(health: .unknown), founding: 0,
            acknowledgements: [])
    }

    static var heartbeat: Heartbeat {
        var heartbeat = Heartbeat(
            clusterID: 0xD1D2_D3D4_D5D6_D7D8, sender: one, sequence: 300, kind: .witness, role: .master,
            settingsVersion: 0xC1C2_C3C4_C5C6_C7C8, term: 3, commit: 1000, leader: two.member,
            fenceEpoch: epoch(12),
            holding: [
                HeldAddress(address: "alpha", epoch: epoch(11)),
                HeldAddress(address: "alpha2", epoch: epoch(12)),
            ], leaseValid: true, keeperEmpty: true, leaving: true, load: load,
            founding: 0xE1E2_E3E4_E5E6_E7E8,
            acknowledgements: [
                Acknowledgement(holder: two, sequence: 299, age: .microseconds(12_345)),
                Acknowledgement(holder: three, sequence: 0, age: .microseconds(7)),
            ])
        heartbeat.logTerm = 3
        heartbeat.machine = machine
        heartbeat.endpoints = [endpoint("10.77.0.1:5405"), endpoint("[2001:db8::1]:5407")]
        heartbeat.service = service
        heartbeat.paths = [
            PathTrouble(.multicast, ring: "10.77.0.0/24", detail: "igmp snooping", peers: ["fs2", "fs3"])
        ]
        heartbeat.zone = ZoneWord(turn: "fs2", trouble: "no answer from 10.77.0.2:53")
        heartbeat.identity = identity
        heartbeat.wallClock = 1_795_485_600_123
        return heartbeat
    }

    private static var load: SwitchReport {
        var load = SwitchReport(health: .healthy, calls: 412, registrations: 2000)
        load.capacity = 5000
        load.channels = 824
        load.isRefusing = true
        load.arePhonesTold = true
        load.addresses = [
            SwitchReport.AddressLoad(
                address: "alpha", calls: 400, recoverable: 390, registrations: 1900, isAnswering: true)
        ]
        return load
    }

    private static var service: ServiceView {
        ServiceView(
            blockers: [Blocker(.link, "beta", "eth1 has no carrier")],
            sights: [
                Sight(
                    address: "beta", epoch: epoch(11), verdict: .silent, isSure: true,
                    station: 0x0200_5E10_0001)
            ], stations: [Station(address: "alpha", hardware: 0x0200_5E10_0002)], reviving: ["alpha"])
    }

    private static var identity: IdentityView {
        var word = IdentityWord(to: two)
        word.agreedIncarnation = two.incarnation
        word.owner = three
        word.other = IdentityWord.OtherLife(incarnation: 5 << 32 | 9, age: .milliseconds(30))
        word.mark = DurableMark(term: 3, hasVoted: true, index: 900)
        word.matched = 890
        var view = IdentityView()
        view.isUnsure = true
        view.mark = DurableMark(term: 3, hasVoted: true, index: 999)
        view.words = [word]
        return view
    }
}
