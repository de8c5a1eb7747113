import Cluster
@preconcurrency import Glibc

/// Finds out which node of the cluster file this machine is.
package enum NodeIdentity {
    /// Why this machine has no name in the cluster.
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String

        package init(description: String) { self.description = description }
    }

    /// The first of: the command line's word, the environment's, the host name up to its first dot.
    ///
    /// - Parameters:
    ///   - flag: the value of `--name`.
    ///   - environment: the value of `FSDNS_NODE`; an empty one counts as none.
    ///   - hostName: as the machine calls itself; its case does not matter.
    /// - Throws: `Failure` when the file lists nodes and this is none of them.
    package static func resolve(
        flag: String?, environment: String?, hostName: String, settings: ClusterSettings
    ) throws(Failure) -> String {
        if let flag { return try match(flag, told: "--name", settings) }
        if let environment, !environment.isEmpty {
            return try match(environment, told: "FSDNS_NODE", settings)
        }
        let label =
            hostName.split(separator: ".", omittingEmptySubsequences: false).first.map(String.init) ?? ""
        let node = settings.nodes.first { $0.name.lowercased() == label.lowercased() }
        return try match(node?.name ?? label, told: "the host name", settings)
    }

    private static func match(
        _ name: String, told source: String, _ settings: ClusterSettings
    ) throws(Failure) -> String {
        guard Name.isValid(name) else {
            throw Failure(
                description: "\(source) gives \(quoted(name)), which is no name; a name is \(Name.rule)")
        }
        if settings.nodes.isEmpty || settings.nodes.contains(where: { $0.name == name }) { return name }
        let known = settings.nodes.map(\.name).joined(separator: ", ")
        let way = source == "--name" ? "" : "; say which one this is with --name or FSDNS_NODE"
        throw Failure(
            description: "\(source) gives \(quoted(name)), but the nodes of cluster \(settings.cluster) are "
                + known + way)
    }

    /// What the machine calls itself; empty when it does not say.
    package static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
        return buffer.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }
}
