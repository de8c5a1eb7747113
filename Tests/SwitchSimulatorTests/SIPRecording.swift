import Foundation
import SwitchSimulator

/// SIP traces of the probes, and requests like theirs.
enum SIPRecording {
    struct Exchange {
        var request: String
        var source: SIPEndpoint
        var response: String
    }

    static let phone = SIPEndpoint(ip: "10.77.0.100", port: 52529)

    /// `>>>` requests and `<<<` responses, alternating.
    static func exchanges(_ file: String) throws -> [Exchange] {
        try Recording.text(file).components(separatedBy: ">>>\n").dropFirst().map { part in
            let pieces = part.components(separatedBy: " <<< ")
            let response = pieces[1].drop { $0 != "\n" }.dropFirst()
            return Exchange(
                request: Recording.wire(pieces[0]), source: source(pieces[0]),
                response: Recording.wire(String(response)))
        }
    }

    /// Where the request's Via says it comes from.
    static func source(_ request: String) -> SIPEndpoint {
        let match = request.firstMatch(of: /Via: SIP\/2.0\/UDP ([\d.]+):(\d+)/)!
        return SIPEndpoint(ip: String(match.output.1), port: UInt16(match.output.2)!)
    }

    static func invite(
        to number: String, call: String, from source: SIPEndpoint = phone, at place: String = "10.77.0.50"
    ) -> String {
        request(
            "INVITE", to: number, call: call, from: source, at: place,
            body: """
                v=0\r\no=x 1 1 IN IP4 \(source.ip)\r\ns=-\r\nc=IN IP4 \(source.ip)\r\nt=0 0\r\n\
                m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n
                """)
    }

    /// A request outside a dialog, or within one when `toTag` is given.
    static func request(
        _ method: String, to number: String, call: String, from source: SIPEndpoint = phone,
        at place: String = "10.77.0.50", toTag: String? = nil, sequence: Int = 1, extra: [String] = [],
        body: String = ""
    ) -> String {
        var lines = [
            "\(method) sip:\(number)@\(place) SIP/2.0",
            "Via: SIP/2.0/UDP \(source);rport;branch=z9hG4bK\(call)\(method)\(sequence)", "Max-Forwards: 70",
            "From: <sip:t@\(source)>;tag=\(call)",
            "To: <sip:\(number)@\(place)>\(toTag.map { ";tag=\($0)" } ?? "")", "Call-ID: \(call)",
            "CSeq: \(sequence) \(method)", "Contact: <sip:t@\(source)>",
        ]
        lines += extra
        if !body.isEmpty { lines.append("Content-Type: application/sdp") }
        lines.append("Content-Length: \(body.utf8.count)")
        return lines.map { $0 + "\r\n" }.joined() + "\r\n" + body
    }

    /// Status and reason of a response.
    static func status(_ text: String) -> String {
        String(text.components(separatedBy: "\r\n")[0].dropFirst("SIP/2.0 ".count))
    }

    static func toTag(_ text: String) -> String? {
        Phones.line("To", of: text).components(separatedBy: ";tag=").dropFirst().first
    }
}

/// The recorded contents of table `recovery`.
enum RecordedRows {
    /// As the switch wrote them.
    static func table() throws -> [RecoveryRow] { try rows("recovery_rows.json") }
    /// As the sidecar makes them of events alone.
    static func synthesised() throws -> [RecoveryRow] { try rows("recovery_rows_from_events.json") }

    private static func rows(_ file: String) throws -> [RecoveryRow] {
        let text = try Recording.text(file)
        let lists = try JSONDecoder().decode([[String]].self, from: Data(text.utf8))
        return lists.map {
            RecoveryRow(
                runtimeUUID: $0[0], technology: $0[1], profileName: $0[2], hostname: $0[3], uuid: $0[4],
                metadata: $0[5])
        }
    }
}
