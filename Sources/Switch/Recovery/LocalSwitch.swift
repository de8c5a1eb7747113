/// What is known of the switch that shall revive calls, at the moment it shall.
package struct LocalSwitch: Hashable, Sendable {
    package var coreUUID: String
    package var profiles: [SofiaProfile]
    /// New calls are refused (`fsctl pause`, `fsctl pause inbound`): inbound legs would be lost for ever.
    package var isPaused: Bool
    /// The channels it has.
    package var channels: Set<String>

    package init(
        coreUUID: String, profiles: [SofiaProfile], isPaused: Bool = false, channels: Set<String> = []
    ) {
        self.coreUUID = coreUUID
        self.profiles = profiles
        self.isPaused = isPaused
        self.channels = channels
    }

    /// Whether new calls are refused; answered with `true` or `false`.
    package static let pauseCheck = "fsctl pause_check inbound"
    /// Whether it makes no calls: called legs are not revived either (switch_core_session.c: switch_core_session_request_uuid).
    package static let outboundPauseCheck = "fsctl pause_check outbound"
    /// Whether it was told to end; answered the same way.
    package static let shutdownCheck = "fsctl shutdown_check"

    /// The answer to `pauseCheck`, and to other questions of yes or no.
    ///
    /// - Throws: when it is neither `true` nor `false`.
    package static func isTrue(_ answer: [UInt8], of command: String) throws(SwitchFailure) -> Bool {
        switch Self.line(answer) {
        case "true": return true
        case "false": return false
        case let other: throw .malformed("answer", value: other, in: command)
        }
    }

    /// That the switch has no database to bring calls back from, by its answer to any `show`; nil when nothing says so.
    ///
    /// mod_commands.c: show_function.
    package static func databaseProblem(_ answer: String) -> String? {
        guard answer.hasPrefix("-ERR SQL disabled") || answer.hasPrefix("-ERR Database error") else {
            return nil
        }
        return
            "FreeSWITCH does not use its core database (-nosql, or it could not open it): "
            + "restart it"
    }

    /// The first line of an answer without what surrounds it.
    static func line(_ answer: [UInt8]) -> String {
        let start = answer.drop { $0 <= 0x20 }
        let line = start.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }.prefix(4096)
        let end = line.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? line.startIndex
        return String(decoding: line[..<end], as: UTF8.self)
    }
}

/// A SIP profile as `sofia status` lists it.
package struct SofiaProfile: Hashable, Sendable {
    package static let command = "sofia status"
    package var name: String
    /// `RUNNING (3)`, `DOWN`, …
    package var state: String
    /// `sip:mod_sofia@10.77.0.11:5060`
    package var uri: String

    package init(name: String, state: String, uri: String = "") {
        self.name = name
        self.state = state
        self.uri = uri
    }

    /// Where it answers.
    package var port: UInt16 {
        guard let at = uri.lastIndex(of: "@") else { return 5060 }
        let host = uri[uri.index(after: at)...].prefix { $0 != ";" }
        // The colons of an IPv6 address stand in brackets.
        guard let colon = host.lastIndex(of: ":"), !host[colon...].contains("]") else { return 5060 }
        return UInt16(host[host.index(after: colon)...]) ?? 5060
    }

    package var isRunning: Bool { state.hasPrefix("RUNNING") }

    /// Reads the answer to `sofia status`: columns name, type, data and state, divided by tabs.
    ///
    /// - Throws: when it has not that form, or no end: a profile that is missing there must be missing.
    package static func list(reading bytes: [UInt8]) throws(SwitchFailure) -> [SofiaProfile] {
        if bytes.count > 1 << 20 { throw .tooLarge(command, limit: 1 << 20) }
        var profiles: [SofiaProfile] = []
        var rules = 0
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            if line.hasPrefix("====") {
                rules += 1
                continue
            }
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map {
                trimmed($0)
            }
            if rules == 1, columns.count >= 4, columns[1] == "profile" {
                profiles.append(
                    SofiaProfile(
                        name: columns[0], state: columns[columns.count - 1], uri: columns[columns.count - 2]))
            }
        }
        guard rules == 2 else { throw .unreadable(command, reason: "it has no table") }
        return profiles
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop { $0 == " " }
        return String(
            start[..<(start.lastIndex { $0 != " " }.map { start.index(after: $0) } ?? start.startIndex)])
    }
}
