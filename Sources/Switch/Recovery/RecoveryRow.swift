/// One row of the table `recovery` in FreeSWITCH's core database: all it needs to revive one leg.
package struct RecoveryRow: Hashable, Sendable {
    /// Core-UUID of the process that owns the call; a switch revives the rows of others only.
    package var runtimeUUID: String
    /// `sofia`
    package var technology: String
    package var profileName: String
    /// The switchname, not the name of the machine.
    package var hostname: String
    package var uuid: String
    /// The leg as XML.
    package var metadata: String

    package init(
        runtimeUUID: String, technology: String = "sofia", profileName: String, hostname: String,
        uuid: String,
        metadata: String
    ) {
        self.runtimeUUID = runtimeUUID
        self.technology = technology
        self.profileName = profileName
        self.hostname = hostname
        self.uuid = uuid
        self.metadata = metadata
    }

    /// The text of `<flags>`: which channel flags were set, by this version's numbers. Found without parsing:
    /// rows are many and read often.
    package var flags: String? {
        guard let open = metadata.utf8.firstRange(of: "<flags>".utf8),
            let close = metadata.utf8[open.upperBound...].firstIndex(of: UInt8(ascii: "<"))
        else { return nil }
        let text = metadata.utf8[open.upperBound..<close]
        let isClean = text.allSatisfy {
            $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: "=")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
        return isClean && text.count < 4096 ? String(text) : nil
    }

    /// The rows that earlier lives of this switch left behind. On a machine that comes back they must be
    /// deleted before it may hold an address: their calls may be alive elsewhere, and an operator's
    /// `sofia recover` would take them from there.
    ///
    /// - Parameter runtime: Core-UUID of the process that runs now.
    package static func stale(in rows: [RecoveryRow], runtime: String) -> [RecoveryRow] {
        rows.filter { $0.runtimeUUID != runtime }
    }
}

/// Channel flags of FreeSWITCH 1.11 (switch_types.h: switch_channel_flag_t) as `<flags>` writes them.
package struct ChannelFlags: Hashable, Sendable {
    package enum Flag: Int, Sendable {
        case answered = 1
        case outbound = 2
        case bridgeOriginator = 4
        case trackable = 89
        case audio = 160
    }
    /// In the order they are written.
    private var values: [(flag: Int, value: Int)]

    /// The flags of an answered leg of a tracked profile with audio.
    package init() { values = [(1, 1), (89, 1), (160, 1)] }

    /// Reads `1=1;89=1`; what is no such pair is left out.
    package init(_ text: String) {
        values = text.split(separator: ";").compactMap { pair in
            let parts = pair.split(separator: "=")
            guard parts.count == 2, let flag = Int(parts[0]), let value = Int(parts[1]) else { return nil }
            return (flag, value)
        }
    }

    package subscript(flag: Flag) -> Bool {
        get { values.contains { $0.flag == flag.rawValue && $0.value != 0 } }
        set {
            if newValue == self[flag] { return }
            values.removeAll { $0.flag == flag.rawValue }
            if newValue { values.append((flag.rawValue, 1)) }
        }
    }

    package var text: String { values.map { "\($0.flag)=\($0.value)" }.joined(separator: ";") }

    package static func == (a: ChannelFlags, b: ChannelFlags) -> Bool { a.text == b.text }
    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
