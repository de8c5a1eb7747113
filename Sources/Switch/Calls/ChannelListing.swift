import EventSocket

/// One channel of `show channels as json`: what the core's own table says of it.
package struct ListedChannel: Hashable, Sendable {
    package var uuid: String
    package var direction: String
    /// `sofia/svcA/1000@192.0.2.7:5080`
    package var name: String
    /// `CS_EXECUTE`, …; `CS_RESET` for long means that a revived leg never found its other one.
    package var state: String
    /// `ACTIVE`, `HELD`, …; a revived outbound leg shows `DOWN`.
    package var callState: String
    package var application: String

    package init(
        uuid: String, direction: String = "", name: String = "", state: String = "", callState: String = "",
        application: String = ""
    ) {
        self.uuid = uuid
        self.direction = direction
        self.name = name
        self.state = state
        self.callState = callState
        self.application = application
    }

    /// The sofia profile in its name; nil for a channel that is not sofia's.
    package var profile: String? {
        let parts = name.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == "sofia" ? String(parts[1]) : nil
    }
}

/// The answer to `show channels as json`: every channel, some tenths of a second late.
package struct ChannelListing: Hashable, Sendable {
    package static let command = "show channels as json"
    package var channels: [ListedChannel]

    package init(channels: [ListedChannel]) { self.channels = channels }

    /// - Throws: when the answer is of another form, or tells of more rows than it has: a part of a listing
    ///   would take calls away.
    package init(reading bytes: [UInt8]) throws(SwitchFailure) {
        var channels: [ListedChannel] = []
        var nameless = 0
        try JSONRows.read(bytes, name: Self.command) { fields in
            let uuid = fields["uuid"] ?? ""
            if uuid.isEmpty { nameless += 1 }
            channels.append(
                ListedChannel(
                    uuid: uuid, direction: fields["direction"] ?? "", name: fields["name"] ?? "",
                    state: fields["state"] ?? "", callState: fields["callstate"] ?? "",
                    application: fields["application"] ?? ""))
        }
        if nameless > 0 { throw .missing("uuid", in: Self.command) }
        self.init(channels: channels)
    }
}

/// The answer to `uuid_dump UUID json`: the same headers as an event of the channel.
///
/// It is asked for as JSON because the form without a format cannot be decoded: FreeSWITCH leaves a `%XX` that is part of a
/// value as it is (switch_utils.c: switch_url_encode), so a reader would decode what was never encoded.
package enum ChannelDump {
    /// The longest answer that is read.
    package static let byteLimit = 4 << 20

    package static func command(_ uuid: String) -> String { "uuid_dump \(uuid) json" }

    /// - Returns: nil when there is no such channel.
    /// - Throws: when the answer is neither.
    package static func read(_ bytes: [UInt8]) throws(SwitchFailure) -> SwitchEvent? {
        if bytes.starts(with: "-ERR".utf8) { return nil }
        if bytes.count > byteLimit { throw .tooLarge("uuid_dump", limit: byteLimit) }
        // The command ends its answer with one more blank line than an event has.
        let end = bytes.lastIndex { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        let text = Array(bytes[..<((end ?? -1) + 1)])
        let isJSON = text.first == UInt8(ascii: "{")
        let event: SwitchEvent
        do {
            event =
                isJSON
                ? try EventCodec.decode(text, as: .json)
                : try EventCodec.decode(text + [UInt8(ascii: "\n"), UInt8(ascii: "\n")], as: .plain)
        } catch {
            throw .unreadable("uuid_dump", reason: error.description)
        }
        guard let uuid = event.channel, !uuid.isEmpty else { throw .missing("Unique-ID", in: "uuid_dump") }
        return event
    }
}
