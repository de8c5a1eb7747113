import Primitives
import XML

/// Who else would want the address and port that one of our services is to listen on.
extension ClusterReader {
    /// - Parameters:
    ///   - common: what is said for all nodes.
    ///   - root: for the places of the elements.
    mutating func checkListeners(_ draft: Draft, common: SwitchSection, root: Element) {
        checkListeners(of: common, in: root, draft)
        let elements = root.children(named: "nodes").flatMap(\.children)
        for node in draft.switches {
            guard let element = elements.first(where: { $0.value("name") == node.node }) else { continue }
            checkListeners(of: node.section.completed(by: common), in: element, draft)
        }
    }

    private mutating func checkListeners(of section: SwitchSection, in element: Element, _ draft: Draft) {
        var taken: [(endpoint: Endpoint, who: String)] = []
        if case .eventSocket(let access) = section.freeswitch {
            taken.append((access.endpoint, "FreeSWITCH's event socket, <freeswitch> socket="))
        }
        for (listener, tag) in [
            (section.eventSocket, "event-socket"), (section.limitService, "limit-service"),
        ] {
            guard let endpoint = listener?.endpoint else { continue }
            let place = element.children(named: tag).first?.place ?? element.place
            if let other = taken.first(where: { $0.endpoint == endpoint })?.who ?? ring(at: endpoint, draft) {
                findings.error("<\(tag)> listen=\(endpoint) is also \(other)", at: place)
            }
            if let address = draft.addresses.first(where: { $0.value.ip == endpoint.ip }) {
                findings.error(
                    "<\(tag)> listen=\(endpoint) is the service address \(quoted(address.value.name)), "
                        + "which a machine has only while it holds it; listen on an address of the machine",
                    at: place)
            }
            taken.append((endpoint, "that of <\(tag)>"))
        }
    }

    /// Peer links take the port of the heartbeats by TCP, replica links the one above.
    private func ring(at endpoint: Endpoint, _ draft: Draft) -> String? {
        for peer in draft.peers where peer.value.ip == endpoint.ip {
            if let links = Self.links(at: endpoint, heartbeats: peer.value.port) { return links }
        }
        for network in draft.networks {
            let (subnet, length) = (network.value.subnet, network.value.prefixLength)
            guard endpoint.ip.isInNetwork(of: subnet, prefixLength: length) else { continue }
            if let links = Self.links(at: endpoint, heartbeats: network.value.port) { return links }
        }
        return nil
    }

    private static func links(at endpoint: Endpoint, heartbeats port: UInt16) -> String? {
        if endpoint.port == port { return "the port of the peer links" }
        if endpoint.port == port &+ 1 { return "the port of the replica links" }
        return nil
    }
}
