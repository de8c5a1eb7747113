import Cluster

/// A number for what a cluster file means: layout, comments and secrets' paths do not change it.
///
/// FNV-1a with 64 bits: it tells versions of one file apart and protects nothing.
struct Fingerprint {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325
    /// Nil while only the number is wanted; otherwise each field as a line for people.
    private var lines: [String]?

    /// Adds one field; the separators keep `ab, c` and `a, bc` apart.
    private mutating func add(_ field: String, _ values: String?...) {
        lines?.append(([field] + values.compactMap { $0 }).joined(separator: " "))
        for text in [field] + values.map({ $0.map { "=" + $0 } ?? "-" }) {
            for byte in text.utf8 { add(byte) }
            add(0x1F)
        }
        add(0x1E)
    }

    private mutating func add(_ byte: UInt8) {
        state = (state ^ UInt64(byte)) &* 0x100_0000_01B3
    }

    /// Lists whose order has no meaning are sorted in the value already; the others count in their order.
    static func version(of file: ClusterFile) -> UInt64 {
        var print = Fingerprint()
        print.add(file.settings)
        print.addLocal(file)
        return print.state
    }

    /// What the number is made of: one line for each thing that the file says.
    static func lines(of file: ClusterFile) -> [String] {
        var print = Fingerprint()
        print.lines = []
        print.add(file.settings)
        print.addLocal(file)
        return print.lines ?? []
    }

    private mutating func add(_ settings: ClusterSettings) {
        let timing = settings.timing
        add("cluster", settings.cluster, "\(settings.expect)")
        add(
            "timing", text(timing.interval), text(timing.lease), text(timing.deadAfter),
            text(timing.discovery))
        for node in settings.nodes { add("node", node.name, node.kind.rawValue) }
        for address in settings.addresses {
            add("address", address.name, "\(address.ip)", "\(address.prefixLength)")
        }
        for seat in settings.seats { add("seat", seat.name, seat.address, seat.prefer) }
        let policy = settings.policy
        add(
            "policy", policy.noQuorum.rawValue, policy.onExhaustion.rawValue, "\(policy.takeoversPerHour)")
        // Only when it is given: a file without it means the same to an earlier release.
        if let after = policy.unservedAfter { add("unserved-after", text(after)) }
        guard let dns = settings.dns else { return }
        add("dns", dns.zone, text(dns.ttl), "\(dns.floor)", "\(dns.seatNames)")
        for server in dns.servers {
            add("server", "\(server.endpoint)", server.keyName, server.keyName.map { _ in server.algorithm })
        }
        for service in dns.services { add("service", service) }
        for service in dns.exclusiveServices ?? [] { add("exclusive", service) }
        for srv in dns.srv { add("srv", srv.service, "\(srv.port)", "\(srv.priority)", "\(srv.weight)") }
    }

    private mutating func addLocal(_ file: ClusterFile) {
        for network in file.networks {
            add(
                "network", network.name, "\(network.subnet)", "\(network.prefixLength)",
                network.group.map { "\($0)" }, "\(network.port)")
        }
        for peer in file.peers { add("peer", "\(peer)") }
        for binding in file.nodeBindings { add("binding", binding.node, "\(binding.address)") }
        switch file.addressMode {
        case .kernel: add("mode", "kernel")
        case .loopback(let port): add("mode", "loopback", "\(port)")
        }
        add(
            SwitchSection(
                freeswitch: file.freeswitch, eventSocket: file.eventSocket, limitService: file.limitService))
        for own in file.nodeSwitches {
            add("node-switch", own.node)
            add(own.section)
        }
        if file.limitRules != LimitRules() {
            add("limits", file.limitRules.otherwise.rawValue)
            for rule in file.limitRules.rules { add("limit", rule.pattern, rule.whenSplit.rawValue) }
        }
        if let certificates = file.certificates {
            add("links", certificates.isRequired ? "certificates required" : "certificates accepted")
        }
    }

    private mutating func add(_ section: SwitchSection) {
        switch section.freeswitch {
        case nil: break
        case .some(.none): add("freeswitch")
        case .eventSocket(let access):
            let usual = SwitchAccess(endpoint: access.endpoint, passwordFile: access.passwordFile)
            // A file of the version before has the number it had then.
            if access == usual {
                add("freeswitch", "\(access.endpoint)")
            } else {
                add(
                    "freeswitch", "\(access.endpoint)", text(access.check), text(access.failedAfter),
                    access.registrations.rawValue, "\(access.injectionsPerSecond)")
            }
            // Later than the number's form: files without them keep theirs.
            if access.promptsPerSecond != usual.promptsPerSecond
                || access.drainsOutbound != usual.drainsOutbound
            {
                add("drain", "\(access.promptsPerSecond)", access.drainsOutbound ? "refuse" : "allow")
            }
        }
        if let listener = section.eventSocket { add("event-socket", "\(listener.endpoint)") }
        if let listener = section.limitService { add("limit-service", "\(listener.endpoint)") }
    }

    private func text(_ duration: Duration) -> String {
        if lines != nil { return DurationText.text(duration) }
        let (seconds, attoseconds) = duration.components
        return "\(seconds).\(attoseconds)"
    }
}
