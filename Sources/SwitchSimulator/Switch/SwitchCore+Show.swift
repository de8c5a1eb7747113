extension SwitchCore {
    /// One of the core's tables as `show` prints it.
    struct Listing {
        var columns: [String]
        var rows: [[String]]
    }

    /// `show TABLE [count] [as json|as delim X|as xml]`
    func show(_ arguments: String) -> String {
        if faults.isDatabaseOff { return "-ERR SQL disabled, no data available!\n" }
        let words = arguments.split(separator: " ").map(String.init)
        guard let listing = words.first.flatMap(listing) else {
            return "-USAGE: aliases|calls|channels|registrations [count] [as delim <delimiter>|as json]\n"
        }
        if words.contains("count") {
            guard !words.contains("json") else { return "{\"row_count\":\(listing.rows.count)}\n" }
            return "\n\(listing.rows.count) total.\n"
        }
        if let at = words.firstIndex(of: "as"), at + 1 < words.count {
            switch words[at + 1] {
            case "json": return json(listing)
            case "delim": return text(listing, separator: at + 2 < words.count ? words[at + 2] : ",")
            default: return "-ERR Cannot find format \(words[at + 1])\n"
            }
        }
        return text(listing, separator: ",")
    }

    private func listing(_ name: String) -> Listing? {
        switch name {
        case "channels": Listing(columns: Self.channelColumns, rows: visible.map(channelRow))
        case "calls": Listing(columns: Self.callColumns, rows: callRows)
        case "registrations": Listing(columns: Self.registrationColumns, rows: registrationRows)
        case "aliases":
            Listing(
                columns: ["sticky", "alias", "command", "hostname"],
                rows: aliases.map { ["0", $0.name, $0.command, identity.switchname] })
        default: nil
        }
    }

    private func text(_ listing: Listing, separator: String) -> String {
        guard !listing.rows.isEmpty else { return "\n0 total.\n" }
        let lines = ([listing.columns] + listing.rows).map { $0.joined(separator: separator) + "\n" }
        return lines.joined() + "\n\(listing.rows.count) total.\n"
    }

    private func json(_ listing: Listing) -> String {
        guard !listing.rows.isEmpty else { return "{\"row_count\": 0}\n" }
        let rows = listing.rows.map { row in
            "{" + zip(listing.columns, row).map { "\(quoted($0)):\(quoted($1))" }.joined(separator: ",") + "}"
        }
        return "{\"row_count\":\(rows.count),\"rows\":[\(rows.joined(separator: ","))]}\n"
    }

    private func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private var visible: [Leg] { order.compactMap { channels[$0] } }

    private static let channelColumns = [
        "uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num", "ip_addr",
        "dest", "application", "application_data", "dialplan", "context", "read_codec", "read_rate",
        "read_bit_rate", "write_codec", "write_rate", "write_bit_rate", "secure", "hostname", "presence_id",
        "presence_data", "accountcode", "callstate", "callee_name", "callee_num", "callee_direction",
        "call_uuid", "sent_callee_name", "sent_callee_num", "initial_cid_name", "initial_cid_num",
        "initial_ip_addr", "initial_dest", "initial_dialplan", "initial_context",
    ]

    /// A revived channel's row has less: it was never routed here.
    private func channelRow(_ channel: Leg) -> [String] {
        let basic = Basics(channel)
        let isRouted = channel.revival == nil
        let codec = channel.hasCodec ? ["PCMU", "8000", "64000"] : ["", "", ""]
        let application = channel.isInbound ? channel.application : nil
        let shown = isRouted ? [channel.caller.dialplan, channel.caller.context] : ["", ""]
        return basic.first
            + [application?.name ?? "", application?.data ?? ""] + shown + codec + codec
            + ["", identity.switchname, "", "", "", channel.callState] + basic.callee
            + [channel.isBridged ? channel.callUUID : ""] + basic.sent
            + (isRouted
                ? [
                    channel.caller.callerName, channel.caller.callerNumber, channel.caller.networkAddress,
                    channel.caller.destination, channel.caller.dialplan, channel.caller.context,
                ] : ["", "", "", "", "", ""])
    }

    /// Columns that `channels` and both halves of `calls` share.
    private struct Basics {
        var first: [String]
        var callee: [String]
        var sent: [String]

        init(_ channel: Leg) {
            let created = Timestamp(microseconds: channel.times.created)
            let isRouted = channel.revival == nil
            let isKnown = isRouted || channel.isBridged
            first = [
                channel.uuid, channel.direction.rawValue, created.local, "\(created.seconds)", channel.name,
                channel.state.name, isKnown ? channel.caller.callerName : "",
                isKnown ? channel.caller.callerNumber : "", isRouted ? channel.caller.networkAddress : "",
                isRouted ? channel.caller.destination : "",
            ]
            let isBridged = channel.isBridged
            callee =
                isBridged
                ? [channel.caller.calleeName, channel.caller.calleeNumber, "SEND"] : ["", "", ""]
            sent =
                !isBridged
                ? ["", ""]
                : channel.isInbound
                    ? [channel.caller.calleeName, channel.caller.calleeNumber]
                    : [channel.caller.callerName, channel.caller.callerNumber]
        }
    }

    private static let callColumns =
        [
            "uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num",
            "ip_addr", "dest", "presence_id", "presence_data", "accountcode", "callstate", "callee_name",
            "callee_num", "callee_direction", "call_uuid", "hostname", "sent_callee_name", "sent_callee_num",
        ]
        + [
            "uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num",
            "ip_addr", "dest", "presence_id", "presence_data", "accountcode", "callstate", "callee_name",
            "callee_num", "callee_direction", "sent_callee_name", "sent_callee_num",
        ].map { "b_" + $0 } + ["call_created_epoch"]

    /// Single legs first, then bridges by their calling leg.
    private var callRows: [[String]] {
        let singles = visible.filter { !$0.isBridged && ($0.isInbound || $0.partner == nil) }
        let bridges = visible.filter { $0.isBridged && $0.isInbound }
        return singles.map { callRow($0, nil) }
            + bridges.map { callRow($0, $0.partner.flatMap { channels[$0] }) }
    }

    private func callRow(_ channel: Leg, _ other: Leg?) -> [String] {
        let basic = Basics(channel)
        let calling =
            basic.first + ["", "", "", channel.callState] + basic.callee
            + [channel.isBridged ? channel.callUUID : "", identity.switchname] + basic.sent
        guard let other else { return calling + Array(repeating: "", count: 20) }
        let called = Basics(other)
        return calling + called.first + ["", "", "", other.callState] + called.callee + called.sent
            + [calling[3]]
    }

    private static let registrationColumns = [
        "reg_user", "realm", "token", "url", "expires", "network_ip", "network_port", "network_proto",
        "hostname", "metadata",
    ]

    /// Only the switch's own: injected ones never reach this table.
    private var registrationRows: [[String]] {
        profiles.flatMap { profile in
            (registrations[profile.settings.name]?.all ?? []).filter(\.isLocal).map { row in
                [
                    row.user, row.host, row.callID, "sofia/\(profile.settings.name)/\(row.uri)",
                    "\(row.expires)", row.networkIP, row.networkPort, "udp", identity.switchname, "",
                ]
            }
        }
    }
}
