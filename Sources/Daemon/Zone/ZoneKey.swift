import Cluster
import Config
import DNSMessages
@preconcurrency import Glibc

/// What signs for a name server, read from the file the cluster file names.
package enum ZoneKey {
    /// - Parameter user: who runs the service.
    /// - Throws: with file and line, or with the file to mend.
    package static func server(
        _ server: DNSSettings.ServerSettings, user: UInt32 = geteuid()
    ) throws(ServiceFailure) -> ZoneUpdater.Server {
        guard let keyName = server.keyName, let path = server.secretFile else {
            return ZoneUpdater.Server(endpoint: server.endpoint, key: nil)
        }
        guard let algorithm = TSIGKey.Algorithm(rawValue: server.algorithm),
            let name = try? DNSName(keyName)
        else {
            throw ServiceFailure("key \(keyName) of \(server.endpoint) has no valid name or algorithm")
        }
        let bytes: [UInt8]
        do throws(SecretFailure) { bytes = try readSecret(path: path, user: user) } catch {
            throw ServiceFailure(error.description)
        }
        do throws(KeyFile.Failure) {
            let text = String(decoding: bytes, as: UTF8.self)
            let key = try KeyFile.parse(text, file: path, name: name, algorithm: algorithm)
            if key.weakness == .trivial {
                throw KeyFile.Failure(file: path, line: 1, reason: TSIGKey.Weakness.trivial.text)
            }
            return ZoneUpdater.Server(endpoint: server.endpoint, key: key)
        } catch {
            throw ServiceFailure(error.description)
        }
    }
}
