import ArgumentParser
import FoundationEssentials

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Print a new cluster key, the same file for every node.",
        discussion: "For example: (umask 077; fsdns key > cluster.key)")

    mutating func run() {
        Output.line(ClusterKey.random())
        Output.error("Keep it in a file that only its owner can read: chmod 600 cluster.key")
    }
}

/// 32 random bytes in base64, as `<key file=…>` wants them.
enum ClusterKey {
    /// Bytes of the system's own cryptographic generator.
    static func random(bytes: Int = 32) -> String {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return Data(bytes).base64EncodedString()
    }
}
