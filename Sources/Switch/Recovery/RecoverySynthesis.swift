import EventSocket
import Replication

/// Two bridged legs, or one leg alone: what is revived together or not at all.
package struct RecoverableCall: Hashable, Sendable {
    /// The originator of the bridge first; never more than two.
    package var legs: [CallLeg]
    /// A leg whose call is lost: it is brought back only to be hung up, so that its peer hears BYE instead of nothing.
    package var isFarewell: Bool

    package init(legs: [CallLeg], isFarewell: Bool = false) {
        precondition((1...2).contains(legs.count) && (!isFarewell || legs.count == 1))
        self.legs = legs
        self.isFarewell = isFarewell
    }

    /// The highest `fsdns_priority` of its legs, a whole number that a dialplan may set; 0 without one.
    package var priority: Int {
        legs.compactMap { $0.variable(Self.priorityVariable).flatMap { Int($0) } }.max() ?? 0
    }
    package static let priorityVariable = "fsdns_priority"

    /// When its first leg was answered, in microseconds of the old switch's clock; the largest number when
    /// that is not told.
    package var answered: Int64 {
        legs.compactMap { leg in
            leg.caller.first { $0.name == "Channel-Answered-Time" }.flatMap { Int64($0.value) }.flatMap {
                $0 > 0 ? $0 : nil
            }
        }.min() ?? .max
    }

    /// Important calls first: the higher priority, then the longer established, then by uuid.
    package static func isMoreImportant(_ a: RecoverableCall, _ b: RecoverableCall) -> Bool {
        if a.priority != b.priority { return a.priority > b.priority }
        if a.answered != b.answered { return a.answered < b.answered }
        return (a.legs.first?.uuid ?? "") < (b.legs.first?.uuid ?? "")
    }

    /// The rows that revive it, one for each leg.
    ///
    /// - Parameters:
    ///   - runtime: Core-UUID of the switch that shall revive it; a row must carry another one.
    ///   - sequence: of this moment.
    package func rows(for runtime: String, sequence: RequestSequence) -> [RecoveryRow] {
        legs.enumerated().map { index, leg in
            let partner = legs.count == 2 ? legs[1 - index].uuid : nil
            let metadata = RecoverySynthesis(
                leg: leg, partner: partner, isOriginator: partner != nil && index == 0,
                isFarewell: isFarewell, sequence: sequence.number(for: leg)
            ).metadata
            return RecoveryRow(
                runtimeUUID: leg.runtime == runtime || leg.runtime.isEmpty ? Self.otherRuntime : leg.runtime,
                profileName: leg.profile, hostname: leg.switchname, uuid: leg.uuid, metadata: metadata)
        }
    }

    /// For a call that comes back to the very process it left.
    private static let otherRuntime = "00000000-0000-0000-0000-000000000000"
}

/// Writes the recovery metadata of one leg from what its events told, with what they get wrong put right
/// (switch_core.c and switch_ivr.c read it: switch_core_recovery_recover, switch_ivr_generate_xml_cdr's form).
struct RecoverySynthesis {
    let leg: CallLeg
    let partner: String?
    let isOriginator: Bool
    var isFarewell = false
    /// The number before that of the re-INVITE.
    let sequence: UInt32

    /// What a peer is told whose call is lost.
    private static let farewell = RecoveryMetadata.Application(
        name: "hangup", data: "NORMAL_TEMPORARY_FAILURE")
    /// Elements of `<caller_profile>` and the `Caller-` headers they come from.
    private static let profileFields = [
        ("username", "Username"), ("dialplan", "Dialplan"), ("caller_id_name", "Caller-ID-Name"),
        ("caller_id_number", "Caller-ID-Number"), ("callee_id_name", "Callee-ID-Name"),
        ("callee_id_number", "Callee-ID-Number"), ("ani", "ANI"), ("network_addr", "Network-Addr"),
        ("rdnis", "RDNIS"), ("destination_number", "Destination-Number"), ("uuid", "Unique-ID"),
        ("source", "Source"), ("context", "Context"), ("chan_name", "Channel-Name"),
    ]
    private static let timeFields = [
        ("created_time", "Channel-Created-Time"), ("profile_created_time", "Profile-Created-Time"),
        ("answered_time", "Channel-Answered-Time"),
    ]

    var metadata: String {
        var xml = "<cdr core-uuid=\"\(escaped(leg.runtime))\" switchname=\"\(escaped(leg.switchname))\">"
        xml += "<channel_data><direction>\(leg.direction.rawValue)</direction><flags>\(flags)</flags>"
        xml += "<caps>1=1;2=1;3=1;4=1;5=1;6=1;8=1;9=1;10=1</caps></channel_data><variables>"
        for field in variables { xml += "<\(field.name)>\(URLCoding.encode(field.value))</\(field.name)>" }
        xml += "</variables><callflow dialplan=\"XML\" profile_index=\"1\">"
        if partner == nil { xml += applications }
        xml += "<caller_profile>"
        for (element, header) in Self.profileFields { xml += field(element, header) }
        xml += "</caller_profile><times>"
        for (element, header) in Self.timeFields { xml += field(element, header) }
        return xml + "</times></callflow></cdr>"
    }

    /// The switch's own numbers when a row told them; without flag 4 on one of two legs they would be revived
    /// and not bridged (switch_core_state_machine.c: switch_core_standard_on_reset).
    private var flags: String {
        var flags = leg.flags.map { ChannelFlags($0) } ?? ChannelFlags()
        flags[.answered] = true
        flags[.trackable] = true
        flags[.outbound] = leg.direction == .outbound
        flags[.bridgeOriginator] = isOriginator
        return flags.text
    }

    private var variables: [CallLeg.Field] {
        var fields: [CallLeg.Field] = []
        fields.reserveCapacity(leg.variables.count + 2)
        var hasBond = false
        let media = SecureMedia(leg)
        let hasConnection = leg.transport != "UDP"
        for field in leg.variables where Self.isName(field.name) && !ApplicationVariables.isOne(field.name) {
            if media?.replaces(field.name) == true { continue }
            switch field.name {
            // With it a `limit` that runs again would never give its place back.
            case "limit_backend": continue
            // FreeSWITCH only ever sets it, when the peer has answered: so it tells whether it has.
            case RecoveryRun.sequence: continue
            // An earlier revival's, or a dialplan's: used up.
            case let name where RequestSequence.isVariable(name): continue
            case HoldMusic.variable, WaitingMark.variable: continue
            // Sent as our Via, it would tell the peer to answer over the connection that is gone.
            case "sip_recover_via" where hasConnection: continue
            case "sip_transport" where hasConnection: continue
            // Of a leg that rang, or failed: FreeSWITCH would wait for it and hang up (switch_channel.c: switch_channel_get_partner_uuid).
            case "originate_signal_bond" where partner == nil: continue
            case "signal_bond":
                if let partner, !hasBond { fields.append(.init(field.name, partner)) }
                hasBond = true
            case "sip_full_to": fields.append(.init(field.name, SIPTag.repaired(leg) ?? field.value))
            default: fields.append(field)
            }
        }
        if let partner, !hasBond { fields.append(.init("signal_bond", partner)) }
        // Without it our Contact would name no transport, and the peer's BYE would go out by UDP.
        if hasConnection { fields.append(.init("sip_transport", leg.transport.lowercased())) }
        if let media { fields += media.fields }
        if partner != nil { fields.append(.init(HoldMusic.variable, HoldMusic.silence)) }
        fields.append(.init(RequestSequence.variable, "\(sequence)"))
        return fields
    }

    /// Variables become elements: the names all of XML's readers take. Others are left out.
    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, isLetter(first) else { return false }
        return name.utf8.allSatisfy {
            isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
                || $0 == UInt8(ascii: ".")
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// What a leg alone goes on with: the current application begins anew, and the rest of its extension follows.
    private var applications: String {
        let applications = (isFarewell ? [Self.farewell] : ApplicationVariables.read(leg)).map {
            "<application app_name=\"\(escaped($0.name))\" app_data=\"\(escaped($0.data))\"/>"
        }
        return "<extension name=\"r\" number=\"r\">\(applications.joined())</extension>"
    }

    private func field(_ element: String, _ header: String) -> String {
        let value = leg.caller.first { $0.name == header }?.value ?? ""
        return "<\(element)>\(escaped(value))</\(element)>"
    }

    /// XML has no way to write most control characters: they become spaces.
    private func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F || scalar.value & 0xFFFE == 0xFFFE:
                result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
