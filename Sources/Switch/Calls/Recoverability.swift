import Replication

/// Whether another node's switch could revive a leg, and if not, why not.
package enum Recoverability: Hashable, Sendable, CustomStringConvertible {
    /// The worst first.
    package enum Risk: Hashable, Sendable {
        /// The dialog has no tag yet: the caller's ACK has not come, or was not heard of.
        case unconfirmed
        /// Over TCP or TLS, in capitals: the other node has to open a new connection to the peer.
        case newConnection(String)
        /// DTLS or ICE: FreeSWITCH keeps nothing of them, and negotiates anew.
        case negotiatedMedia
        /// SRTP: the peer must take a new key.
        case newKey
        /// On hold: the new switch does not know.
        case held
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
    /// - isPartners: it is the other leg that is at risk; with it both are.
    case risky(Risk, isPartners: Bool = false)
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
        var partners: Risk?
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
            partners = Self.risk(of: partner)
        } else if ApplicationVariables.read(leg).isEmpty {
            self = .impossible(.noApplication)
            return
        }
        let own = Self.risk(of: leg)
        if let partners, own.map({ partners.weight > $0.weight }) ?? true {
            self = .risky(partners, isPartners: true)
        } else if let own {
            self = .risky(own)
        } else {
            self = .recoverable
        }
    }

    private static func risk(of leg: CallLeg) -> Risk? {
        if SIPTag.repaired(leg) == nil { return .unconfirmed }
        if leg.transport != "UDP" { return .newConnection(leg.transport) }
        if leg.isTrue("media_webrtc") || leg.isTrue("rtp_use_dtls") || leg.isTrue("add_ice_candidates") {
            return .negotiatedMedia
        }
        if leg.hasSecureMedia { return .newKey }
        return leg.phase == .held ? .held : nil
    }

    /// What keeps the leg itself from being taken over, whatever its partner is.
    static func obstacle(of leg: CallLeg, serviceAddress: String?) -> Obstacle? {
        if leg.phase == .ringing { return .ringing }
        if leg.profile.isEmpty { return .notSIP }
        if leg.variables.isEmpty { return .notKnownYet }
        if !movable.contains(leg.transport) { return .connectionBound(leg.transport) }
        if let serviceAddress, let media = leg.variable("local_media_ip"), !media.isEmpty,
            media != serviceAddress
        {
            return .mediaElsewhere(media)
        }
        return nil
    }

    /// Transports by which the switch itself can reach the peer anew; of a WebSocket the peer must open it.
    private static let movable: Set<String> = ["UDP", "TCP", "TLS"]

    package var description: String {
        switch self {
        case .recoverable: "recoverable"
        case .risky(let risk, false): risk.description
        case .risky(let risk, true): "its other leg is \(risk)"
        case .impossible(let obstacle): obstacle.description
        }
    }
}

extension Recoverability.Risk: CustomStringConvertible {
    fileprivate var weight: Int {
        switch self {
        case .unconfirmed: 5
        case .newConnection: 4
        case .negotiatedMedia: 3
        case .newKey: 2
        case .held: 1
        }
    }

    package var description: String {
        switch self {
        case .unconfirmed: "not confirmed by its peer yet, as far as is known; the switch is asked again"
        case .newConnection(let transport): "over \(transport), needs a new connection to the peer"
        case .negotiatedMedia: "with DTLS or ICE media, which are negotiated anew"
        case .newKey: "with SRTP, for which the peer must take a new key"
        case .held: "on hold, which the new switch does not know"
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
        case .otherProfile(""): "its other leg goes through a channel that is not SIP, such as loopback"
        case .otherProfile(let profile): "its other leg is on profile \(profile)"
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

extension CallLeg {
    /// switch_utils.h: switch_true.
    fileprivate func isTrue(_ name: String) -> Bool {
        ["yes", "on", "true", "t", "enabled", "active", "allow", "1"].contains(
            variable(name)?.lowercased() ?? "")
    }

    /// SRTP with keys in SDP.
    fileprivate var hasSecureMedia: Bool { !(variable("srtp_remote_audio_crypto_key") ?? "").isEmpty }
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
