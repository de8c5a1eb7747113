/// The switches: one bridge for each ring, one port for each machine, and the faults between ports.
package final class Network {
    private let room: Namespace
    private let rings: Int

    /// Bridges that forward at once, without spanning tree and without multicast snooping.
    init(rings: Int) throws {
        self.rings = rings
        room = try Namespace.network()
        var batch = "link set lo up\n"
        for ring in 0..<rings {
            batch += "link add ring\(ring) type bridge forward_delay 0 stp_state 0 mcast_snooping 0\n"
            batch += "link set ring\(ring) up\n"
        }
        try Launch.check(["ip", "-batch", "-"], inside: [room], input: batch)
        try Launch.check(
            ["nft", "-f", "-"], inside: [room],
            input: """
                table bridge lab {
                  set cut { type ifname . ifname
                  }
                  chain forward { type filter hook forward priority 0
                    iifname . oifname @cut drop
                  }
                }

                """)
    }

    /// Gives a machine a card on every ring it has an address for.
    func plug(_ machine: Machine) throws {
        var ports = ""
        var cards = "link set lo up\n"
        for (ring, address) in machine.addresses.enumerated() {
            let port = Self.port(machine.name, ring)
            ports += "link add \(port) type veth peer name eth\(ring) address "
            ports += "\(machine.hardwareAddress(ring: ring)) netns \(machine.firstProcess)\n"
            ports += "link set \(port) master ring\(ring)\nlink set \(port) up\n"
            cards += "addr add \(address)/24 brd + dev eth\(ring)\nlink set eth\(ring) up\n"
        }
        try Launch.check(["ip", "-batch", "-"], inside: [room], input: ports)
        try machine.check(["ip", "-batch", "-"], input: cards)
    }

    /// Takes every port of the machine down, or up again, or that of one ring.
    package func setLink(of machine: Machine, up: Bool, ring only: Int? = nil) throws {
        var batch = ""
        for ring in machine.addresses.indices where only == nil || ring == only {
            batch += "link set \(Self.port(machine.name, ring)) \(up ? "up" : "down")\n"
        }
        try Launch.check(["ip", "-batch", "-"], inside: [room], input: batch)
    }

    /// Lets nothing through from the first machines to the others, on all rings or on one.
    package func cut(from senders: [Machine], to receivers: [Machine], ring: Int? = nil) throws {
        var pairs: [String] = []
        for sender in senders {
            for receiver in receivers {
                for ring in ring.map({ [$0] }) ?? Array(0..<rings) {
                    pairs.append(
                        "\"\(Self.port(sender.name, ring))\" . \"\(Self.port(receiver.name, ring))\"")
                }
            }
        }
        try Launch.check(
            ["nft", "-f", "-"], inside: [room],
            input: "add element bridge lab cut { \(pairs.joined(separator: ", ")) }\n")
    }

    /// Separates two groups from each other in both directions, at one instant.
    package func partition(_ some: [Machine], from others: [Machine]) throws {
        var pairs: [String] = []
        for one in some {
            for other in others {
                for ring in 0..<rings {
                    let (a, b) = (Self.port(one.name, ring), Self.port(other.name, ring))
                    pairs += ["\"\(a)\" . \"\(b)\"", "\"\(b)\" . \"\(a)\""]
                }
            }
        }
        try Launch.check(
            ["nft", "-f", "-"], inside: [room],
            input: "add element bridge lab cut { \(pairs.joined(separator: ", ")) }\n")
    }

    /// Lets everything through again.
    package func heal() throws {
        try Launch.check(["nft", "flush", "set", "bridge", "lab", "cut"], inside: [room])
    }

    /// Interface names have at most 15 bytes.
    private static func port(_ machine: String, _ ring: Int) -> String { "\(machine)-\(ring)" }
}
