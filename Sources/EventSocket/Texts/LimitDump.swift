/// How much of one limit is used, as `hash_dump limit` tells it and mod_hash's remotes read it (mod_hash.c: limit_remote_thread).
package struct LimitUsage: Hashable, Sendable {
    /// `REALM_ID`, without `/`.
    package var key: String
    /// Calls that hold the limit now.
    package var total: UInt32
    /// Calls counted in the window that began at `lastCheck`.
    package var rate: UInt32
    /// The window, in seconds; 0 when the limit is not one per time.
    package var interval: UInt32
    /// Seconds since 1970.
    package var lastCheck: UInt32

    package init(key: String, total: UInt32, rate: UInt32 = 0, interval: UInt32 = 0, lastCheck: UInt32 = 0) {
        self.key = key
        self.total = total
        self.rate = rate
        self.interval = interval
        self.lastCheck = lastCheck
    }

    /// Whether the key can be told in a line: mod_hash would take a `/` in it for the end.
    package var isPrintable: Bool {
        !key.isEmpty && key.utf8.allSatisfy { $0 != UInt8(ascii: "/") && $0 >= 0x20 && $0 != 0x7F }
    }
}

/// The text of `hash_dump limit`: one line `L/KEY/TOTAL/RATE/INTERVAL/LAST_CHECK` for each limit.
package enum LimitDump {
    package struct BadLine: Hashable, Sendable, CustomStringConvertible {
        /// From 1.
        package var number: Int
        /// Its beginning.
        package var text: String

        package var description: String { "line \(number) is no limit: “\(text)”" }
    }

    /// Reads the lines that tell a limit, and reports those that should and do not. Lines that begin otherwise (`-ERR no reply`, or what
    /// `hash_dump all` adds) are passed over, as mod_hash does.
    package static func parse(_ text: String) -> (usages: [LimitUsage], bad: [BadLine]) {
        var usages: [LimitUsage] = []
        var bad: [BadLine] = []
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where line.first == UInt8(ascii: "L") {
            if let usage = parse(line: line) {
                usages.append(usage)
            } else {
                bad.append(BadLine(number: index + 1, text: String(decoding: line.prefix(80), as: UTF8.self)))
            }
        }
        return (usages, bad)
    }

    private static func parse(line: Substring.UTF8View) -> LimitUsage? {
        let text = Substring(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5 || parts.count == 6, parts[0] == "L", !parts[1].isEmpty else { return nil }
        var numbers: [UInt32] = []
        for part in parts[2...] {
            guard let number = Decimal.parse(part).flatMap({ UInt32(exactly: $0) }) else { return nil }
            numbers.append(number)
        }
        return LimitUsage(
            key: String(parts[1]), total: numbers[0], rate: numbers[1], interval: numbers[2],
            lastCheck: numbers.count > 3 ? numbers[3] : 0)
    }

    /// The lines; without any, what FreeSWITCH answers, since mod_hash keeps the old figures for ever on an empty answer.
    ///
    /// Usages that are not `isPrintable` are left out: one of them would spoil the others' lines.
    package static func text(_ usages: [LimitUsage]) -> String {
        var text = ""
        for usage in usages where usage.isPrintable {
            text += "L/\(usage.key)/\(usage.total)/\(usage.rate)/\(usage.interval)/\(usage.lastCheck)\n"
        }
        return text.isEmpty ? APIResponse.noReply : text
    }
}
