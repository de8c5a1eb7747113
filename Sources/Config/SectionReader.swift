import Cluster
import Primitives
import XML

/// Heartbeats, nodes, addresses and seats.
extension ClusterReader {
    mutating func readHeartbeat(_ element: Element, into draft: inout Draft) {
        check(element, required: [], optional: ["interval", "lease", "dead-after", "discovery"])
        allow(element, children: ["network", "peer"])
        var timing = Timing()
        let before = findings.errors.count
        timing.interval =
            duration(element, "interval", in: .milliseconds(1) ... .seconds(5)) ?? timing.interval
        timing.lease = duration(element, "lease", in: .milliseconds(5) ... .seconds(60)) ?? timing.lease
        timing.deadAfter =
            duration(element, "dead-after", in: .milliseconds(5) ... .seconds(120)) ?? timing.deadAfter
        timing.discovery =
            duration(element, "discovery", in: .milliseconds(10) ... .seconds(600)) ?? timing.discovery
        // Rules between durations that were not understood would only confuse.
        if findings.errors.count == before { draft.timing = Placed(value: timing, place: element.place) }
        for child in children(element, named: "network", limit: Self.networkLimit) {
            if let network = network(child) {
                draft.networks.append(Placed(value: network, place: child.place))
            }
        }
        for child in children(element, named: "peer", limit: Self.nodeLimit) {
            check(child, required: ["address"], optional: ["port"])
            allow(child, children: [])
            let port = child.value("port") == nil ? 5405 : port(child, "port", upTo: Self.lastRingPort)
            if let ip = host(child, "address"), let port {
                draft.peers.append(Placed(value: Endpoint(ip: ip, port: port), place: child.place))
            }
        }
        if element.children(named: "network").isEmpty && element.children(named: "peer").isEmpty {
            findings.error("<heartbeat> needs a <network>, or a <peer> for each node", at: element.place)
        }
    }

    private mutating func network(_ element: Element) -> HeartbeatNetwork? {
        check(element, required: ["name", "subnet"], optional: ["group", "port"])
        allow(element, children: [])
        let name = name(element, "name")
        let port = element.value("port") == nil ? 5405 : port(element, "port", upTo: Self.lastRingPort)
        let group = group(element)
        guard let subnet = prefixed(element, "subnet") else { return nil }
        let edge = subnet.ip.edge(prefixLength: subnet.length, filledWith: 0)
        if edge != subnet.ip {
            findings.error(
                "<network> subnet=\(quoted(element.value("subnet") ?? "")) has bits after its prefix; "
                    + "the network is \(edge)/\(subnet.length)", at: element.place)
        }
        if let group, group.family != subnet.ip.family {
            findings.error("<network> has a subnet and a group of different families", at: element.place)
        }
        guard let name, let port else { return nil }
        return HeartbeatNetwork(
            name: name, subnet: edge, prefixLength: subnet.length, group: group, port: port)
    }

    private mutating func group(_ element: Element) -> IPAddress? {
        guard let text = element.value("group") else { return nil }
        if let group = IPAddress(text), group.isMulticast { return group }
        findings.error(
            "<network> group=\(quoted(text)) is no multicast group; those are 224.0.0.0/4 and ff00::/8",
            at: element.place)
        return nil
    }

    mutating func readNodes(_ element: Element, into draft: inout Draft) {
        check(element, required: [], optional: ["expect"])
        allow(element, children: ["node", "witness"])
        let listed = element.children.filter { $0.name == "node" || $0.name == "witness" }
        if listed.count > Self.nodeLimit {
            findings.error(
                "\(listed.count) nodes; at most \(Self.nodeLimit) are possible",
                at: listed[Self.nodeLimit].place)
        }
        for child in listed.prefix(Self.nodeLimit) {
            check(child, required: ["name"], optional: ["address"])
            let own = ownSection(child)
            let address = host(child, "address")
            // A node with a bad name still counts, so that its slip is told once.
            guard let name = name(child, "name") ?? child.value("name") else { continue }
            let kind = child.name == "witness" ? NodeRule.Kind.witness : .full
            draft.nodes.append(Placed(value: NodeRule(name: name, kind: kind), place: child.place))
            if own != SwitchSection() { draft.switches.append(NodeSwitch(node: name, section: own)) }
            if let address {
                let binding = NodeBinding(node: name, address: address)
                draft.bindings.append(Placed(value: binding, place: child.place))
            }
        }
        if element.value("expect") != nil {
            draft.expect = number(element, "expect", in: 1...Self.nodeLimit)
                .map { Placed(value: $0, place: element.place) }
        } else if listed.isEmpty {
            findings.error(
                "<nodes> lists no nodes, so it must say how many to expect before a cluster forms: "
                    + "expect=\"5\"",
                at: element.place)
        } else {
            draft.expect = Placed(value: min(listed.count, Self.nodeLimit), place: element.place)
        }
    }

    mutating func readAddresses(_ element: Element, into draft: inout Draft) {
        check(element, required: [], optional: ["mode", "probe-port"])
        allow(element, children: ["address"])
        let isLoopback = choice(element, "mode", [("kernel", false), ("loopback", true)], otherwise: false)
        let port = port(element, "probe-port")
        if isLoopback == true {
            draft.mode = .loopback(probePort: port ?? 15060)
        } else if isLoopback == false, element.value("probe-port") != nil {
            findings.error("<addresses> probe-port= belongs to mode=\"loopback\"", at: element.place)
        }
        for child in children(element, named: "address", limit: Self.addressLimit) {
            check(child, required: ["name", "ip"])
            allow(child, children: [])
            let name = name(child, "name")
            if let name = child.value("name") { draft.addressNames.append(name) }
            guard let ip = prefixed(child, "ip"), let name else { continue }
            if let reason = unusable(ip.ip, prefixLength: ip.length) {
                findings.error("<address> ip=\(quoted(child.value("ip") ?? "")) \(reason)", at: child.place)
            }
            let address = ServiceAddress(name: name, ip: ip.ip, prefixLength: ip.length)
            draft.addresses.append(Placed(value: address, place: child.place))
        }
        if element.children(named: "address").isEmpty {
            findings.error("<addresses> needs at least one <address>", at: element.place)
        }
    }

    private func unusable(_ ip: IPAddress, prefixLength: Int) -> String? {
        if let reason = ip.unusable { return reason }
        guard prefixLength < (ip.family == .v4 ? 31 : 127) else { return nil }
        if ip == ip.edge(prefixLength: prefixLength, filledWith: 0) { return "is the network itself" }
        if ip.family == .v4, ip == ip.edge(prefixLength: prefixLength, filledWith: 1) {
            return "is the broadcast address of its network"
        }
        return nil
    }

    mutating func readSeats(_ element: Element, into draft: inout Draft) {
        check(element, required: [])
        allow(element, children: ["seat"])
        for child in children(element, named: "seat", limit: Self.seatLimit) {
            check(child, required: ["name", "address"], optional: ["prefer"])
            allow(child, children: [])
            let address = name(child, "address")
            let prefer = name(child, "prefer")
            guard let name = name(child, "name"), let address else { continue }
            let seat = SeatRule(name: name, address: address, prefer: prefer)
            draft.seats.append(Placed(value: seat, place: child.place))
        }
        if element.children(named: "seat").isEmpty {
            findings.error("<seats> needs at least one <seat>", at: element.place)
        }
    }
}
