import ArgumentParser
import Config
import Daemon
@preconcurrency import Glibc

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check this machine against its configuration, with a fix for each finding.",
        discussion: "Run it as the user the node service runs as. Exit 1 when something is wrong.")

    @Option(help: "The cluster file.")
    var config: String

    @Option(help: "Which node of the file this is (default: FSDNS_NODE, else the host name).")
    var name: String?

    @Option(help: "Where the node keeps its state.")
    var stateDir = "/var/lib/fsdns"

    @OptionGroup var control: ControlOptions

    @Option(help: "The keeper's program (default: fsdns-keeper beside this program).")
    var keeper: String?

    mutating func run() throws {
        let file = try ConfigCommand.load(config)
        let report = try? control.client.status()
        var findings = ConfigurationCheck(file: file, path: config, flag: name).findings
        findings += NetworkCheck(file: file).findings
        findings += AddressUseCheck(file: file, report: report).findings
        findings += KeeperCheck(path: keeper ?? KeeperCheck.beside, mode: file.addressMode).findings
        findings += MachineCheck(stateDirectory: stateDir).findings
        findings +=
            ReleaseCheck(report: report, node: try? NodeIdentity.ofCommand(name, file.settings)).findings
        findings += RingCheck(report: try? control.client.rings(), control: control.client.path).findings
        findings += ZoneServerCheck(dns: file.settings.dns).findings
        findings += UpdateCheck(settings: file.settings, user: file.serviceUser).findings
        findings +=
            LinkCertificateCheck(file: file, node: try? NodeIdentity.ofCommand(name, file.settings)).findings
        // Without a place in the file this machine has no switch either; that is said already.
        if let node = try? NodeIdentity.ofCommand(name, file.settings) {
            findings += SwitchCheck(file: file, node: node, path: config).findings
            findings += ReadinessCheck(report: report, node: node).findings
        }
        let paint = Paint.standard
        Output.lines(findings.flatMap { $0.lines(paint: paint) })
        let wrong = findings.count { $0.level == .wrong }
        if wrong > 0 {
            throw CommandFailure.refused(["\(wrong) of \(findings.count) checks found something wrong"])
        }
        Output.line("\(findings.count) checks, nothing wrong")
    }
}

/// Whether the file is without warnings, its secrets are safe, and this machine has a place in it.
struct ConfigurationCheck {
    var file: ClusterFile
    var path: String
    var flag: String?

    var findings: [Finding] {
        var findings: [Finding] = [.fine("configuration", "\(path) is valid")]
        for warning in file.warnings {
            findings.append(
                .notice("configuration", "\(warning)", fix: "change that line, or leave it if meant"))
        }
        return findings + exposure + secrets + [identity]
    }

    /// Who may write the file, or put another in its place, decides what the cluster does.
    private var exposure: [Finding] {
        file.keeping(user: file.serviceUser).map { _, problem in
            .wrong("configuration", "\(problem)", fix: "as it says, then look what stands in it")
        }
    }

    private var node: String? { try? NodeIdentity.ofCommand(flag, file.settings) }

    private var secrets: [Finding] {
        let user = file.serviceUser
        let secrets = file.secretFiles(of: node)
        let check = SecretCheck(file: file, user: user)
        let found = check.findings(secrets)
        var findings = found.faults.map {
            Finding.wrong(
                "secret", "\($0)",
                fix:
                    "a secret is there, the node's user's or root's, mode 600, and hard to guess: a node refuses others"
            )
        }
        findings += found.exposed.map {
            .wrong("secret", "\($0)", fix: "as it says; another secret if somebody may have been there")
        }
        findings += found.weak.map {
            .notice("secret", "\($0.problem)", fix: "make another, for both ends that know it")
        }
        let fine = secrets.filter { check.findings([$0]) == ([], [], []) }.map { secret in
            Finding.fine("secret", "\(secret.path) is readable by its owner only (uid \(user) or root)")
        }
        return fine + findings + programs
    }

    private var programs: [Finding] {
        guard let fault = ProgramList(path: file.programsFile).fault else { return [] }
        return [
            .notice(
                "programs", "\(fault)",
                fix: "see docs/security.md, “What the key is worth”, or no playbook runs one")
        ]
    }

    private var identity: Finding {
        do throws(NodeIdentity.Failure) {
            let node = try NodeIdentity.resolve(
                flag: flag, environment: Environment.value("FSDNS_NODE"), hostName: NodeIdentity.hostName(),
                settings: file.settings)
            return .fine("node", "this is \(node)")
        } catch {
            return .wrong("node", "\(error)", fix: "give --name or FSDNS_NODE, or name this host in <nodes>")
        }
    }
}
