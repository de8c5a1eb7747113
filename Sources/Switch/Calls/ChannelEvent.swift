import EventSocket
import Limits
import Replication

/// What one event or `uuid_dump` says about the leg of a call.
struct ChannelEvent {
    /// The events a tracker wants; `CHANNEL_STATE` and `CHANNEL_CALLSTATE` carry no variables.
    static let names = [
        "CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CALL_UPDATE",
        "CHANNEL_EXECUTE", "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE",
        "CHANNEL_DESTROY", "CHANNEL_UUID",
    ]
    /// `Event-Name` of a `uuid_dump`.
    static let dump = "CHANNEL_DATA"

    /// The `Caller-…` headers that a recovery row is made of, in the order of its fields.
    static let callerFields = [
        "Username", "Dialplan", "Caller-ID-Name", "Caller-ID-Number", "Callee-ID-Name", "Callee-ID-Number",
        "ANI", "Network-Addr", "RDNIS", "Destination-Number", "Unique-ID", "Source", "Context",
        "Channel-Name", "Channel-Created-Time", "Profile-Created-Time", "Channel-Answered-Time",
    ]
    private static let callerPlaces = Dictionary(
        uniqueKeysWithValues: callerFields.enumerated().map { ($1, $0) })

    let name: String
    let uuid: String
    let sequence: UInt64
    private(set) var variables: [CallLeg.Field] = []
    private(set) var caller: [CallLeg.Field] = []
    /// Keys of mod_hash by its variables `limit_usage_<REALM>_<ID>`, fit or not.
    private var usages: [String] = []
    private static let usage = "limit_usage_".utf8
    /// Bytes of all of that.
    private(set) var size = 0
    /// Of the caller profile: another one after a transfer.
    private(set) var profileIndex = ""
    private var other: [String: String] = [:]

    /// Headers that are looked at by name.
    private static let wanted: Set<String> = [
        "Core-UUID", "FreeSWITCH-Switchname", "Call-Direction", "Answer-State", "Channel-Call-State",
        "Channel-Name", "Other-Leg-Unique-ID", "Other-Type", "Bridged-To", "Bridge-A-Unique-ID",
        "Bridge-B-Unique-ID", "Old-Unique-ID", "Event-Date-Timestamp", "Hangup-Cause",
        "Application", "Application-Data",
    ]

    /// - Returns: nil when the event is not about a channel, or of a kind that says nothing here.
    init?(_ event: SwitchEvent) {
        let name = event.name
        guard Self.names.contains(name) || name == Self.dump, let uuid = event.channel, !uuid.isEmpty else {
            return nil
        }
        self.name = name
        self.uuid = uuid
        sequence = event["Event-Sequence"].flatMap { UInt64($0) } ?? 0
        var places: [(Int, CallLeg.Field)] = []
        // Once through the headers: there are two hundred of them in every event.
        for field in event.headers.fields {
            if field.name.utf8.starts(with: "variable_".utf8) {
                let name = String(field.name.utf8.dropFirst(9)) ?? ""
                size += name.utf8.count + field.value.utf8.count
                variables.append(.init(name, field.value))
                if name.utf8.starts(with: Self.usage) { usages.append(String(name.dropFirst(12))) }
            } else if field.name.utf8.starts(with: "Caller-".utf8) {
                let name = String(field.name.utf8.dropFirst(7)) ?? ""
                if let place = Self.callerPlaces[name] { places.append((place, .init(name, field.value))) }
                if name == "Profile-Index" { profileIndex = field.value }
            } else if Self.wanted.contains(field.name), other[field.name] == nil {
                other[field.name] = field.value
            }
        }
        caller = places.sorted { $0.0 < $1.0 }.map(\.1)
        for field in caller { size += field.name.utf8.count + field.value.utf8.count }
    }

    subscript(name: String) -> String? { other[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// Keys of mod_hash by its variables.
    var hashKeys: [String] { usages.filter { LimitKey(.hash, $0).fault == nil } }
    var runtime: String? { self["Core-UUID"] }
    var isDump: Bool { name == Self.dump }
    var isEnd: Bool {
        name == "CHANNEL_HANGUP" || name == "CHANNEL_HANGUP_COMPLETE" || name == "CHANNEL_DESTROY"
            || self["Answer-State"] == "hangup"
    }
    var isAnswered: Bool { self["Answer-State"] == "answered" }
    var isHeld: Bool {
        name == "CHANNEL_HOLD" || (name != "CHANNEL_UNHOLD" && self["Channel-Call-State"] == "HELD")
    }
    var direction: CallLeg.Direction? { self["Call-Direction"].flatMap(CallLeg.Direction.init(rawValue:)) }

    func variable(_ name: String) -> String? {
        variables.first { $0.name == name }.flatMap { $0.value.isEmpty ? nil : $0.value }
    }
    func caller(_ name: String) -> String? { caller.first { $0.name == name }?.value }

    /// The sofia profile of the channel; empty when it is not sofia's.
    var profile: String {
        variable("recovery_profile_name") ?? variable("sofia_profile_name") ?? self["Channel-Name"].flatMap {
            ListedChannel(uuid: uuid, name: $0).profile
        } ?? ""
    }

    /// How long before the event something was, by the switch's own clock; nil when it was not yet.
    func age(of header: String) -> Duration? {
        guard let then = caller(header).flatMap({ Int64($0) }), then > 0,
            let now = self["Event-Date-Timestamp"].flatMap({ Int64($0) })
        else { return nil }
        let (age, isOverflow) = now.subtractingReportingOverflow(then)
        // A clock that was set back makes no call of the future, one set ahead none of the last century.
        return isOverflow ? .zero : .microseconds(min(max(0, age), 10 * 365 * 86_400 * 1_000_000))
    }
}
