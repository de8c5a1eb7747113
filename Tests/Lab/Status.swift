import Foundation

/// The documented part of `fsdns status --format json`, as a user's program would read it.
package struct Status: Decodable, Sendable {
    package struct Quorum: Decodable, Sendable {
        package var votes: Int
        package var needed: Int
        package var have: Int
    }
    package struct NodeLine: Decodable, Sendable {
        package var name: String
        package var role: String
        package var position: Int?
        package var seat: String?
        package var addresses: [String]
        package var lease: String
        /// `unknown`, `healthy`, `unhealthy`.
        package var freeswitch: String
        package var calls: Int
        package var registrations: Int
        package var ready: Bool?
        package var blockers: [String]
    }
    package struct SeatLine: Decodable, Sendable {
        package var name: String
        package var address: String
        package var holder: String?
        package var state: String
        package var published: Bool
        package var trouble: String?
    }
    package struct Maintenance: Decodable, Sendable {
        package struct Drain: Decodable, Sendable {
            package var seat: String
            package var phase: String
            package var from: String
            package var to: String
            package var callsLeft: Int
            package var registrationsLeft: Int
            package var waitingFor: String?
        }
        package var addresses: [String]
        package var drain: Drain?
    }
    package struct DNS: Decodable, Sendable {
        package struct Server: Decodable, Sendable {
            package var address: String
            package var converged: Bool
            package var problem: String?
        }
        package var zone: String
        package var converged: Bool
        package var epoch: String?
        package var servers: [Server]
        package var problem: String?
    }
    package var cluster: String
    package var node: String
    package var leader: String?
    package var term: Int
    package var epoch: String
    package var quorum: Quorum
    package var nodes: [NodeLine]
    package var seats: [SeatLine]
    package var maintenance: Maintenance
    package var dns: DNS?
    package var warnings: [String]?

    package func node(_ name: String) -> NodeLine? { nodes.first { $0.name == name } }
    package func seat(_ name: String) -> SeatLine? { seats.first { $0.name == name } }
    package func seat(heldBy node: String) -> SeatLine? { seats.first { $0.holder == node } }

    /// Whether every seat is active and all but `missing` nodes are up as masters, slaves or in maintenance.
    package func isSettled(missing: Int = 0) -> Bool {
        let up = nodes.filter { ["master", "slave", "maintenance"].contains($0.role) }
        return leader != nil && !seats.isEmpty && maintenance.drain == nil
            && seats.allSatisfy { $0.state == "active" && $0.holder != nil }
            && up.count == nodes.count - missing
            && dns?.converged != false
    }
}

/// One line of `fsdns events --format json`.
package struct Story: Decodable, Sendable {
    package var sequence: Int
    package var time: String
    package var node: String
    package var kind: String
    package var subject: String
    package var text: String
    package var epoch: String?

    /// When it was said, to the millisecond its text has.
    package var moment: BootTime? {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        guard let date = try? format.parse(time) else { return nil }
        return BootTime(wallNanoseconds: Int64(date.timeIntervalSince1970 * 1000) * 1_000_000)
    }
}
