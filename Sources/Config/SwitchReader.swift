import XML

/// FreeSWITCH, and what we offer beside it.
extension ClusterReader {
    static let switchSections = ["freeswitch", "event-socket", "limit-service"]

    mutating func readSwitch(_ element: Element) -> SwitchSettings? {
        allow(element, children: [])
        let kinds = [(name: "event-socket", value: false), (name: "none", value: true)]
        let kind = choice(element, "kind", kinds, otherwise: false)
        if kind == true {
            check(element, required: ["kind"])
            return SwitchSettings.none
        }
        check(
            element, required: ["socket", "password-file"],
            optional: [
                "kind", "check", "failed-after", "registrations", "injections-per-second",
                "prompts-per-second",
                "drain-outbound",
            ])
        let endpoint = endpoint(element, "socket", defaultPort: nil)
        let passwordFile = path(element, "password-file")
        guard kind != nil, let endpoint, let passwordFile else { return nil }
        var access = SwitchAccess(endpoint: endpoint, passwordFile: passwordFile)
        access.check = duration(element, "check", in: .milliseconds(10) ... .seconds(10)) ?? access.check
        access.failedAfter =
            duration(element, "failed-after", in: .milliseconds(50) ... .seconds(60)) ?? access.failedAfter
        let modes = SwitchAccess.Registrations.allCases.map { (name: $0.rawValue, value: $0) }
        access.registrations =
            choice(element, "registrations", modes, otherwise: access.registrations) ?? access.registrations
        access.injectionsPerSecond =
            number(element, "injections-per-second", in: 1...100_000) ?? access.injectionsPerSecond
        access.promptsPerSecond =
            number(element, "prompts-per-second", in: 1...1000) ?? access.promptsPerSecond
        access.drainsOutbound =
            choice(
                element, "drain-outbound", [(name: "refuse", value: true), (name: "allow", value: false)],
                otherwise: access.drainsOutbound) ?? access.drainsOutbound
        if access.failedAfter < access.check * 2 {
            findings.error(
                "<freeswitch> failed-after=\(quoted(DurationText.text(access.failedAfter))) must be at least "
                    + "twice check=\(quoted(DurationText.text(access.check)))", at: element.place)
        }
        return .eventSocket(access)
    }

    private mutating func listener(_ element: Element, looks: Bool = false) -> ListenerSettings? {
        check(
            element, required: ["listen", "password-file"], optional: looks ? ["look-password-file"] : [])
        allow(element, children: [])
        let endpoint = endpoint(element, "listen", defaultPort: nil)
        let passwordFile = path(element, "password-file")
        guard let endpoint, let passwordFile else { return nil }
        if !endpoint.ip.isLoopback {
            findings.warn(
                "\(element.tag) listens on \(endpoint), where others can reach it; a firewall has to say who may",
                at: element.place)
        }
        return ListenerSettings(
            endpoint: endpoint, passwordFile: passwordFile,
            lookPasswordFile: path(element, "look-password-file"))
    }

    /// The three sections that may stand for all nodes and, otherwise, in one node's own element.
    mutating func switchSection(_ sections: [String: Element]) -> SwitchSection {
        SwitchSection(
            freeswitch: sections["freeswitch"].flatMap { readSwitch($0) },
            eventSocket: sections["event-socket"].flatMap { listener($0, looks: true) },
            limitService: sections["limit-service"].flatMap { listener($0) })
    }

    /// What one node has otherwise than the others.
    mutating func ownSection(_ node: Element) -> SwitchSection {
        allow(node, children: node.name == "witness" ? [] : Self.switchSections)
        var sections: [String: Element] = [:]
        for child in node.children where Self.switchSections.contains(child.name) {
            if let first = sections[child.name] {
                findings.error(
                    "\(child.tag) stands here a second time, after \(first.place.words(from: child.place))",
                    at: child.place)
            } else {
                sections[child.name] = child
            }
        }
        return node.name == "witness" ? SwitchSection() : switchSection(sections)
    }

    mutating func limitRules(_ element: Element) -> LimitRules {
        check(element, required: [], optional: ["when-split"])
        allow(element, children: ["limit"])
        let policies = LimitRules.WhenSplit.allCases.map { (name: $0.rawValue, value: $0) }
        var rules = LimitRules()
        rules.otherwise =
            choice(element, "when-split", policies, otherwise: rules.otherwise) ?? rules.otherwise
        for child in children(element, named: "limit", limit: 256) {
            check(child, required: ["name", "when-split"])
            allow(child, children: [])
            guard let pattern = child.value("name"),
                let whenSplit = choice(child, "when-split", policies, otherwise: .open)
            else { continue }
            guard (1...255).contains(pattern.utf8.count), pattern.utf8.allSatisfy({ (33...126).contains($0) })
            else {
                findings.error(
                    "<limit> name=\(quoted(pattern)) is no key of a limit: 1 to 255 visible ASCII characters",
                    at: child.place)
                continue
            }
            rules.rules.append(LimitRules.Rule(pattern: pattern, whenSplit: whenSplit))
        }
        return rules
    }
}
