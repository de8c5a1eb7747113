import EventSocket
import Replication
import XML

/// What a row of the switch's own recovery table says of its leg.
package struct RecoveryMetadata: Hashable, Sendable {
    package struct Application: Hashable, Sendable {
        package var name: String
        package var data: String

        package init(name: String, data: String) {
            self.name = name
            self.data = data
        }
    }

    /// The leg with the flags the switch gave it.
    package var leg: CallLeg
    /// The matched extension, all of which FreeSWITCH runs again for a leg alone.
    package var applications: [Application]
    /// Which of them is executed next; nil when all have begun.
    package var nextApplication: Int?
    /// `Caller-Profile-Index` of the extension.
    package var profileIndex: String

    /// The largest metadata that are read: 1 MiB; a leg has some 10 KB.
    package static let byteLimit = 1 << 20
    private static let whole = "recovery metadata"

    /// `<caller_profile>` and `<times>` by the `Caller-` headers of events.
    private static let callerElements: [(header: String, element: String, isTime: Bool)] = [
        ("Username", "username", false), ("Dialplan", "dialplan", false),
        ("Caller-ID-Name", "caller_id_name", false), ("Caller-ID-Number", "caller_id_number", false),
        ("Callee-ID-Name", "callee_id_name", false), ("Callee-ID-Number", "callee_id_number", false),
        ("ANI", "ani", false), ("Network-Addr", "network_addr", false), ("RDNIS", "rdnis", false),
        ("Destination-Number", "destination_number", false), ("Unique-ID", "uuid", false),
        ("Source", "source", false), ("Context", "context", false), ("Channel-Name", "chan_name", false),
        ("Channel-Created-Time", "created_time", true),
        ("Profile-Created-Time", "profile_created_time", true),
        ("Channel-Answered-Time", "answered_time", true),
    ]

    /// - Throws: when the metadata are not XML, or not of a leg.
    package init(reading row: RecoveryRow) throws(SwitchFailure) {
        let (root, problems) = XMLText.parse(
            Array(row.metadata.utf8), file: row.uuid, byteLimit: Self.byteLimit)
        guard let root, problems.isEmpty else {
            throw .unreadable(Self.whole, reason: problems.first?.description ?? "it is not XML")
        }
        guard root.name == "cdr" else { throw .unreadable(Self.whole, reason: "it begins with \(root.tag)") }
        guard let channel = root.child("channel_data"), let variables = root.child("variables") else {
            throw .missing("<channel_data> and <variables>", in: Self.whole)
        }
        let written = channel.child("direction")?.text ?? ""
        guard let direction = CallLeg.Direction(rawValue: written) else {
            throw .malformed("direction", value: written, in: Self.whole)
        }
        let flags = channel.child("flags")?.text ?? ""
        let callflow = root.child("callflow")
        leg = CallLeg(
            uuid: row.uuid, runtime: row.runtimeUUID, switchname: row.hostname, profile: row.profileName,
            direction: direction, phase: .answered, isOriginator: ChannelFlags(flags)[.bridgeOriginator],
            variables: variables.children.map { .init($0.name, URLCoding.decode($0.text)) },
            caller: Self.caller(callflow), flags: flags.isEmpty ? nil : flags)
        leg.partner = leg.variable("signal_bond")
        let extensionApplications = callflow?.child("extension")?.children(named: "application") ?? []
        applications = extensionApplications.map {
            Application(name: $0.value("app_name") ?? "", data: $0.value("app_data") ?? "")
        }
        // FreeSWITCH moves on before it executes, so what it calls the last executed is the next (switch_core_state_machine.c:
        // switch_core_standard_on_execute).
        nextApplication = extensionApplications.firstIndex { $0.value("last_executed") == "true" }
        profileIndex = callflow?.value("profile_index") ?? ""
    }

    private static func caller(_ callflow: Element?) -> [CallLeg.Field] {
        callerElements.compactMap { header, element, isTime in
            let parent = callflow?.child(isTime ? "times" : "caller_profile")
            return parent?.child(element).map { .init(header, $0.text) }
        }
    }
}
