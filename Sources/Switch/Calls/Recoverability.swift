import Replication

/// Whether another node's switch could revive a leg, and if not, why not.
package enum Recoverability: Hashable, Sendable, CustomStringConvertible {
    package enum Risk: Hashable, Sendable {
        /// On hold: not tried with this version.
        case held
        /// Over TCP: the other node has to open a new connection to the peer.
        case newConnection
    }

    package enum Obstacle: Hashable, Sendable {
        /// Not answered: FreeSWITCH keeps nothing of it.
        case ringing
        /// Not a SIP call.
        case notSIP
        /// The switch keeps no recovery row: its profile has no `track-calls`.
        case notTracked
        /// A connection cannot be moved: the transport in capitals.
        case connectionBound(String)
        /// Its media are bound to an address that does not move.
        case mediaElsewhere(String)
        /// Of its other leg, named here, nothing is known that could be revived.
        case halfKnown(String)
        /// Its other leg is on another profile, whose address may go elsewhere.
        case otherProfile(String)
        /// The dialog has no tag yet: the peer's ACK has not come.
        case noTag
        /// Nothing tells what a leg without a partner was doing.
        case noApplication
        case tooLarge
        /// A listing told of it, the rest has been asked for.
        case notKnownYet
    }

    case recoverable
    case risky(Risk)
    case impossible(Obstacle)

    /// By what replicas know.
    ///
    /// - Parameters:
    ///   - partner: the leg named `leg.partner`, if it is known.
    ///   - serviceAddress: the address the leg's profile is bound to; nil when it is not to be compared.
    package init(of leg: CallLeg, partner: CallLeg?, serviceAddress: String?) {
        if let obstacle = Self.obstacle(of: leg, serviceAddress: serviceAddress) {
            self = .impossible(obstacle)
            return
        }
        if let name = leg.partner {
            guard let partner, partner.uuid == name, partner.partner == nil || partner.partner == leg.uuid
            else {
                self = .impossible(.halfKnown(name))
                return
            }
            if partner.profile != leg.profile {
                self = .impossible(.otherProfile(partner.profile))
                return
            }
            // One leg of a bridge alone would hang in the switch for ever, its peer hearing nothing.
            if Self.obstacle(of: partner, serviceAddress: serviceAddress) != nil {
                self = .impossible(.halfKnown(name))
                return
            }
        } else if leg.variable("current_application") ?? "" == "" {
            self = .impossible(.noApplication)
            return
        }
        if leg.phase == .held {
            self = .risky(.held)
        } else if leg.transport == "TCP" {
            self = .risky(.newConnection)
        } else {
            self = .recoverable
        }
    }

    private static func obstacle(of leg: CallLeg, serviceAddress: String?) -> Obstacle? {
        if leg.phase == .ringing { return .ringing }
        if leg.profile.isEmpty { return .notSIP }
        if leg.variables.isEmpty { return .notKnownYet }
        if leg.transport != "UDP", leg.transport != "TCP" { return .connectionBound(leg.transport) }
        if let serviceAddress, let media = leg.variable("local_media_ip"), !media.isEmpty,
            media != serviceAddress
        {
            return .mediaElsewhere(media)
        }
        if SIPTag.repaired(leg) == nil { return .noTag }
        return nil
    }

    package var description: String {
        switch self {
        case .recoverable: "recoverable"
        case .risky(.held): "on hold, which may be lost"
        case .risky(.newConnection): "over TCP, needs a new connection to the peer"
        case .impossible(let obstacle): obstacle.description
        }
    }
}

extension Recoverability.Obstacle: CustomStringConvertible {
    package var description: String {
        switch self {
        case .ringing: "not answered yet"
        case .notSIP: "not a SIP call"
        case .notTracked: "not tracked: its profile has no track-calls"
        case .connectionBound(let transport): "over \(transport), whose connection cannot be moved"
        case .mediaElsewhere(let address):
            "its media are bound to \(address), which is not the service address"
        case .halfKnown(let uuid): "its other leg \(uuid) cannot be revived"
        case .otherProfile(let profile): "its other leg is on profile \(profile.isEmpty ? "none" : profile)"
        case .noTag: "the peer has not confirmed the answer yet"
        case .noApplication: "nothing tells what it was doing"
        case .tooLarge: "its variables are too large to be replicated"
        case .notKnownYet: "not known yet"
        }
    }
}

extension CallLeg {
    /// How the peer's signalling is connected, in capitals: `UDP`, `TCP`, `TLS`, `WS` or `WSS`.
    package var transport: String {
        if let via = variable("sip_via_protocol"), !via.isEmpty { return via.uppercased() }
        // `SIP/2.0/TLS 192.0.2.7;branch=…` of the requests we sent.
        for name in ["sip_recover_via", "sip_full_via"] {
            if let via = variable(name), via.hasPrefix("SIP/2.0/") {
                return via.dropFirst(8).prefix { $0.isLetter }.uppercased()
            }
        }
        return "UDP"
    }
}

/// The tag of a dialog's far end in `sip_full_to`, which an inbound leg has only after the ACK.
enum SIPTag {
    /// The value of `sip_full_to` with its tag; nil when the leg has none anywhere.
    static func repaired(_ leg: CallLeg) -> String? {
        guard let to = leg.variable("sip_full_to"), !to.isEmpty else { return nil }
        if to.contains(";tag=") { return to }
        guard let tag = leg.variable("sip_to_tag"), !tag.isEmpty else { return nil }
        return "\(to);tag=\(tag)"
    }
}
