import Config
import Daemon

/// Whether links could be made with the certificate of this machine, and for how long.
struct LinkCertificateCheck {
    var file: ClusterFile
    /// Nil where it is not known which node this is; that is said already.
    var node: String?

    var findings: [Finding] {
        guard let files = file.certificates else { return [] }
        let judgement = LinkCertificates.judgement(
            of: files, cluster: file.settings.cluster, node: node, user: file.serviceUser)
        if let fault = judgement.fault {
            return [
                .wrong(
                    "certificates", fault,
                    fix:
                        "see docs/security.md, “Certificates for links”; a running node goes on with what it read"
                )
            ]
        }
        var findings = judgement.warnings.map { text in
            Finding.wrong(
                "certificates", text, fix: "no restart is needed: the files are read again when they change")
        }
        findings += FileKeeping.findings(files.authorityFile, .trusted, user: file.serviceUser).map {
            .wrong("certificates", "\(files.authorityFile) \($0.reason)", fix: "as it says")
        }
        if findings.isEmpty {
            findings.append(.fine("certificates", "links show a certificate \(judgement.summary)"))
        }
        if !files.isRequired {
            findings.append(
                .notice(
                    "certificates", "links by the cluster key alone are accepted as well (required=\"no\")",
                    fix:
                        "required=\"yes\" once `fsdns rings` shows no link that stands by the cluster key alone"
                ))
        }
        return findings
    }
}
