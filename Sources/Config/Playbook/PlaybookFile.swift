import Cluster
import XML

/// A playbook file, read with its parameters filled in and held against the cluster it is meant for.
package struct PlaybookFile: Hashable, Sendable {
    /// Of one file, in bytes.
    package static let byteLimit = 256 * 1024
    package static let stepLimit = 200
    /// `for-each` inside `for-each`.
    package static let depthLimit = 3
    /// Steps of one run when every item of every `for-each` is counted, and no `for-each` itself.
    package static let expandedLimit = 256

    package var playbook: Playbook
    /// What is allowed but probably not meant, sorted.
    package var warnings: [ConfigFailure.Problem]

    /// Reads a playbook.
    ///
    /// - Parameters:
    ///   - path: the file as the user named it; it also stands in front of every message.
    ///   - parameters: values for the parameters the file declares.
    ///   - cluster: what names of seats, nodes and addresses are held against; nil leaves names unchecked.
    ///   - zones: where time zones are looked up.
    /// - Throws: `ConfigFailure` with every error of the file at once.
    package static func read(
        path: String, parameters: [String: String] = [:], cluster: ClusterSettings?,
        zones: ZoneInfo = .system
    ) throws(ConfigFailure) -> PlaybookFile {
        let bytes: [UInt8]
        do {
            bytes = try LocalFile.read(path, limit: byteLimit)
        } catch {
            throw ConfigFailure(
                problems: [.init(file: path, line: 1, message: "the file \(error.reason)")])
        }
        return try read(text: bytes, path: path, parameters: parameters, cluster: cluster, zones: zones)
    }

    /// Reads a playbook that is already in memory; `path` names it in messages.
    package static func read(
        text: [UInt8], path: String, parameters: [String: String] = [:], cluster: ClusterSettings?,
        zones: ZoneInfo = .system
    ) throws(ConfigFailure) -> PlaybookFile {
        let (root, problems) = XMLText.parse(
            text, file: path, namespace: Element.playbookNamespace, byteLimit: byteLimit)
        var findings = Findings()
        for problem in problems { findings.error(problem.message, at: problem.place) }
        guard let root else { throw ConfigFailure(problems: findings.errors) }
        var reader = PlaybookReader(findings: findings, cluster: cluster, zones: zones)
        let playbook = reader.playbook(root, parameters: parameters)
        if !reader.findings.errors.isEmpty { throw ConfigFailure(problems: reader.findings.errors) }
        // As it is written, parameters and all: that is what editors hold against the schema.
        let refused = schema.problems(in: root).map {
            ConfigFailure.Problem(
                file: $0.place.file, line: $0.place.line, message: "schema: \($0.message)")
        }
        if !refused.isEmpty { throw ConfigFailure(problems: refused) }
        guard let playbook else { preconditionFailure("a playbook without errors has no value") }
        return PlaybookFile(playbook: playbook, warnings: reader.findings.warnings.sorted())
    }

    private static let schema = Schema(text: PlaybookSchema.text, namespace: Element.playbookNamespace)
}

extension Element {
    static let playbookNamespace = "urn:fsdns:playbook:1"
}
