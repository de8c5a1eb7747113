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
        for (isFault, problem) in file.keeping(user: user) {
            if isFault { findings.faults.append(problem) } else { findings.warnings.append(problem) }
        }
        let secrets = file.secretFiles(of: node)
        let paths =
            secrets.map(\.path) + [file.certificates?.authorityFile, file.programsFile].compactMap(\.self)
        for path in paths {
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
                let text = problem(path, "\(path) cannot be read: \(String(cString: strerror(code)))")
                // A node starts without it, and runs no program.
                if path == file.programsFile {
                    findings.warnings.append(text)
                } else {
                    findings.faults.append(text)
                }
            }
        }
        let found = SecretCheck(file: file, user: user).findings(secrets.filter { look($0.path) == 0 })
        findings.faults += found.faults
        findings.warnings += found.weak.map(\.problem) + found.exposed
        let certificates = certificates
        findings.faults += certificates.faults
        findings.warnings += certificates.warnings + programs
        // One path may be named for several uses.
        return (Set(findings.faults).sorted(), Set(findings.warnings).sorted())
    }

    /// Whose files secrets may be besides root's.
    private var user: UInt32 { file.serviceUser }

    private var programs: [ClusterFile.Problem] {
        guard let path = file.programsFile, look(path) == 0,
            let fault = ProgramList(path: path).fault
        else { return [] }
        return [problem(path, fault.description)]
    }

    private func problem(_ path: String, _ text: String) -> ClusterFile.Problem {
        file.places.problem(path, text)
    }

    private var certificates: (faults: [ClusterFile.Problem], warnings: [ClusterFile.Problem]) {
        guard let files = file.certificates, look(files.certificateFile) == 0,
            look(files.authorityFile) == 0
        else { return ([], []) }
        let judgement = LinkCertificates.judgement(
            of: files, cluster: file.settings.cluster, node: node, user: user)
        let exposed = FileKeeping.findings(files.authorityFile, .trusted, user: user).filter { !$0.isFault }
        return (
            judgement.fault.map { [problem(files.certificateFile, $0)] } ?? [],
            judgement.warnings.map { problem(files.certificateFile, $0) }
                + exposed.map { problem(files.authorityFile, "\(files.authorityFile) \($0.reason)") }
        )
    }
}
