/// How much of what the switch allows itself is used: sessions at once (`max-sessions`), and new ones a second
/// (`sessions-per-second`). Callers beyond either are refused with 503; nothing but its log says so.
package struct SessionLoad: Hashable, Sendable {
    /// mod_commands.c: status_function.
    package static let command = "status"

    /// Peaks are those of FreeSWITCH's current period of five minutes.
    package var peak: UInt32
    package var limit: UInt32
    package var peakRate: UInt32
    package var rateLimit: UInt32

    package init(peak: UInt32, limit: UInt32, peakRate: UInt32, rateLimit: UInt32) {
        self.peak = peak
        self.limit = limit
        self.peakRate = peakRate
        self.rateLimit = rateLimit
    }

    /// - Parameter text: the answer to `command`.
    /// - Returns: nil when the lines with the figures are not all there.
    package init?(reading text: String) {
        var sessions: [UInt32]?
        var rate: [UInt32]?
        var limit: UInt32?
        for line in text.split(whereSeparator: \.isNewline).prefix(64) {
            let numbers = line.split { !("0"..."9").contains($0) }.compactMap { UInt32($0) }
            if line.contains(" session(s) - peak ") {
                sessions = numbers
            } else if line.contains(" session(s) per Sec out of max ") {
                rate = numbers
            } else if line.hasSuffix(" session(s) max") {
                limit = numbers.first
            }
        }
        // «7 session(s) - peak 9, last 5min 8», «1 session(s) per Sec out of max 30, peak 6, last 5min 5».
        guard let sessions, sessions.count == 4, let rate, rate.count == 5, let limit else { return nil }
        self.init(peak: sessions[3], limit: limit, peakRate: rate[4], rateLimit: rate[1])
    }

    /// - Parameter sessions: that the switch has now.
    package func troubles(sessions: UInt32) -> [String] {
        var troubles: [String] = []
        if limit > 0, sessions >= limit {
            troubles.append(
                "FreeSWITCH refuses new calls: all \(limit) sessions it may have are in use (fsctl max_sessions NUMBER, and "
                    + "max-sessions in switch.conf.xml)")
        } else if limit > 0, peak >= limit {
            troubles.append(
                "within five minutes all \(limit) sessions FreeSWITCH may have were in use: callers beyond them are refused "
                    + "(fsctl max_sessions NUMBER, and max-sessions in switch.conf.xml)")
        }
        if rateLimit > 0, peakRate >= rateLimit {
            troubles.append(
                "within five minutes FreeSWITCH began \(rateLimit) sessions in one second, as many as it may: callers beyond "
                    + "them are refused (fsctl sps NUMBER, and sessions-per-second in switch.conf.xml)")
        }
        return troubles
    }
}
