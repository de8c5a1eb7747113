import Cluster
import Primitives
import XML

/// The rules between elements: each names the element that has to change.
extension ClusterReader {
    mutating func checkRules(_ draft: Draft, root: Element) {
        if let timing = draft.timing { checkTiming(timing) }
        checkNames(draft)
        checkNodes(draft)
        checkPolicy(draft)
        checkAddresses(draft)
        checkSeats(draft, root: root)
        if let dns = draft.dns { checkDNS(dns, seats: draft.seats) }
        if case .loopback = draft.mode { checkLoopback(draft) } else { checkKernel(draft) }
    }

    /// Tells every value whose key was there before, and where that was.
    private mutating func unique<Value, Key: Hashable>(
        _ values: [Placed<Value>], _ what: String, by key: (Value) -> Key, show: (Value) -> String
    ) {
        var first: [Key: Place] = [:]
        for item in values {
            let key = key(item.value)
            if let place = first[key] {
                let first = place.words(from: item.place)
                findings.error("\(what) \(show(item.value)) is there already, in \(first)", at: item.place)
            } else {
                first[key] = item.place
            }
        }
    }

    private mutating func checkNames(_ draft: Draft) {
        // Names also become DNS labels and profile names, where case is no difference.
        let fold = { (name: String) in name.lowercased() }
        unique(draft.networks, "network", by: { fold($0.name) }, show: { quoted($0.name) })
        unique(draft.nodes, "node", by: { fold($0.name) }, show: { quoted($0.name) })
        unique(draft.addresses, "address", by: { fold($0.name) }, show: { quoted($0.name) })
        unique(draft.seats, "seat", by: { fold($0.name) }, show: { quoted($0.name) })
        unique(draft.networks, "the subnet", by: { "\($0.subnet)/\($0.prefixLength)" }) {
            "\($0.subnet)/\($0.prefixLength)"
        }
        unique(draft.addresses, "the address", by: \.ip, show: { "\($0.ip)" })
        unique(draft.bindings, "a node with the address", by: \.address, show: { "\($0.address)" })
        unique(draft.peers, "the peer", by: \.ip, show: { "\($0.ip)" })
    }

    /// A heartbeat is acknowledged by the next heartbeat of its receiver, so even without any loss the newest
    /// acknowledged one is up to two intervals and a round trip old.
    private mutating func checkTiming(_ timing: Placed<Timing>) {
        let place = timing.place
        let (interval, lease) = (timing.value.interval, timing.value.lease)
        let (deadAfter, discovery) = (timing.value.deadAfter, timing.value.discovery)
        let text = DurationText.text
        if lease <= interval * 2 {
            findings.error(
                "lease=\(text(lease)) must be longer than two intervals of \(text(interval)): "
                    + "an acknowledgement takes that long without any loss", at: place)
        } else if lease <= interval * 3 {
            findings.warn(
                "lease=\(text(lease)) is not longer than three intervals of \(text(interval)): "
                    + "a single lost heartbeat can end a lease", at: place)
        }
        if deadAfter <= lease {
            findings.error(
                "dead-after=\(text(deadAfter)) must be longer than lease=\(text(lease)): "
                    + "a node must have let go before another takes its addresses", at: place)
        } else if deadAfter < lease + interval {
            findings.warn(
                "dead-after=\(text(deadAfter)) is less than an interval longer than lease=\(text(lease)): "
                    + "takeovers will have to wait for the lease anyway", at: place)
        }
        if discovery < deadAfter {
            findings.error(
                "discovery=\(text(discovery)) must not be shorter than dead-after=\(text(deadAfter)): "
                    + "a starting node has to hear everyone who lives", at: place)
        }
    }

    private mutating func checkNodes(_ draft: Draft) {
        guard let expect = draft.expect else { return }
        let listed = draft.nodes.count
        if listed > 0, expect.value > listed {
            findings.error(
                "expect=\(expect.value), but only \(listed) nodes are listed; a cluster could never form",
                at: expect.place)
        } else if expect.value < listed {
            findings.warn(
                "expect=\(expect.value), but a cluster forms only when all \(listed) listed nodes are there; leave expect out",
                at: expect.place)
        }
        let voters = max(listed, expect.value)
        if voters % 2 == 0, voters > 2 {
            findings.warn(
                "\(voters) voters bear no more failures at once than \(voters - 1) would; a <witness> would add one",
                at: expect.place)
        }
    }

    private mutating func checkPolicy(_ draft: Draft) {
        let full = draft.nodes.filter { $0.value.kind == .full }.count
        let witnesses = draft.nodes.count - full
        if let policy = draft.policy, policy.value.takeoversPerHour == 0 {
            findings.warn("takeovers-per-hour=0 turns automatic takeover off", at: policy.place)
        }
        if let policy = draft.policy, policy.value.noQuorum == .hold {
            if full == 2, witnesses == 0 {
                findings.warn(
                    "no-quorum=hold: the two nodes keep their addresses without each other, and automatic "
                        + "takeover is off", at: policy.place)
            } else {
                findings.error(
                    "no-quorum=hold is only for exactly two listed nodes and no witness: with it nodes keep "
                        + "their addresses without a majority, so nothing may be taken over automatically; "
                        + "with three voters a majority decides, use no-quorum=release", at: policy.place)
            }
            return
        }
        guard let expect = draft.expect, max(draft.nodes.count, expect.value) == 2 else { return }
        findings.warn(
            "two nodes without a witness: when one is lost the other has no majority, so it gives up its "
                + "addresses and takes over none; list a <witness>", at: expect.place)
    }

    private mutating func checkAddresses(_ draft: Draft) {
        for address in draft.addresses {
            if let peer = draft.peers.first(where: { $0.value.ip == address.value.ip }) {
                findings.error(
                    "address \(quoted(address.value.name)) is also the own address of a peer, "
                        + "\(peer.value.ip)",
                    at: address.place)
            }
            if let node = draft.bindings.first(where: { $0.value.address == address.value.ip }) {
                findings.error(
                    "address \(quoted(address.value.name)) is also the own address of node "
                        + quoted(node.value.node), at: address.place)
            }
            if let server = draft.dns?.value.servers.first(where: { $0.endpoint.ip == address.value.ip }) {
                findings.error(
                    "address \(quoted(address.value.name)) is also that of the name server "
                        + "\(server.endpoint), which would be asked on whichever machine holds it",
                    at: address.place)
            }
        }
        checkPrefixes(draft.addresses)
    }

    /// A machine chooses the interface by its own network, so an address with another prefix length than its neighbours works;
    /// the kernel would add a route of its own for it.
    private mutating func checkPrefixes(_ addresses: [Placed<ServiceAddress>]) {
        for (index, address) in addresses.enumerated() {
            let other = addresses.prefix(index).first { other in
                let (mine, its) = (address.value.prefixLength, other.value.prefixLength)
                return mine != its
                    && address.value.ip.isInNetwork(of: other.value.ip, prefixLength: min(mine, its))
            }
            guard let other = other?.value else { continue }
            findings.warn(
                "address \(quoted(address.value.name)) is a /\(address.value.prefixLength) and "
                    + "\(quoted(other.name)) a /\(other.prefixLength) in the same network; give both the "
                    + "prefix length of the network", at: address.place)
        }
    }

    private mutating func checkSeats(_ draft: Draft, root: Element) {
        let known = draft.addressNames
        for seat in draft.seats where !known.isEmpty && !known.contains(seat.value.address) {
            let names = "; the addresses are \(known.joined(separator: ", "))"
            findings.error(
                "seat \(quoted(seat.value.name)) has the unknown address "
                    + quoted(seat.value.address) + names,
                at: seat.place)
        }
        unique(draft.seats, "a seat with the address", by: \.address, show: { quoted($0.address) })
        checkPreferences(draft)
        guard let place = draft.seats.first?.place else { return }
        let full = draft.nodes.filter { $0.value.kind == .full }.count
        if !draft.nodes.isEmpty, draft.seats.count > full {
            findings.error(
                "\(draft.seats.count) seats, but only \(full) of the listed nodes can hold one each",
                at: place)
        } else if !draft.nodes.isEmpty, draft.seats.count == full {
            findings.warn("as many seats as nodes: there is no spare to take a failed node's seat", at: place)
        } else if draft.nodes.isEmpty, let expect = draft.expect, draft.seats.count > expect.value {
            findings.warn(
                "\(draft.seats.count) seats, but expect=\(expect.value)", at: expect.place)
        }
        let used = draft.seats.map(\.value.address)
        if !draft.addresses.isEmpty, draft.addresses.allSatisfy({ used.contains($0.value.name) }) {
            findings.warn(
                "every address has a seat, so there is no maintenance address and nothing can be drained",
                at: place)
        }
    }

    private mutating func checkPreferences(_ draft: Draft) {
        var preferred: [String] = []
        for seat in draft.seats {
            guard let prefer = seat.value.prefer else { continue }
            if preferred.contains(prefer) {
                findings.warn(
                    "node \(quoted(prefer)) is preferred by two seats; it holds one", at: seat.place)
            }
            preferred.append(prefer)
            guard !draft.nodes.isEmpty else { continue }
            let node = draft.nodes.first { $0.value.name == prefer }
            if node == nil {
                let names = draft.nodes.filter { $0.value.kind == .full }.map(\.value.name)
                findings.error(
                    "seat \(quoted(seat.value.name)) prefers the unknown node \(quoted(prefer)); "
                        + "the nodes are " + names.joined(separator: ", "), at: seat.place)
            } else if node?.value.kind == .witness {
                findings.error(
                    "seat \(quoted(seat.value.name)) prefers \(quoted(prefer)), a witness, "
                        + "which holds no seat",
                    at: seat.place)
            }
        }
    }

    private mutating func checkDNS(_ dns: Placed<DNSSettings>, seats: [Placed<SeatRule>]) {
        if !seats.isEmpty, dns.value.floor > seats.count {
            findings.error(
                "floor=\(dns.value.floor), but there are only \(seats.count) seats; "
                    + "nothing could ever be withdrawn",
                at: dns.place)
        }
        guard dns.value.seatNames else { return }
        for seat in seats {
            let name = seat.value.name.lowercased()
            if Name.domain(name, underscores: false) == nil {
                findings.error(
                    "seat \(quoted(seat.value.name)) cannot be a host name, which <seat-names/> makes of it",
                    at: seat.place)
            }
            if dns.value.services.contains(name) {
                findings.error(
                    "seat \(quoted(seat.value.name)) has the name of a DNS service", at: seat.place)
            }
        }
    }

    private mutating func checkKernel(_ draft: Draft) {
        for address in draft.addresses where address.value.ip.isLoopback {
            findings.error(
                "address \(address.value.ip) is this machine's loopback, which no caller reaches; "
                    + "<addresses mode=\"loopback\"> is for trying out", at: address.place)
        }
        for network in draft.networks where network.value.subnet.isLoopback {
            findings.error(
                "network \(quoted(network.value.name)) is loopback, which reaches no node", at: network.place)
        }
    }

    /// Many nodes on one machine: everything stays inside 127/8 and every node says which address is its own.
    private mutating func checkLoopback(_ draft: Draft) {
        let isInside = { (ip: IPAddress) in ip.family == .v4 && ip.isLoopback }
        for address in draft.addresses where !isInside(address.value.ip) {
            findings.error(
                "address \(address.value.ip) is outside 127/8, all that mode=loopback may use",
                at: address.place)
        }
        for network in draft.networks {
            findings.error("mode=loopback knows no networks; list a <peer> for each node", at: network.place)
        }
        for peer in draft.peers where !isInside(peer.value.ip) {
            findings.error(
                "peer \(peer.value.ip) is outside 127/8, all that mode=loopback may use", at: peer.place)
        }
        if draft.nodes.isEmpty, let expect = draft.expect {
            findings.error("mode=loopback needs every node listed with its address=", at: expect.place)
        }
        for node in draft.nodes {
            let name = quoted(node.value.name)
            guard let own = draft.bindings.first(where: { $0.value.node == node.value.name })?.value.address
            else {
                findings.error("mode=loopback needs address= for node \(name)", at: node.place)
                continue
            }
            if !isInside(own) {
                findings.error(
                    "node \(name) has an address outside 127/8, all that mode=loopback may use",
                    at: node.place)
            } else if !draft.peers.contains(where: { $0.value.ip == own }) {
                findings.error(
                    "no <peer> has the address \(own) of node \(name); nobody would reach it", at: node.place)
            }
        }
    }
}
