import Cluster
import Primitives
import XML

/// Reads the tree of a cluster file into values, and goes on after every mistake to find the next.
///
/// The rules about one element stand with its reading; the rules between elements in `ClusterRules`.
struct ClusterReader {
    static let nodeLimit = 64
    /// Calls, registrations and limits are copied by the next one.
    static let lastRingPort = 65534
    static let addressLimit = 256
    static let seatLimit = 64
    static let networkLimit = 8
    static let serverLimit = 16
    static let recordLimit = 16

    var findings: Findings

    /// Everything read so far, with its places; what could not be read is missing.
    struct Draft {
        var timing: Placed<Timing>?
        var networks: [Placed<HeartbeatNetwork>] = []
        var peers: [Placed<Endpoint>] = []
        var nodes: [Placed<NodeRule>] = []
        var bindings: [Placed<NodeBinding>] = []
        var expect: Placed<Int>?
        var mode = AddressMode.kernel
        var addresses: [Placed<ServiceAddress>] = []
        /// Also of addresses that could not be read: a seat that names one is not to blame.
        var addressNames: [String] = []
        var seats: [Placed<SeatRule>] = []
        var policy: Placed<Policy>?
        var dns: Placed<DNSSettings>?
        var switches: [NodeSwitch] = []
    }

    /// Nil only when there are errors.
    mutating func clusterFile(_ root: Element) -> ClusterFile? {
        guard root.name == "cluster" else {
            findings.error(
                "the root element must be <cluster xmlns=\"\(Element.namespace)\">, not \(root.tag)",
                at: root.place)
            return nil
        }
        check(root, required: ["name"])
        let sections = sections(of: root)
        let name = name(root, "name")
        let keyFile = sections["key"].flatMap { key -> String? in
            check(key, required: ["file"])
            allow(key, children: [])
            return path(key, "file")
        }
        var draft = Draft()
        if let section = sections["heartbeat"] { readHeartbeat(section, into: &draft) }
        if let section = sections["addresses"] { readAddresses(section, into: &draft) }
        if let section = sections["nodes"] { readNodes(section, into: &draft) }
        if let section = sections["seats"] { readSeats(section, into: &draft) }
        if let section = sections["policy"] { readPolicy(section, into: &draft) }
        if let section = sections["dns"] { draft.dns = dns(section) }
        let common = switchSection(sections)
        let programsFile = sections["playbooks"].flatMap { playbooks -> String? in
            check(playbooks, required: ["programs"])
            allow(playbooks, children: [])
            return path(playbooks, "programs")
        }
        let certificates = sections["links"].flatMap { linkCertificates($0) }
        let limitRules = sections["limits"].map { self.limitRules($0) } ?? LimitRules()
        checkRules(draft, root: root)
        checkListeners(draft, common: common, root: root)
        guard findings.errors.isEmpty, let name, let keyFile, let freeswitch = common.freeswitch,
            let timing = draft.timing,
            let expect = draft.expect
        else { return nil }
        let settings = ClusterSettings(
            cluster: name, timing: timing.value,
            nodes: draft.nodes.map(\.value).sorted { $0.name < $1.name }, expect: expect.value,
            addresses: draft.addresses.map(\.value), seats: draft.seats.map(\.value),
            policy: draft.policy?.value ?? Policy(), dns: draft.dns?.value)
        return ClusterFile(
            settings: settings, keyFile: keyFile,
            networks: draft.networks.map(\.value).sorted { $0.name < $1.name },
            peers: draft.peers.map(\.value).sorted(),
            nodeBindings: draft.bindings.map(\.value).sorted { $0.node < $1.node },
            addressMode: draft.mode, freeswitch: freeswitch, eventSocket: common.eventSocket,
            limitService: common.limitService,
            nodeSwitches: draft.switches.sorted { $0.node < $1.node }, limitRules: limitRules,
            programsFile: programsFile, certificates: certificates,
            warnings: [])
    }

    private mutating func sections(of root: Element) -> [String: Element] {
        let required = ["key", "heartbeat", "nodes", "addresses", "seats", "freeswitch"]
        allow(
            root,
            children: ["key", "heartbeat", "nodes", "addresses", "seats", "policy", "dns"]
                + Self.switchSections + ["limits", "playbooks", "links"])
        var sections: [String: Element] = [:]
        for child in root.children {
            if let first = sections[child.name] {
                findings.error(
                    "\(child.tag) stands here a second time, after \(first.place.words(from: child.place))",
                    at: child.place)
            } else {
                sections[child.name] = child
            }
        }
        for name in required where sections[name] == nil {
            let hint = name == "freeswitch" ? "; say <freeswitch kind=\"none\"/> where there is none" : ""
            findings.error("<\(name)> is missing in <cluster>\(hint)", at: root.place)
        }
        return sections
    }

    private mutating func linkCertificates(_ element: Element) -> LinkCertificateFiles? {
        check(element, required: ["certificate-file", "authority-file"], optional: ["required"])
        allow(element, children: [])
        let isRequired = choice(element, "required", [("yes", true), ("no", false)], otherwise: true)
        guard let certificate = path(element, "certificate-file"),
            let authority = path(element, "authority-file"), let isRequired
        else { return nil }
        if certificate == authority {
            findings.error(
                "certificate-file and authority-file are the same file; the first is this machine's own "
                    + "certificate and its key, the second the certificates of who signs them",
                at: element.place)
        }
        return LinkCertificateFiles(
            certificateFile: certificate, authorityFile: authority, isRequired: isRequired)
    }

    private mutating func readPolicy(_ element: Element, into draft: inout Draft) {
        check(
            element, required: [],
            optional: ["no-quorum", "on-exhaustion", "takeovers-per-hour", "unserved-after"])
        allow(element, children: [])
        var policy = Policy()
        policy.noQuorum =
            choice(
                element, "no-quorum", [("release", .release), ("hold", .hold)], otherwise: policy.noQuorum)
            ?? policy.noQuorum
        policy.onExhaustion =
            choice(
                element, "on-exhaustion", [("withdraw", .withdraw), ("keep", .keep)],
                otherwise: policy.onExhaustion) ?? policy.onExhaustion
        if element.value("takeovers-per-hour") != nil {
            policy.takeoversPerHour = number(element, "takeovers-per-hour", in: 0...1000) ?? 0
        }
        policy.unservedAfter = duration(
            element, "unserved-after", in: .milliseconds(500) ... .seconds(60))
        draft.policy = Placed(value: policy, place: element.place)
    }
}
