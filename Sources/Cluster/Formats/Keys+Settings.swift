// The JSON keys of the cluster file as it is agreed on.
//
// They are the format: a property or case that gets another name keeps its key, as in `case newName = "oldName"`.

extension ClusterSettings {
    enum CodingKeys: String, CodingKey {
        case cluster, timing, nodes, expect, addresses, seats, policy, dns, version
    }
}

extension Timing {
    enum CodingKeys: String, CodingKey { case interval, lease, deadAfter, discovery }
}

extension NodeRule {
    enum CodingKeys: String, CodingKey { case name, kind }
}

extension ServiceAddress {
    enum CodingKeys: String, CodingKey { case name, ip, prefixLength }
}

extension SeatRule {
    enum CodingKeys: String, CodingKey { case name, address, prefer }
}

extension Policy {
    enum CodingKeys: String, CodingKey {
        case noQuorum, onExhaustion, takeoversPerHour, playbookLateness, unservedAfter
    }
}

extension DNSSettings {
    enum CodingKeys: String, CodingKey {
        case zone, ttl, floor, servers, services, exclusiveServices, seatNames, srv
    }
}

extension DNSSettings.ServerSettings {
    enum CodingKeys: String, CodingKey { case endpoint, keyName, algorithm, secretFile }
}

extension DNSSettings.SRVSettings {
    enum CodingKeys: String, CodingKey { case service, port, priority, weight }
}
