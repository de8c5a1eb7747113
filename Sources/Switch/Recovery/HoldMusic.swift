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

    /// The commands that let two legs have their music again, when the event tells that their bridge is being made.
    package static func restoring(after event: SwitchEvent) -> [String] {
        guard event.name == "CHANNEL_BRIDGE", event["variable_\(variable)"] == silence else { return [] }
        let uuids = [event["Bridge-A-Unique-ID"], event["Bridge-B-Unique-ID"]].compactMap { $0 }
        return uuids.filter(isUUID).map { "uuid_setvar \($0) \(variable)" }
    }

    private static func isUUID(_ text: String) -> Bool {
        text.utf8.count == 36
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                    UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
