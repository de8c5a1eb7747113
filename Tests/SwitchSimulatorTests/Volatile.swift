import Foundation

/// Puts marks for what differs from run to run, and nothing else: two texts are the same when their marked forms are.
///
/// UUIDs, tags, branches and local RTP ports are numbered by first appearance, so that their identities still have to agree.
enum Volatile {
    static func marked(_ text: String) -> String {
        var text = text
        // Dates and times, plain and URL-encoded, and the stamps made of them.
        text = text.replacing(/\d{4}-\d\d-\d\d( |%20)\d\d(:|%3A)\d\d(:|%3A)\d\d/) { _ in "DATE" }
        text = text.replacing(
            /[A-Z][a-z]{2},( |%20)\d\d( |%20)[A-Z][a-z]{2}( |%20)\d{4}( |%20)[\d:%A]+( |%20)GMT/
        ) {
            _ in "GMT-DATE"
        }
        text = text.replacing(/\b1[78]\d{14}\b/) { _ in "MICROSECONDS" }
        text = text.replacing(/\b17\d{8}\b/) { _ in "SECONDS" }
        text = text.replacing(/\b123\d{6}\b/) { _ in "CSEQ" }
        text = text.replacing(/(Event-Sequence(: |":"|>))\d+/) { "\($0.output.1)N" }
        text = numbered(text, /()([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/, "uuid")
        text = numbered(text, /(z9hG4bK)([0-9A-Za-z]{13})\b/, "branch")
        text = numbered(text, /(tag=|tag%3D|_tag: |_tag":")([0-9A-Za-z]{13})\b/, "tag")
        return text
    }

    /// Lengths of events, which hold the digits of volatile numbers.
    static func lengths(_ text: String) -> String {
        text.replacing(/Content-Length: \d+\nContent-Type: text\/event/) { _ in
            "Content-Length: N\nContent-Type: text/event"
        }
    }

    /// How long the switch has been up and what it has carried: the recorded one had a day behind it.
    static func load(_ text: String) -> String {
        text.replacing(
            /(Up-Time|Uptime-msec|Session-Per-Sec-Last|Session-Per-Sec-Max|Session-Per-Sec-FiveMin|Session-Since-Startup|Session-Peak-Max|Session-Peak-FiveMin|Idle-CPU|Session-Per-Sec)(: |":")[^\n"]+/
        ) { "\($0.output.1)\($0.output.2)VALUE" }
    }

    /// What `status` says of time, processor and peaks.
    static func status(_ text: String) -> String {
        text.replacing(/UP [^\n]+/) { _ in "UP TIME" }
            .replacing(/peak \d+, last 5min \d+/) { _ in "PEAKS" }
            .replacing(/idle cpu [\d.\/]+/) { _ in "IDLE" }
            .replacing(/\d+ session\(s\) per Sec/) { _ in "N session(s) per Sec" }
    }

    /// Headers of call events whose values come from chance or from how long things took.
    static func markedCall(_ text: String) -> String {
        var text = text
        // The session's id; its version has to be as much above it.
        text = text.replacing(/(o%3DFreeSWITCH%20|o=FreeSWITCH )(\d{10})(%20| )(\d{10})/) { match in
            let id = Int(match.output.2) ?? 0
            return "\(match.output.1)ID ID+\((Int(match.output.4) ?? 0) - id)"
        }
        // Our RTP ports are even numbers from 16384; the phones' are 20000, 25000 and 25500.
        text = numbered(
            text,
            /(local_media_port: |s%3DFreeSWITCH%0D%0Ac%3DIN%20IP4%2010.77.0.50%0D%0At%3D0%200%0D%0Am%3Daudio%20)(\d{5})/,
            "rtp")
        for name in [
            "rtp_use_ssrc", "session_id", "skip_packet_count", "duration", "mduration", "uduration",
            "billsec",
            "billmsec", "billusec", "progresssec", "progressmsec", "progressusec", "answersec", "answermsec",
            "answerusec", "waitsec", "waitmsec", "waitusec", "flow_billsec", "flow_billmsec", "flow_billusec",
        ] {
            text = replaced(text, header: name)
        }
        return text
    }

    /// The value of a variable's line in plain form.
    private static func replaced(_ text: String, header: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard line.hasPrefix("variable_"), let colon = line.range(of: ": "),
                line[..<colon.lowerBound].hasSuffix("_" + header)
            else { return String(line) }
            return "\(line[..<colon.upperBound])VALUE"
        }.joined(separator: "\n")
    }

    private static func numbered(
        _ text: String, _ pattern: Regex<(Substring, Substring, Substring)>, _ name: String
    ) -> String {
        var numbers: [Substring: Int] = [:]
        return text.replacing(pattern) { match in
            let number = numbers[match.output.2] ?? numbers.count + 1
            numbers[match.output.2] = number
            return "\(match.output.1)<\(name) \(number)>"
        }
    }
}
