import Lab
import Testing

extension LabSuites {
    /// Something on the way lets one kind of packets through and another not.
    @Suite("Ways between nodes, one by one")
    struct RingWayTests {
        enum Way: String, CaseIterable {
            case multicast, unicast, link

            /// What the machine that is cut off drops, as nft has it.
            var filter: String {
                switch self {
                case .multicast: "ip daddr 239.77.0.1 udp dport 5405 drop"
                case .unicast: "ip daddr != 239.77.0.1 udp dport 5405 drop"
                case .link: "tcp sport 5405 drop\ntcp dport 5405 drop"
                }
            }

            func sentence(_ deaf: String) -> String {
                switch self {
                case .multicast:
                    "multicast stops on ring ring0 (239.77.0.1), unicast passes: \(deaf) does not hear "
                case .unicast: "unicast stops on ring ring0, multicast passes: \(deaf) does not hear "
                case .link: "no link, although heartbeats arrive: "
                }
            }
        }

        @Test(
            "what stops is named on every node, by rings and by doctor, moves no seat, and is over when it is over",
            arguments: Way.allCases)
        func stops(way: Way) throws {
            var plan = ClusterPlan()
            plan.nodes = 4
            let lab = try Lab(plan)
            defer { lab.close() }
            let cluster = try RunningCluster(lab)
            let before = try lab.status()
            let start = BootTime.now
            let deaf = try #require(lab.hosts.last { $0.name != before.leader })
            let other = try #require(lab.hosts.first { $0.name != before.leader && $0.name != deaf.name })
            try deaf.machine.check(
                ["nft", "-f", "-"],
                input: """
                    table ip ways {
                      chain in {
                        type filter hook input priority 0
                        \(way.filter)
                      }
                    }

                    """)
            let sentence = way.sentence(deaf.name)
            // A link that decisions need is missed soon; a node that cannot follow may be taken out of the cluster.
            for host in way == .link ? [deaf] : [deaf, other] {
                try wait(for: "\(host.name) to say what stops", atMost: 10, every: 200) {
                    try host.status().warnings?.contains { $0.hasPrefix(sentence) } == true
                }
            }
            #expect(try deaf.command("rings").contains("! " + sentence.prefix(7)))
            let doctor = try deaf.tryCommand(
                "doctor", "--config", deaf.clusterFile, "--name", deaf.name, "--state-dir", "/tmp")
            #expect(doctor.status == 1)
            #expect(doctor.output.contains("rings: " + sentence.prefix(7)))
            if way != .link {
                let during = try lab.status()
                #expect(during.seats.map(\.holder) == before.seats.map(\.holder))
                #expect(during.term == before.term)
                let history = try lab.addressHistory()
                for seat in before.seats {
                    guard let holder = seat.holder else { continue }
                    #expect(history.firstRemoval(of: seat.address, from: holder, after: start) == nil)
                }
            }
            try deaf.machine.check(["nft", "delete", "table", "ip", "ways"])
            try wait(for: "nothing to be told any more", atMost: 10, every: 200) {
                try deaf.status().warnings?.contains { $0.hasPrefix(sentence) } == false
            }
            try cluster.checkNoOverlap()
        }
    }
}
