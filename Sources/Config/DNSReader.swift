import Cluster
import XML

/// The zone and its servers.
extension ClusterReader {
    mutating func dns(_ element: Element) -> Placed<DNSSettings>? {
        check(element, required: ["zone"], optional: ["ttl", "floor"])
        allow(element, children: ["server", "service", "seat-names", "srv"])
        let zone = domainName(element, "zone")
        let ttl = element.value("ttl") == nil ? .seconds(60) : ttl(element)
        let floor = element.value("floor") == nil ? 1 : number(element, "floor", in: 1...Self.seatLimit)
        let servers = readServers(element)
        let (services, exclusive) = readServices(element, zone: zone)
        let srv = readSRV(element)
        let seatNames = children(element, named: "seat-names", limit: 1)
        for child in seatNames {
            check(child, required: [])
            allow(child, children: [])
        }
        let count = { (name: String) in element.children(named: name).count }
        if count("service") + count("seat-names") == 0 {
            let why = count("srv") > 0 ? "the SRV records have no name to point to" : "nothing is published"
            findings.error("<dns> needs a <service> or <seat-names/>: \(why)", at: element.place)
        }
        guard let zone, let ttl, let floor else { return nil }
        for (service, place) in services.map({ ($0.value, $0.place) })
            + srv.map({ ($0.value.service, $0.place) })
        where "_fsdns.\(service).\(zone)".utf8.count > 253 {
            findings.error("\(quoted(service)) is too long a name in the zone \(zone)", at: place)
        }
        var settings = DNSSettings(
            zone: zone, ttl: ttl, floor: floor, servers: servers, services: services.map(\.value).sorted(),
            seatNames: !seatNames.isEmpty, srv: srv.map(\.value).sorted { $0.service < $1.service })
        settings.exclusiveServices = exclusive.isEmpty ? nil : exclusive.sorted()
        return Placed(value: settings, place: element.place)
    }

    private mutating func ttl(_ element: Element) -> Duration? {
        guard let ttl = duration(element, "ttl", in: .seconds(1) ... .seconds(86_400)) else { return nil }
        if ttl.components.attoseconds == 0 { return ttl }
        findings.error("<dns> ttl= counts whole seconds", at: element.place)
        return nil
    }

    private mutating func readServers(_ element: Element) -> [DNSSettings.ServerSettings] {
        var servers: [DNSSettings.ServerSettings] = []
        let children = children(element, named: "server", limit: Self.serverLimit)
        if children.isEmpty { findings.error("<dns> needs at least one <server>", at: element.place) }
        for (index, child) in children.enumerated() {
            check(child, required: ["address"], optional: ["key", "algorithm", "secret-file"])
            allow(child, children: [])
            if index == 0, child.value("key") == nil {
                findings.error(
                    "the first <server> gets the updates, so it needs key= and secret-file=", at: child.place)
            } else if (child.value("key") == nil) != (child.value("secret-file") == nil) {
                findings.error("<server> key= and secret-file= go together", at: child.place)
            }
            if child.value("algorithm") != nil, child.value("key") == nil {
                findings.error("<server> algorithm= belongs to a key=", at: child.place)
            }
            let key = domainName(child, "key", underscores: true)
            let algorithms = ["hmac-sha256", "hmac-sha512"].map { (name: $0, value: $0) }
            let algorithm = choice(child, "algorithm", algorithms, otherwise: algorithms[0].value)
            let secretFile = path(child, "secret-file")
            guard let endpoint = endpoint(child, "address", defaultPort: 53), let algorithm else { continue }
            if servers.contains(where: { $0.endpoint == endpoint }) {
                findings.error("a second <server> has the address \(endpoint)", at: child.place)
            }
            servers.append(
                .init(endpoint: endpoint, keyName: key, algorithm: algorithm, secretFile: secretFile))
        }
        return servers
    }

    private mutating func readServices(
        _ element: Element, zone: String?
    ) -> (all: [Placed<String>], exclusive: [String]) {
        var services: [Placed<String>] = []
        var exclusive: [String] = []
        for child in children(element, named: "service", limit: Self.recordLimit) {
            check(child, required: ["name"], optional: ["exclusive"])
            allow(child, children: [])
            let isExclusive = choice(
                child, "exclusive", [(name: "yes", value: true), (name: "no", value: false)], otherwise: false
            )
            guard let name = serviceName(child, zone: zone), let isExclusive else { continue }
            if isExclusive { exclusive.append(name) }
            if services.contains(where: { $0.value == name }) {
                findings.error("a second <service> has the name \(quoted(name))", at: child.place)
            }
            services.append(Placed(value: name, place: child.place))
        }
        return (services, exclusive)
    }

    /// Relative to the zone. One that ends with a dot (RFC 1035 §5.1), or with the zone's name, is taken for an absolute one.
    private mutating func serviceName(_ element: Element, zone: String?) -> String? {
        guard let name = domainName(element, "name"), let text = element.value("name"), let zone else {
            return nil
        }
        if name.hasSuffix(".\(zone)") { return String(name.dropLast(zone.utf8.count + 1)) }
        if name == zone || text.hasSuffix(".") {
            findings.error(
                "<service> name=\(quoted(text)) is no name below the zone \(zone); write it without the zone, "
                    + "like sip", at: element.place)
            return nil
        }
        return name
    }

    private mutating func readSRV(_ element: Element) -> [Placed<DNSSettings.SRVSettings>] {
        var records: [Placed<DNSSettings.SRVSettings>] = []
        for child in children(element, named: "srv", limit: Self.recordLimit) {
            check(child, required: ["service", "port"], optional: ["priority", "weight"])
            allow(child, children: [])
            let port = port(child, "port")
            let priority = child.value("priority") == nil ? 10 : number(child, "priority", in: 0...65535)
            let weight = child.value("weight") == nil ? 10 : number(child, "weight", in: 0...65535)
            guard let service = srvName(child), let port, let priority, let weight else { continue }
            if records.contains(where: { $0.value.service == service }) {
                findings.error("a second <srv> has the service \(quoted(service))", at: child.place)
            }
            let record = DNSSettings.SRVSettings(
                service: service, port: port, priority: UInt16(priority), weight: UInt16(weight))
            records.append(Placed(value: record, place: child.place))
        }
        return records
    }

    /// RFC 2782: `_service._protocol`.
    private mutating func srvName(_ element: Element) -> String? {
        guard let text = element.value("service") else { return nil }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        if labels.count == 2, labels.allSatisfy({ $0.hasPrefix("_") }), !text.hasSuffix("."),
            let name = Name.domain(text, underscores: true)
        {
            return name
        }
        findings.error(
            "<srv> service=\(quoted(text)) must be a service and a protocol, like _sip._udp",
            at: element.place)
        return nil
    }
}
