import Cluster
@preconcurrency import Glibc
import Primitives
import XML

/// The cluster file, read and checked: what the deciding half needs and what only this machine's doers need.
package struct ClusterFile: Hashable, Sendable {
    package typealias Problem = ConfigFailure.Problem

    package var settings: ClusterSettings
    /// Absolute path of the cluster key, found from the file that names it.
    package var keyFile: String
    /// Heartbeat networks, sorted by name.
    package var networks: [HeartbeatNetwork]
    /// Nodes reached by unicast, sorted.
    package var peers: [Endpoint]
    /// Nodes whose own address the file tells, sorted by name.
    package var nodeBindings: [NodeBinding]
    package var addressMode: AddressMode
    /// Of every node whose own element does not say otherwise; see `switchSection(of:)`.
    package var freeswitch: SwitchSettings
    package var eventSocket: ListenerSettings?
    package var limitService: ListenerSettings?
    /// What single nodes have otherwise, sorted by node.
    package var nodeSwitches: [NodeSwitch]
    package var limitRules: LimitRules
    /// Absolute path of the list of programs that playbooks may run; nil where they may run none.
    package var programsFile: String?
    /// What ends of links show each other beside the key; nil where the key alone is the proof.
    package var certificates: LinkCertificateFiles?
    /// What is allowed but probably not meant, sorted.
    package var warnings: [Problem]
    /// Where the files are named that this one needs.
    package var places = FilePlaces()

    /// Every file that must be readable by the service of that node and by nobody else, in the order they are used; without a
    /// node those of one that has nothing otherwise.
    package func secretFiles(of node: String?) -> [SecretFile] {
        let section = switchSection(of: node ?? "")
        var files = [SecretFile(use: .clusterKey, path: keyFile)]
        for server in settings.dns?.servers ?? [] {
            if let path = server.secretFile {
                files.append(SecretFile(use: .update(server: server.endpoint), path: path))
            }
        }
        if case .eventSocket(let access)? = section.freeswitch {
            files.append(SecretFile(use: .eventSocket, path: access.passwordFile))
        }
        if let eventSocket = section.eventSocket {
            files.append(SecretFile(use: .ownEventSocket, path: eventSocket.passwordFile))
            if let path = eventSocket.lookPasswordFile {
                files.append(SecretFile(use: .ownEventSocketLook, path: path))
            }
        }
        if let limitService = section.limitService {
            files.append(SecretFile(use: .limitService, path: limitService.passwordFile))
        }
        if let certificates {
            files.append(SecretFile(use: .linkCertificate, path: certificates.certificateFile))
        }
        return files
    }

    /// How the files lie there that the configuration was read from; faults are what a node refuses.
    ///
    /// - Parameter user: who runs the service.
    package func keeping(user: UInt32) -> [(isFault: Bool, problem: ConfigFailure.Problem)] {
        places.keeping(user: user)
    }

    /// The user a node of this file runs as, as far as a command can know: itself, or, asked by root, whose the cluster key
    /// is, since nobody else may read that.
    package var serviceUser: UInt32 {
        let user = geteuid()
        return user == 0 ? LocalFile.facts(of: keyFile)?.owner ?? 0 : user
    }

    /// Reads a cluster file and everything it includes.
    ///
    /// - Throws: `ConfigFailure` with every error of the file at once.
    package static func load(path: String) throws(ConfigFailure) -> ClusterFile {
        try read(ElementTree.load(path: path), path: path)
    }

    /// Reads a cluster file that is already in memory; `path` names it in messages, and what it includes
    /// and the secrets it names are found from there.
    package static func load(text: [UInt8], path: String) throws(ConfigFailure) -> ClusterFile {
        try read(ElementTree.load(text: text, path: path), path: path)
    }

    /// How this file differs in meaning from another reading of it, each difference as a line: `- ` what only the other
    /// says, `+ ` what only this one does. Empty when both mean the same.
    package func differences(from other: ClusterFile) -> [String] {
        let (before, after) = (Fingerprint.lines(of: other), Fingerprint.lines(of: self))
        let changes = after.difference(from: before)
        return changes.removals.map { Self.line("-", $0) } + changes.insertions.map { Self.line("+", $0) }
    }

    private static func line(_ sign: String, _ change: CollectionDifference<String>.Change) -> String {
        switch change {
        case .insert(_, let text, _), .remove(_, let text, _): "\(sign) \(text)"
        }
    }

    private static func read(
        _ tree: (root: Element?, findings: Findings), path: String
    ) throws(ConfigFailure) -> ClusterFile {
        guard let root = tree.root else { throw ConfigFailure(problems: tree.findings.errors) }
        var reader = ClusterReader(findings: tree.findings)
        let file = reader.clusterFile(root)
        if !reader.findings.errors.isEmpty { throw ConfigFailure(problems: reader.findings.errors) }
        let refused = SchemaCheck.problems(in: root)
        if !refused.isEmpty { throw ConfigFailure(problems: refused) }
        guard var file else { preconditionFailure("a cluster file without errors has no value") }
        file.warnings = reader.findings.warnings.sorted()
        file.places = FilePlaces(reader.findings.files, sources: reader.findings.sources)
        file.settings.version = Fingerprint.version(of: file)
        return file
    }
}

/// Where other files are named, of each path the first place. What a file means does not depend on it: all are equal.
package struct FilePlaces: Hashable, Sendable {
    private var places: [String: Place] = [:]

    /// What the configuration was read from, each with the place that names it; empty where it came from memory.
    private var sources: [String: Place] = [:]

    init(_ places: [String: Place] = [:], sources: [String: Place] = [:]) {
        self.places = places
        self.sources = sources
    }

    func keeping(user: UInt32) -> [(isFault: Bool, problem: ConfigFailure.Problem)] {
        sources.flatMap { path, place in
            FileKeeping.findings(path, .configuration, user: user).map {
                (
                    $0.isFault,
                    ConfigFailure.Problem(file: place.file, line: place.line, message: "\(path) \($0.reason)")
                )
            }
        }.sorted { $0.1 < $1.1 }
    }

    /// What is to be said of that path, where it is named.
    package func problem(_ path: String, _ message: String) -> ConfigFailure.Problem {
        let place = places[path]
        return ConfigFailure.Problem(file: place?.file ?? path, line: place?.line ?? 1, message: message)
    }

    package static func == (a: FilePlaces, b: FilePlaces) -> Bool { true }
    package func hash(into hasher: inout Hasher) {}
}

/// One network heartbeats travel on; the interface is the one with an address in `subnet`.
package struct HeartbeatNetwork: Hashable, Sendable {
    package var name: String
    /// The network's own address: no bit is set after the prefix.
    package var subnet: IPAddress
    package var prefixLength: Int
    /// Multicast group; nil when the nodes of this network are listed as peers.
    package var group: IPAddress?
    /// Of heartbeats (UDP) and of peer links (TCP) alike.
    package var port: UInt16

    package init(name: String, subnet: IPAddress, prefixLength: Int, group: IPAddress?, port: UInt16) {
        self.name = name
        self.subnet = subnet
        self.prefixLength = prefixLength
        self.group = group
        self.port = port
    }
}

/// The address a node speaks from.
package struct NodeBinding: Hashable, Sendable {
    package var node: String
    package var address: IPAddress

    package init(node: String, address: IPAddress) {
        self.node = node
        self.address = address
    }
}

/// How service addresses are held.
package enum AddressMode: Hashable, Sendable {
    /// The keeper adds them to the machine's interfaces.
    case kernel
    /// They are addresses of 127/8, which every machine has; who holds one listens on its probe port.
    case loopback(probePort: UInt16)
}

/// What one node has otherwise than the others.
package struct NodeSwitch: Hashable, Sendable {
    package var node: String
    package var section: SwitchSection

    package init(node: String, section: SwitchSection) {
        self.node = node
        self.section = section
    }
}

/// A file with a secret in it, and what the secret is for.
package struct SecretFile: Hashable, Sendable {
    package enum Use: Hashable, Sendable {
        case clusterKey
        case update(server: Endpoint)
        case eventSocket
        /// Of our own event socket.
        case ownEventSocket
        /// Of our own event socket, for looking only.
        case ownEventSocketLook
        case limitService
        /// This machine's certificate for links, with its private key.
        case linkCertificate
    }
    package var use: Use
    /// Absolute.
    package var path: String

    package init(use: Use, path: String) {
        self.use = use
        self.path = path
    }

    /// The most bytes it may have: a key and a chain of certificates are longer than a password.
    package var limit: Int { use == .linkCertificate ? LinkCertificateFiles.sizeLimit : 4096 }
}

/// Where this machine finds its certificate for links, and the certificates of who signs those of all machines. The paths
/// are the same on all machines; what is in the first file is each machine's own.
package struct LinkCertificateFiles: Hashable, Sendable {
    package static let sizeLimit = 1 << 16
    /// Absolute; PEM: the certificate, then others on the way to the authority, and the private key.
    package var certificateFile: String
    /// Absolute; PEM.
    package var authorityFile: String
    /// Whether links by the key alone are refused, and heartbeats do not count that no certificate vouches for.
    package var isRequired: Bool

    package init(certificateFile: String, authorityFile: String, isRequired: Bool) {
        self.certificateFile = certificateFile
        self.authorityFile = authorityFile
        self.isRequired = isRequired
    }
}
