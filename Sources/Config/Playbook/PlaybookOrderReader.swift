import Cluster
import Primitives
import XML

/// Programs, checks and notices.
extension PlaybookReader {
    private static let argumentLimit = 64
    private static let variableLimit = 32
    private static let valueLimit = 4096
    private static let pathLimit = 1024
    private static let urlLimit = 1000
    /// For the leader to be told how a program ended.
    private static let reporting = Duration.seconds(30)

    mutating func run(_ element: Element) -> (PlaybookAction, Duration)? {
        order(element).map { (.run($0), $0.timeout + Self.reporting) }
    }

    /// - Parameter usual: the timeout when the element does not say.
    mutating func order(_ written: Element, usual: Duration = .seconds(300)) -> CommandOrder? {
        let element = opened(
            written, required: ["program"], optional: ["node", "timeout"], runtime: ["node"])
        refuseText(in: element)
        let node = clusterName(element, "node", .node)
        let program = program(element)
        let timeout = timeout(element, otherwise: usual)
        let arguments = arguments(element)
        let environment = environment(element)
        guard let program, let timeout, node != nil || element.value("node") == nil else { return nil }
        return CommandOrder(
            node: node ?? "", program: program, arguments: arguments, environment: environment,
            timeout: timeout)
    }

    private mutating func program(_ element: Element) -> String? {
        guard let text = element.value("program") else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        if !text.hasPrefix("/") {
            refuse(
                element, "program", "is not an absolute path; no PATH is searched and no shell is involved")
        } else if text.utf8.count > Self.pathLimit
            || text.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 })
            || parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." })
        {
            refuse(element, "program", "is no plain path of at most \(Self.pathLimit) bytes")
        } else {
            return text
        }
        return nil
    }

    private mutating func arguments(_ element: Element) -> [String] {
        children(element, named: "argument", limit: Self.argumentLimit).map { child in
            check(child, required: [])
            allow(child, children: [])
            let text = child.text
            checkValue(text, of: child)
            return text
        }
    }

    private mutating func checkValue(_ text: String, of element: Element) {
        if text.utf8.count > Self.valueLimit {
            findings.error("\(element.tag) is longer than \(Self.valueLimit) bytes", at: element.place)
        }
        if Self.hasLeftover(text) { return }
        for reason in obstacles(text) {
            findings.error("the text of \(element.tag), \(quoted(text)), \(reason)", at: element.place)
        }
    }

    private mutating func environment(_ element: Element) -> [CommandOrder.Variable] {
        var variables: [CommandOrder.Variable] = []
        for written in children(element, named: "environment", limit: Self.variableLimit) {
            let child = opened(written, required: ["name", "value"], runtime: ["value"])
            allow(child, children: [])
            refuseText(in: child)
            guard let name = child.value("name") else { continue }
            let isName =
                (1...64).contains(name.utf8.count)
                && name.utf8.enumerated().allSatisfy { index, byte in
                    (65...90).contains(byte) || (97...122).contains(byte) || byte == 95
                        || index > 0 && (48...57).contains(byte)
                }
            if !isName {
                refuse(child, "name", "is no name of a variable; those are letters, digits and _")
            } else if name.uppercased().hasPrefix("FSDNS_") {
                refuse(child, "name", "begins with FSDNS_, as only what the run itself tells does")
            } else if variables.contains(where: { $0.name == name }) {
                refuse(child, "name", "stands there twice")
            } else if let value = child.value("value") {
                checkValue(value, of: child)
                variables.append(.init(name: name, value: value))
            }
        }
        return variables.sorted { $0.name < $1.name }
    }

    // MARK: - Checks

    mutating func playbookCheck(_ written: Element) -> (PlaybookAction, Duration)? {
        let kinds = ["options", "tcp", "http", "calls-below", "registrations", "dns", "headroom"]
        let element = opened(
            written, required: [], optional: kinds + ["status", "node", "interval", "timeout"],
            runtime: ["http", "node"])
        let present = kinds.filter { written.value($0) != nil }
        let runs = element.children(named: "run").isEmpty ? [] : ["a <run>"]
        if (present + runs).count != 1 {
            findings.error(
                "<check> needs one of \(kinds.map { "\($0)=" }.joined(separator: ", ")) or a <run>"
                    + (present + runs).enumerated().map {
                        ($0.offset == 0 ? "; it has " : " and ") + $0.element
                    }
                    .joined(), at: element.place)
        }
        for (name, kind) in [("status", "http"), ("node", "calls-below")]
        where written.value(name) != nil && written.value(kind) == nil {
            findings.error("<check> \(name)= belongs to \(kind)=", at: element.place)
        }
        let interval =
            element.value("interval") == nil
            ? .seconds(5) : duration(element, "interval", in: .seconds(1) ... .seconds(3600))
        let timeout = timeout(element, otherwise: .seconds(300))
        let what = runs.isEmpty ? self.what(element, present.first) : onlyRun(element).map { .command($0) }
        guard let what, let interval, let timeout, (present + runs).count == 1 else { return nil }
        return (.check(what, interval: interval), timeout)
    }

    private mutating func what(_ element: Element, _ kind: String?) -> PlaybookCheck? {
        switch kind {
        case "options": return place(element, "options", port: 5060).map { .options($0) }
        case "tcp": return place(element, "tcp", port: nil).map { .tcp($0) }
        case "http":
            let status = element.value("status") == nil ? 200 : number(element, "status", in: 100...599)
            guard let url = url(element, "http"), let status else { return nil }
            return .http(url: url, status: status)
        case "calls-below":
            let node = clusterName(element, "node", .node)
            guard let count = number(element, "calls-below", in: 1...1_000_000),
                node != nil || element.value("node") == nil
            else { return nil }
            return .callsBelow(count, node: node)
        case "registrations":
            return choice(
                element, "registrations",
                [("converged", PlaybookCheck.registrationsConverged as PlaybookCheck?)],
                otherwise: nil) ?? nil
        case "dns":
            return choice(
                element, "dns", [("converged", PlaybookCheck.zoneConverged as PlaybookCheck?)],
                otherwise: nil) ?? nil
        case "headroom":
            let slaves = number(element, "headroom", in: 0...ClusterReader.nodeLimit)
            if let slaves { checkSlaves(element, "headroom", slaves) }
            return slaves.map { .headroom(slaves: $0) }
        default: return nil
        }
    }

    /// A cluster never has more slaves than nodes without seats.
    mutating func checkSlaves(_ element: Element, _ attribute: String, _ slaves: Int) {
        guard let cluster, !cluster.nodes.isEmpty else { return }
        let nodes = cluster.nodes.filter { $0.kind == .full }.count
        let most = max(0, nodes - cluster.seats.count)
        guard slaves > most else { return }
        refuse(
            element, attribute,
            "is more slaves than there can be: \(nodes) nodes with \(cluster.seats.count) seats leave \(most)"
        )
    }

    /// An address and a port; the address may be one of the cluster's, by its name.
    private mutating func place(_ element: Element, _ attribute: String, port: UInt16?) -> Endpoint? {
        guard let text = element.value(attribute) else { return nil }
        let colon = text.lastIndex(of: ":")
        let name = colon.map { String(text[..<$0]) } ?? text
        // What begins with a digit or holds a colon is an address.
        guard let first = name.utf8.first, !(48...57).contains(first), Name.isValid(name) else {
            return endpoint(element, attribute, defaultPort: port)
        }
        let number = colon.map { UInt16(text[text.index(after: $0)...]) } ?? port
        guard let number, number > 0 else {
            refuse(element, attribute, "needs a port, like \(name):5060")
            return nil
        }
        guard let cluster else {
            refuse(element, attribute, "names an address of the cluster; check it with the cluster file")
            return nil
        }
        guard let address = cluster.addresses.first(where: { $0.name == name }) else {
            let known = cluster.addresses.map(\.name).joined(separator: ", ")
            refuse(element, attribute, "is an unknown address; the addresses are \(known)")
            return nil
        }
        return Endpoint(ip: address.ip, port: number)
    }

    private mutating func url(_ element: Element, _ attribute: String) -> String? {
        guard let text = element.value(attribute) else { return nil }
        let host = text.dropFirst("http://".count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if text.hasPrefix("https://") {
            refuse(element, attribute, "is https, which is not spoken here; use a <run> of curl instead")
        } else if !text.hasPrefix("http://") || host.isEmpty || host.contains("@")
            || text.utf8.count > Self.urlLimit || !text.utf8.allSatisfy({ (33...126).contains($0) })
        {
            refuse(element, attribute, "is no plain URL like http://10.0.0.1:8080/health")
        } else {
            return text
        }
        return nil
    }

    // MARK: - Notices

    mutating func notify(_ written: Element) -> (PlaybookAction, Duration)? {
        let element = opened(written, required: [], optional: ["webhook", "timeout"], runtime: ["webhook"])
        let runs = element.children(named: "run")
        if (written.value("webhook") == nil) == runs.isEmpty {
            findings.error("<notify> needs webhook= or a <run>, one of them", at: element.place)
            return nil
        }
        let timeout = timeout(element, otherwise: .seconds(30))
        let notice: PlaybookNotice? =
            runs.isEmpty
            ? url(element, "webhook").map { .webhook($0) } : onlyRun(element).map { .command($0) }
        guard let notice, let timeout else { return nil }
        return (.notify(notice), timeout)
    }
}
