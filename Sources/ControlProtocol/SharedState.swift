/// What a node knows of calls, registrations and limits anywhere in the cluster, as the command line prints it.
package enum SharedKind: String, Hashable, Sendable, Codable, CaseIterable {
    case registrations, calls, limits, recoveries
    /// What of this node's limits does not fit its live calls.
    case audit
    /// Who told the cluster what, as this node wrote it down.
    case deeds
}

/// Some lines of one kind; the last part is followed by `.end`.
package enum SharedPart: Hashable, Sendable, Codable {
    case registrations([RegistrationLine])
    case calls([CallLine])
    case limits([LimitUseLine])
    case recoveries([RecoveryLine])
    case audit([LimitCorrectionLine])
    case deeds([AuditLine])
    /// What is wrong with the file that the deeds stand in: a sentence.
    case deedsFault(String)

    /// Lines in one part, so that no line of the protocol gets long.
    package static let size = 100
}

package struct RegistrationLine: Hashable, Sendable, Codable {
    /// `user@host`.
    package var user: String
    package var contact: String
    /// Name of the service address it lives on.
    package var address: String
    /// The node that holds the address; nil while nobody does.
    package var node: String?
    package var expiresSeconds: Int
    /// `udp`, `tcp`, `tls`, `ws`, `wss`.
    package var transport: String
    /// False for a phone whose connection ends at the node it registered with, and at an address nobody holds.
    package var survivesTakeover: Bool
    package var userAgent: String

    package init(
        user: String, contact: String, address: String, node: String?, expiresSeconds: Int,
        transport: String, survivesTakeover: Bool, userAgent: String
    ) {
        self.user = user
        self.contact = contact
        self.address = address
        self.node = node
        self.expiresSeconds = expiresSeconds
        self.transport = transport
        self.survivesTakeover = survivesTakeover
        self.userAgent = userAgent
    }
}

/// One call: a leg, or two legs that are bridged.
package struct CallLine: Hashable, Sendable, Codable {
    /// Of the leg that began it.
    package var uuid: String
    /// The other leg's.
    package var otherUUID: String?
    package var address: String
    package var node: String?
    package var from: String
    package var to: String
    /// `ringing`, `answered`, `held`.
    package var phase: String
    package var seconds: Int
    package var isRecoverable: Bool
    /// Why it would be lost, or what makes its recovery doubtful.
    package var reason: String?

    package init(
        uuid: String, otherUUID: String?, address: String, node: String?, from: String, to: String,
        phase: String, seconds: Int, isRecoverable: Bool, reason: String?
    ) {
        self.uuid = uuid
        self.otherUUID = otherUUID
        self.address = address
        self.node = node
        self.from = from
        self.to = to
        self.phase = phase
        self.seconds = seconds
        self.isRecoverable = isRecoverable
        self.reason = reason
    }
}

package struct LimitUseLine: Hashable, Sendable, Codable {
    /// `total`, `rate` (of the limit service), `hash` (of mod_hash).
    package var kind: String
    package var key: String
    package var total: Int
    package var nodes: [Share]

    package struct Share: Hashable, Sendable, Codable {
        package var node: String
        package var count: Int

        package init(node: String, count: Int) {
            self.node = node
            self.count = count
        }
    }

    package init(kind: String, key: String, total: Int, nodes: [Share]) {
        self.kind = kind
        self.key = key
        self.total = total
        self.nodes = nodes
    }
}

package struct LimitCorrectionLine: Hashable, Sendable, Codable {
    package var node: String
    package var text: String

    package init(node: String, text: String) {
        self.node = node
        self.text = text
    }
}

/// What became of the calls of one address when it came to a node.
package struct RecoveryLine: Hashable, Sendable, Codable {
    /// RFC 3339 wall time in UTC.
    package var time: String
    package var address: String
    package var node: String
    /// The decision that gave the address, written `3.117`.
    package var epoch: String
    /// Legs that were known, and those that came back, were lost, or were left.
    package var legs: Int
    package var recovered: Int
    package var lost: [Loss]
    /// What the next holder is to bring back, as the address went on meanwhile; nil when the recovery ended.
    package var left: Left?
    /// Legs that were up here all the time; nil from a node of an earlier release.
    package var stayed: Int?
    /// From the address being up to the last leg confirmed.
    package var milliseconds: Int

    package struct Loss: Hashable, Sendable, Codable {
        package var uuid: String
        package var reason: String

        package init(uuid: String, reason: String) {
            self.uuid = uuid
            self.reason = reason
        }
    }

    package struct Left: Hashable, Sendable, Codable {
        /// `alpha went to fs3`.
        package var why: String
        package var legs: Int
        /// How far each of the first of them was.
        package var open: [Loss]

        package init(why: String, legs: Int, open: [Loss]) {
            self.why = why
            self.legs = legs
            self.open = open
        }
    }

    package init(
        time: String, address: String, node: String, epoch: String, legs: Int, recovered: Int,
        lost: [Loss], left: Left? = nil, stayed: Int? = nil, milliseconds: Int
    ) {
        self.time = time
        self.address = address
        self.node = node
        self.epoch = epoch
        self.legs = legs
        self.recovered = recovered
        self.lost = lost
        self.left = left
        self.stayed = stayed
        self.milliseconds = milliseconds
    }
}
