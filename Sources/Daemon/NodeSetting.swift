import Cluster
import Config
@preconcurrency import Glibc
import Wire

/// Everything a start reads from files and environment before the node lives.
struct NodeSetting: Sendable {
    /// Shorter secrets can be guessed.
    private static let shortestSecret = 16

    var file: ClusterFile
    var name: String
    var kind: NodeRule.Kind
    var key: ClusterKey
    /// The first is the primary; empty without a zone.
    var zoneServers: [ZoneUpdater.Server]
    var keeperPath: String

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
        let secret = try Self.secret(file.keyFile)
        guard secret.count >= Self.shortestSecret else {
            throw ServiceFailure(
                "the cluster key \(file.keyFile) is shorter than \(Self.shortestSecret) bytes; "
                    + "make one with: fsdns key")
        }
        key = ClusterKey(cluster: settings.cluster, secret: secret)
        zoneServers = []
        for server in settings.dns?.servers ?? [] { zoneServers.append(try Self.zoneServer(server)) }
        keeperPath = options.keeperPath ?? Self.environment("FSDNS_KEEPER") ?? Self.besideProgram
    }

    private static func secret(_ path: String) throws(ServiceFailure) -> [UInt8] {
        do throws(SecretFailure) { return try readSecret(path: path) } catch {
            throw ServiceFailure(error.description)
        }
    }

    private static func zoneServer(
        _ server: DNSSettings.ServerSettings
    ) throws(ServiceFailure) -> ZoneUpdater.Server {
        guard let keyName = server.keyName, let path = server.secretFile else {
            return ZoneUpdater.Server(endpoint: server.endpoint, key: nil)
        }
        guard let algorithm = TSIGKey.Algorithm(rawValue: server.algorithm),
            let name = try? DNSName(keyName)
        else {
            throw ServiceFailure("key \(keyName) of \(server.endpoint) has no valid name or algorithm")
        }
        let text = String(decoding: try secret(path), as: UTF8.self)
        do throws(KeyFile.Failure) {
            let key = try KeyFile.parse(text, file: path, name: name, algorithm: algorithm)
            return ZoneUpdater.Server(endpoint: server.endpoint, key: key)
        } catch {
            throw ServiceFailure(error.description)
        }
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    private static var besideProgram: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return "fsdns-keeper" }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = path.lastIndex(of: "/") else { return "fsdns-keeper" }
        return path[..<slash] + "/fsdns-keeper"
    }
}
