import EventSocket
import Primitives

/// A switch that only makes events: legs are created, answered, bridged, parted, held and hung up by chance.
struct PretendCalls {
    struct Leg {
        var direction: String
        var isAnswered = false
        var isHeld = false
        var partner: String?
        var isOriginator = false
        var turn = 0
    }
    let runtime: String
    var legs: [String: Leg] = [:]
    private var chance: SeededGenerator
    private var sequence = 100
    private var made = 0

    init(seed: UInt64, runtime: String = "core-1") {
        chance = SeededGenerator(seed: seed)
        self.runtime = runtime
    }

    private func headers(_ name: String, _ uuid: String, _ leg: Leg, _ sequence: Int) -> SwitchEvent {
        var headers = Headers([
            .init("Event-Name", name), .init("Core-UUID", runtime), .init("FreeSWITCH-Switchname", "fsA"),
            .init("Event-Sequence", "\(sequence)"), .init("Unique-ID", uuid),
            .init("Call-Direction", leg.direction),
            .init(
                "Answer-State",
                name.hasPrefix("CHANNEL_HANGUP") ? "hangup" : leg.isAnswered ? "answered" : "ringing"),
            .init("Channel-Call-State", leg.isHeld ? "HELD" : "ACTIVE"),
            .init("Caller-Destination-Number", "d\(leg.turn)"),
            .init("variable_recovery_profile_name", "svcA"), .init("variable_turn", "\(leg.turn)"),
        ])
        if let partner = leg.partner {
            headers.append("variable_signal_bond", partner)
            headers.append("Other-Type", leg.isOriginator ? "originatee" : "originator")
        }
        return SwitchEvent(headers: headers)
    }

    private mutating func tell(_ name: String, _ uuid: String) -> SwitchEvent {
        sequence += 1
        legs[uuid]?.turn += 1
        return headers(name, uuid, legs[uuid]!, sequence)
    }

    func dump(_ uuid: String) -> SwitchEvent? {
        legs[uuid].map { headers("CHANNEL_DATA", uuid, $0, sequence + 1) }
    }

    private mutating func any(_ isWanted: (Leg) -> Bool) -> String? {
        legs.filter { isWanted($0.value) }.keys.sorted().randomElement(using: &chance)
    }

    /// One thing that happens, and its events.
    mutating func step() -> [SwitchEvent] {
        switch Int.random(in: 0..<10, using: &chance) {
        case 0...2:
            made += 1
            let uuid = "leg-\(made)"
            legs[uuid] = Leg(direction: Bool.random(using: &chance) ? "inbound" : "outbound")
            return [tell("CHANNEL_CREATE", uuid)]
        case 3, 4:
            guard let uuid = any({ !$0.isAnswered }) else { return [] }
            legs[uuid]?.isAnswered = true
            return [tell("CHANNEL_ANSWER", uuid)]
        case 5:
            guard let a = any({ $0.isAnswered && $0.partner == nil }) else { return [] }
            guard
                let b = legs.keys.sorted().first(where: {
                    $0 != a && legs[$0]!.isAnswered && legs[$0]!.partner == nil
                })
            else { return [] }
            legs[a]?.partner = b
            legs[a]?.isOriginator = true
            legs[b]?.partner = a
            return [tell("CHANNEL_BRIDGE", a), tell("CALL_UPDATE", a), tell("CALL_UPDATE", b)]
        case 6:
            guard let a = any({ $0.partner != nil && $0.isOriginator }), let b = legs[a]?.partner else {
                return []
            }
            var unbridge = tell("CHANNEL_UNBRIDGE", a)
            unbridge.headers["Bridge-A-Unique-ID"] = a
            unbridge.headers["Bridge-B-Unique-ID"] = b
            part(a, b)
            return [unbridge, tell("CHANNEL_EXECUTE", a), tell("CHANNEL_EXECUTE", b)]
        case 7:
            guard let uuid = any({ $0.isAnswered }) else { return [] }
            legs[uuid]?.isHeld.toggle()
            return [tell(legs[uuid]!.isHeld ? "CHANNEL_HOLD" : "CHANNEL_UNHOLD", uuid)]
        default:
            guard let uuid = any({ _ in true }) else { return [] }
            let event = tell("CHANNEL_HANGUP", uuid)
            if let partner = legs[uuid]?.partner { part(uuid, partner) }
            legs[uuid] = nil
            return [event]
        }
    }

    private mutating func part(_ a: String, _ b: String) {
        for uuid in [a, b] {
            legs[uuid]?.partner = nil
            legs[uuid]?.isOriginator = false
        }
    }
}
