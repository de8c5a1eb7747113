import Cluster
import Config
import DNSMessages
@preconcurrency import Glibc

/// Whether keys and passwords are there, kept as secrets, and none that could be guessed: one judge for the start of a node,
/// `config check` and `doctor`.
package struct SecretCheck {
    /// A secret that is accepted and should be a better one.
    package struct Weak: Hashable, Sendable {
        package var use: SecretFile.Use
        package var problem: ConfigFailure.Problem
    }

    private let file: ClusterFile
    private let user: UInt32

    /// - Parameter user: who runs the service.
    package init(file: ClusterFile, user: UInt32) {
        self.file = file
        self.user = user
    }

    /// Each with the place in the cluster file that names it. Faults are what a node refuses; of the rest
    /// it tells.
    package func findings(
        _ secrets: [SecretFile]
    ) -> (faults: [ConfigFailure.Problem], weak: [Weak], exposed: [ConfigFailure.Problem]) {
        var faults: [ConfigFailure.Problem] = []
        var weak: [Weak] = []
        var exposed: [ConfigFailure.Problem] = []
        for secret in secrets {
            let (fault, weakness) = judgement(secret)
            if let fault { faults.append(file.places.problem(secret.path, fault)) }
            if let weakness {
                weak.append(
                    Weak(use: secret.use, problem: file.places.problem(secret.path, weakness)))
            }
            exposed += keeping(secret).filter { !$0.isFault }.map(\.problem)
        }
        faults += twins(secrets)
        return (faults, weak, exposed)
    }

    /// How the file lies there.
    func keeping(_ secret: SecretFile) -> [(isFault: Bool, problem: ConfigFailure.Problem)] {
        FileKeeping.findings(secret.path, .secret, user: user).map {
            ($0.isFault, file.places.problem(secret.path, "\(secret.path) \($0.reason)"))
        }
    }

    /// Certificates are judged with their authority, elsewhere.
    private func judgement(_ secret: SecretFile) -> (fault: String?, weakness: String?) {
        switch secret.use {
        case .linkCertificate: return (nil, nil)
        case .update(let endpoint):
            let servers = file.settings.dns?.servers ?? []
            let server = servers.first { $0.endpoint == endpoint && $0.secretFile == secret.path }
            guard let server else { return (nil, nil) }
            do throws(ServiceFailure) {
                let weakness = try ZoneKey.server(server, user: user).key?.weakness
                return (nil, weakness.map { "secret file \(secret.path) \($0.text)" })
            } catch {
                return (error.description, nil)
            }
        case .clusterKey, .eventSocket, .ownEventSocket, .ownEventSocketLook, .limitService:
            do throws(SecretFailure) {
                let bytes = try readSecret(path: secret.path, limit: secret.limit, user: user)
                guard let finding = SecretStrength.finding(bytes, for: secret.use) else { return (nil, nil) }
                let text = "secret file \(secret.path) \(finding.reason)"
                return finding.isFault ? (text, nil) : (nil, text)
            } catch {
                return (error.description, nil)
            }
        }
    }

    /// Who may look would be who may change something.
    private func twins(_ secrets: [SecretFile]) -> [ConfigFailure.Problem] {
        func first(_ use: SecretFile.Use) -> (path: String, bytes: [UInt8])? {
            guard let path = secrets.first(where: { $0.use == use })?.path,
                let bytes = try? readSecret(path: path, user: user)
            else { return nil }
            return (path, bytes)
        }
        guard let change = first(.ownEventSocket), let look = first(.ownEventSocketLook),
            change.bytes == look.bytes
        else { return [] }
        return [
            file.places.problem(
                look.path, "\(look.path) holds the very password of \(change.path); make another")
        ]
    }
}
