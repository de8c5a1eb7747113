/// What is read of an SDP body: where the peer wants its audio (RFC 8866).
struct SessionDescription: Hashable, Sendable {
    enum Flow: String, Sendable { case sendrecv, sendonly, recvonly, inactive }
    var text: String
    var ip: String
    var port: UInt16
    var flow: Flow

    init?(_ body: [UInt8]) {
        let text = String(decoding: body, as: UTF8.self)
        var session: String?
        var media: String?
        var port: UInt16?
        var flow = Flow.sendrecv
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(separator: " ")
            if line.hasPrefix("c="), words.count >= 3 {
                if port == nil { session = String(words[2]) } else { media = media ?? String(words[2]) }
            } else if line.hasPrefix("m=") {
                guard port == nil else { break }
                guard words[0] == "m=audio", words.count >= 4 else { continue }
                guard let number = UInt16(words[1].prefix { $0 != "/" }) else { return nil }
                port = number
            } else if line.hasPrefix("a="), let known = Flow(rawValue: String(line.dropFirst(2))) {
                flow = known
            }
        }
        guard let port, let ip = media ?? session else { return nil }
        self.text = text
        self.ip = ip
        self.port = port
        self.flow = ip == "0.0.0.0" ? .inactive : flow
    }
}

/// The session descriptions the switch writes.
struct MediaOffer: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// Answers the caller's offer.
        case answer
        /// Offers to the called phone: with comfort noise.
        case offer
        /// The re-INVITE of a revived leg: the odd clock rates are FreeSWITCH's (freeswitch-integration §9.19).
        case revival
    }
    var kind: Kind
    var ip: String
    var port: UInt16
    /// The session id FreeSWITCH writes: seconds since 1970 minus the port.
    var session: Int64
    /// Told to a peer that holds us.
    var flow = SessionDescription.Flow.sendrecv

    /// As the channel variable `rtp_local_sdp_str` has it.
    var local: String { lines.joined() + "a=sendrecv\r\n" }
    /// As it is sent.
    var body: [UInt8] {
        Array((lines.joined() + (flow == .sendrecv ? "" : "a=\(flow.rawValue)\r\n")).utf8)
    }

    private var lines: [String] {
        let family = ip.contains(":") ? "IP6" : "IP4"
        let version = kind == .revival ? session + 2 : session + 1
        let formats = kind == .answer ? "0 101" : "0 101 13"
        let rate = kind == .revival ? "0" : "8000"
        var lines = [
            "v=0", "o=FreeSWITCH \(session) \(version) IN \(family) \(ip)", "s=FreeSWITCH",
            "c=IN \(family) \(ip)", "t=0 0", "m=audio \(port) RTP/AVP \(formats)", "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/\(rate)", "a=fmtp:101 0-15",
        ]
        if kind != .answer { lines.append("a=rtpmap:13 CN/\(rate)") }
        return (lines + ["a=ptime:20"]).map { $0 + "\r\n" }
    }
}
