import Cluster
import Config
@preconcurrency import Glibc
import PeerProtocol

/// Everything a start reads from files and environment before the node lives.
struct NodeSetting: Sendable {
    var file: ClusterFile
    var name: String
    var kind: NodeRule.Kind
    var key: ClusterKey
    /// The first is the primary; empty without a zone.
    var zoneServers: [ZoneUpdater.Server]
    var keeper: KeeperGuard.Source
    /// The switch of this machine and our services beside it.
    var section: SwitchSection
    var passwords: Sharing.Passwords
    /// Of secrets that could be better ones, a sentence each.
    var weaknesses: [String]

    /// Whether the networks of service addresses are looked at: on real interfaces, by who may hold them.
    var watchesNetwork: Bool { kind == .full && file.addressMode == .kernel }

    /// How addresses are asked whether they are served.
    var asking: Sharing.Asking {
        var asking = Sharing.Asking()
        let patience = file.settings.policy.unservedAfter ?? asking.patience
        asking.watchesNetwork = watchesNetwork
        asking.patience = patience
        asking.interval = min(asking.interval, patience / 4)
        return asking
    }

    /// - Throws: `ServiceFailure` with file and line, or with the file to mend.
    init(_ options: NodeOptions) throws(ServiceFailure) {
        do throws(ConfigFailure) {
            file = try ClusterFile.load(path: options.configPath)
        } catch {
            throw ServiceFailure(error.description, exitCode: 2)
        }
        let settings = file.settings
        do throws(NodeIdentity.Failure) {
            name = try NodeIdentity.resolve(
                flag: options.name, environment: Self.environment("FSDNS_NODE"),
                hostName: NodeIdentity.hostName(), settings: settings)
        } catch {
            throw ServiceFailure(error.description, exitCode: 2)
        }
        let name = name
        kind = settings.nodes.first { $0.name == name }?.kind ?? .full
        weaknesses = try Self.weaknesses(file, node: name)
        key = ClusterKey(cluster: settings.cluster, secret: try Self.secret(file.keyFile))
        zoneServers = []
        for server in settings.dns?.servers ?? [] { zoneServers.append(try ZoneKey.server(server)) }
        section = file.switchSection(of: name)
        passwords = Sharing.Passwords()
        if case .eventSocket(let access) = section.freeswitch {
            passwords.freeswitch = try Self.password(access.passwordFile)
        }
        if let listener = section.eventSocket {
            passwords.eventSocket = try Self.password(listener.passwordFile)
            if let path = listener.lookPasswordFile {
                passwords.eventSocketLook = try Self.password(path)
            }
        }
        if let listener = section.limitService {
            passwords.limitService = try Self.password(listener.passwordFile)
        }
        if options.keeperPath == nil,
            let socket = options.keeperSocket ?? Self.environment("FSDNS_KEEPER_SOCKET")
        {
            keeper = .socket(socket)
        } else {
            keeper = .program(
                options.keeperPath ?? Self.environment("FSDNS_KEEPER") ?? Self.besideProgram)
        }
    }

    /// Whether there is a FreeSWITCH whose health decides what this node may hold.
    var isSwitchWatched: Bool {
        if kind == .full, case .eventSocket = section.freeswitch { true } else { false }
    }

    /// Refuses what others could have written, or could guess.
    private static func weaknesses(_ file: ClusterFile, node: String) throws(ServiceFailure) -> [String] {
        let user = geteuid()
        let faults = file.keeping(user: user).filter(\.isFault)
        guard faults.isEmpty else {
            throw ServiceFailure(faults.map(\.problem.description).joined(separator: "\n"), exitCode: 2)
        }
        // Certificates have a judge of their own.
        let secrets = file.secretFiles(of: node).filter { $0.use != .linkCertificate }
        let found = SecretCheck(file: file, user: user).findings(secrets)
        guard found.faults.isEmpty else {
            throw ServiceFailure(found.faults.map(\.description).joined(separator: "\n"))
        }
        // FreeSWITCH's password is not ours to choose; `doctor` tells of it. How files lie is looked at again and again.
        return found.weak.filter { $0.use != .eventSocket }.map(\.problem.description)
    }

    private static func secret(_ path: String) throws(ServiceFailure) -> [UInt8] {
        do throws(SecretFailure) { return try readSecret(path: path) } catch {
            throw ServiceFailure(error.description)
        }
    }

    private static func password(_ path: String) throws(ServiceFailure) -> String {
        String(decoding: try secret(path), as: UTF8.self)
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    private static var besideProgram: String {
        guard let program, let slash = program.lastIndex(of: "/") else { return "fsdns-keeper" }
        return program[..<slash] + "/fsdns-keeper"
    }

    /// This program itself; nil when the system does not say.
    static var program: String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
