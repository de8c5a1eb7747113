import Primitives

/// An update as a script for `nsupdate` that does exactly the same; the key is given to `nsupdate -k`.
package struct UpdateScript: Hashable, Sendable, CustomStringConvertible {
    package var update: DNSUpdate
    /// The primary the update goes to; nil lets `nsupdate` find it by the zone's SOA.
    package var server: Endpoint?

    package init(_ update: DNSUpdate, server: Endpoint? = nil) {
        self.update = update
        self.server = server
    }

    /// One command a line, ending with `send`.
    package var lines: [String] {
        var lines: [String] = []
        if let server { lines.append("server \(server.ip) \(server.port)") }
        lines.append("zone \(update.zone)")
        lines += update.prerequisites.flatMap(Self.lines)
        lines += update.operations.map(Self.line)
        return lines + ["send"]
    }

    package var description: String { lines.map { $0 + "\n" }.joined() }

    private static func lines(_ prerequisite: Prerequisite) -> [String] {
        switch prerequisite {
        case .exists(let name, let type): ["prereq yxrrset \(name) IN \(type)"]
        case .absent(let name, let type): ["prereq nxrrset \(name) IN \(type)"]
        case .nameInUse(let name): ["prereq yxdomain \(name)"]
        case .nameNotInUse(let name): ["prereq nxdomain \(name)"]
        case .equals(let name, let data): data.map { "prereq yxrrset \(name) IN \($0.type) \($0)" }
        }
    }

    private static func line(_ operation: UpdateOperation) -> String {
        switch operation {
        case .add(let record): "update add \(record)"
        case .deleteSet(let name, let type): "update delete \(name) IN \(type)"
        case .deleteName(let name): "update delete \(name)"
        case .delete(let name, let data): "update delete \(name) IN \(data.type) \(data)"
        }
    }
}
