import Foundation

/// A line of `fsdns calls --format json`.
package struct CallLine: Decodable, Hashable, Sendable {
    package var uuid: String
    package var otherUUID: String?
    package var address: String
    package var node: String?
    package var phase: String
    package var isRecoverable: Bool
    package var reason: String?

    /// Whether another switch could bring it back, were there one that stands ready.
    package var isRevivable: Bool { isRecoverable || reason?.hasPrefix("no slave stands ready") == true }
    package var legs: [String] { [uuid] + (otherUUID.map { [$0] } ?? []) }
}

/// A line of `fsdns registrations --format json`.
package struct RegistrationLine: Decodable, Hashable, Sendable {
    package var user: String
    package var contact: String
    package var address: String
    package var node: String?
    package var expiresSeconds: Int
    package var survivesTakeover: Bool
}

/// A line of `fsdns limits --format json`.
package struct LimitLine: Decodable, Hashable, Sendable {
    package struct Share: Decodable, Hashable, Sendable {
        package var node: String
        package var count: Int
    }
    package var kind: String
    package var key: String
    package var total: Int
    package var nodes: [Share]
}

/// What `fsdns history --format json` says.
package struct History: Decodable, Sendable {
    package struct Deed: Decodable, Hashable, Sendable {
        package var number: Int
        package var time: String?
        package var who: String?
        package var what: String
        package var why: String
        package var epoch: String
        package var outcome: String
    }
    package var deeds: [Deed]
    package var recoveries: [RecoveryLine]
}

/// What became of the calls of one address.
package struct RecoveryLine: Decodable, Hashable, Sendable {
    package struct Loss: Decodable, Hashable, Sendable {
        package var uuid: String
        package var reason: String
    }
    package var time: String
    package var address: String
    package var node: String
    package var epoch: String
    package var legs: Int
    package var recovered: Int
    package var lost: [Loss]
    package var milliseconds: Int
}

extension Host {
    package func calls() throws -> [CallLine] { try read("calls") }
    package func registrations() throws -> [RegistrationLine] { try read("registrations") }
    package func limits() throws -> [LimitLine] { try read("limits") }
    package func history() throws -> [RecoveryLine] { try read("history", as: History.self).recoveries }
    package func deeds() throws -> [History.Deed] { try read("history", as: History.self).deeds }

    private func read<Line: Decodable>(_ what: String) throws -> [Line] { try read(what, as: [Line].self) }

    private func read<Value: Decodable>(_ what: String, as type: Value.Type) throws -> Value {
        let text = try command(what, "--format", "json")
        do {
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        } catch {
            throw LabFailure("\(what) of \(name) is not as documented: \(error)")
        }
    }
}
