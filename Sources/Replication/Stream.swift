import Primitives

/// What one writer at a time keeps and every other node has a copy of.
package enum StreamID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// State that follows a service address: its holder writes it, at the epoch of the grant.
    case address(String)
    /// What belongs to a node's own switch: that node writes it, at an epoch that grows with each of its lives.
    case node(String)

    package var name: String {
        switch self {
        case .address(let name), .node(let name): name
        }
    }

    package var description: String {
        switch self {
        case .address(let name): "address \(name)"
        case .node(let name): "node \(name)"
        }
    }

    package static func < (a: StreamID, b: StreamID) -> Bool {
        switch (a, b) {
        case (.address(let a), .address(let b)), (.node(let a), .node(let b)): a < b
        case (.address, .node): true
        case (.node, .address): false
        }
    }
}

/// How far a copy of a stream is: the epoch of the writer it follows and that writer's sequence.
package struct Position: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var epoch: Epoch
    /// Each put and each removal takes the next number; a new writer goes on where its copy ends.
    package var sequence: UInt64

    package init(epoch: Epoch, sequence: UInt64) {
        self.epoch = epoch
        self.sequence = sequence
    }

    package static let zero = Position(epoch: .zero, sequence: 0)

    package var description: String { "\(epoch)/\(sequence)" }

    package static func < (a: Position, b: Position) -> Bool {
        a.epoch == b.epoch ? a.sequence < b.sequence : a.epoch < b.epoch
    }
}

/// Bounds that hold on every node of a cluster, whatever a peer sends.
package enum ReplicationLimits {
    /// Bytes of one record's payload.
    package static let payload = 65_536
    /// Bytes of one record's key.
    package static let key = 1024
    /// Bytes of a stream's or a node's name.
    package static let name = 255
    /// Bytes of one encoded message.
    package static let message = 262_144
    /// Earlier writers a stream remembers, so that what they wrote need not be sent again.
    package static let lineage = 16
    /// Fields of one list of a call leg.
    package static let fields = 4096
}
