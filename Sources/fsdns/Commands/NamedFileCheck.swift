import Cluster
import Config
import Daemon
@preconcurrency import Glibc

/// Whether the files that a cluster file names could be used by a node on this machine, each told with the place where it is
/// named. What this user may not read is not judged, nor is what lacks on a machine that is none of the nodes: that is said.
struct NamedFileCheck {
    var file: ClusterFile
    /// Nil where this machine is none of the nodes, or that is not known: then files are judged whichever node's they are.
    var node: String?
    /// Zero where this user may read that file, else the error number.
    var look: (String) -> Int32 = { access($0, R_OK) == 0 ? 0 : errno }

    /// Faults are what a node would refuse at its start.
    var findings: (faults: [ClusterFile.Problem], warnings: [ClusterFile.Problem]) {
        var findings: (faults: [ClusterFile.Problem], warnings: [ClusterFile.Problem]) = ([], [])
        let secrets = file.secretFiles(of: node)
        for path in secrets.map(\.path) + (file.certificates.map { [$0.authorityFile] } ?? []) {
            switch look(path) {
            case 0: continue
            case EACCES:
                findings.warnings.append(
                    problem(path, "\(path) may not be read by this user, so it is not judged; the node's may")
                )
            case let code where node == nil && (code == ENOENT || code == ENOTDIR):
                findings.warnings.append(
                    problem(path, "\(path) is not on this machine, which is none of the nodes"))
            case let code:
                findings.faults.append(
                    problem(path, "\(path) cannot be read: \(String(cString: strerror(code)))"))
            }
        }
        for secret in secrets where look(secret.path) == 0 {
            if let fault = fault(in: secret) { findings.faults.append(problem(secret.path, fault)) }
        }
        let certificates = certificates
        findings.faults += certificates.faults
        findings.warnings += certificates.warnings
        // One path may be named for several uses.
        return (Set(findings.faults).sorted(), Set(findings.warnings).sorted())
    }

    private func problem(_ path: String, _ text: String) -> ClusterFile.Problem {
        file.places.problem(path, text)
    }

    /// Certificates are judged with their authority.
    private func fault(in secret: SecretFile) -> String? {
        switch secret.use {
        case .linkCertificate: return nil
        case .update(let endpoint):
            let servers = file.settings.dns?.servers.filter { $0.endpoint == endpoint } ?? []
            return Self.keyFaults(servers).first
        case .clusterKey, .eventSocket, .ownEventSocket, .ownEventSocketLook, .limitService:
            do throws(SecretFailure) {
                _ = try readSecret(path: secret.path, limit: secret.limit)
                return nil
            } catch {
                return error.description
            }
        }
    }

    static func keyFaults(_ servers: [DNSSettings.ServerSettings]) -> [String] {
        servers.compactMap { server in
            guard let path = server.secretFile, access(path, R_OK) == 0 else { return nil }
            do throws(ServiceFailure) {
                _ = try ZoneKey.server(server)
                return nil
            } catch {
                return error.description
            }
        }
    }

    private var certificates: (faults: [ClusterFile.Problem], warnings: [ClusterFile.Problem]) {
        guard let files = file.certificates, look(files.certificateFile) == 0,
            look(files.authorityFile) == 0
        else { return ([], []) }
        let judgement = LinkCertificates.judgement(of: files, cluster: file.settings.cluster, node: node)
        return (
            judgement.fault.map { [problem(files.certificateFile, $0)] } ?? [],
            judgement.warnings.map { problem(files.certificateFile, $0) }
        )
    }
}
