import EventSocket
import Replication

/// Hold music of revived legs, which is kept silent until their bridge stands.
///
/// A phone that was on hold answers the re-INVITE with `sendonly`, and FreeSWITCH would play music to the other leg. When the bridge is
/// being made at that moment, its thread plays the music itself, without an end: neither BYE nor `uuid_kill` ends the call any more
/// (switch_core_media.c: switch_core_media_toggle_hold, switch_ivr_bridge.c: switch_ivr_multi_threaded_bridge, which carries out the other leg's
/// events before it bridges).
package enum HoldMusic {
    /// Goes before `hold_music`; a transfer clears it (switch_ivr.c: switch_ivr_session_transfer).
    static let variable = "temp_hold_music"
    static let silence = "silence"
    /// How long after the bridge's event it is made for sure.
    package static let patience: Duration = .seconds(3)

    /// The legs that may have their music again, when the event tells that their bridge is being made.
    package static func silent(after event: SwitchEvent) -> [String] {
        guard event.name == "CHANNEL_BRIDGE", isSilent(event) else { return [] }
        return [event["Bridge-A-Unique-ID"], event["Bridge-B-Unique-ID"]].compactMap { $0 }
    }

    /// Whether an event or a dump of a channel tells that it has none.
    package static func isSilent(_ event: SwitchEvent) -> Bool { event["variable_\(variable)"] == silence }

    /// Lets a leg have its music.
    package static func restoring(_ uuid: String) -> String { "uuid_setvar \(uuid) \(variable)" }
}
