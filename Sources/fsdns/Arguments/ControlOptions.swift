import ArgumentParser
import Cluster
@preconcurrency import Glibc

/// Where the node is asked.
struct ControlOptions: ParsableArguments {
    static let defaultPath = "/run/fsdns/control.sock"

    @Option(
        name: .customLong("control"),
        help: ArgumentHelp(
            "The node's UNIX socket (default: FSDNS_CONTROL, else \(defaultPath)).", valueName: "path"))
    var path: String?

    var client: ControlClient {
        ControlClient(path: path ?? Environment.value("FSDNS_CONTROL") ?? Self.defaultPath)
    }
}

enum TableFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}

enum TextFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

extension Drain.OnDeadline: ExpressibleByArgument {}

/// `user@host` of this terminal, or whom this program was started for, for the cluster's memory of who asked.
enum Operator {
    private static let longest = 200

    static var name: String { named(Environment.value("FSDNS_OPERATOR")) ?? terminal }

    /// What a console's clients are called by the node service; nil when it is no name to remember.
    static func named(_ text: String?) -> String? {
        guard let text, !text.isEmpty, text.utf8.count <= longest,
            text.utf8.allSatisfy({ (33...126).contains($0) })
        else { return nil }
        return text
    }

    private static var terminal: String {
        let user = getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) } ?? "uid\(getuid())"
        var bytes = [CChar](repeating: 0, count: 256)
        gethostname(&bytes, bytes.count - 1)
        let host = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(user)@\(host)"
    }
}
