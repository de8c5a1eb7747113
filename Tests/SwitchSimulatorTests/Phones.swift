import Foundation
import SwitchSimulator

/// The phone, the carrier and the parked caller of the recordings, saying what they said there.
struct Phones: Sendable {
    /// What sipp sent for the calling phone, the called one and the parked caller.
    let uac: [Recording.Message]
    let uas: [Recording.Message]
    let park: [Recording.Message]
    /// Replaces what differs between the two recorded calls.
    var renames: [(String, String)] = []

    static let caller = SIPEndpoint(ip: "10.77.0.100", port: 5080)
    static let called = SIPEndpoint(ip: "10.77.0.100", port: 5070)
    static let parked = SIPEndpoint(ip: "10.77.0.100", port: 5081)

    init() throws {
        uac = try Recording.messages("sip_takeover_uac.log")
        uas = try Recording.messages("sip_takeover_uas.log")
        park = try Recording.messages("sip_takeover_park.log")
    }

    func renamed(_ text: String) -> String {
        renames.reduce(text) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    /// The first INVITE of a phone.
    func invite(_ messages: [Recording.Message]) -> String { renamed(messages[0].text) }

    /// What the peers say to a datagram: the recorded answer, in the dialog of what is answered.
    func answers(_ text: String, to endpoint: SIPEndpoint) -> [(
        after: Duration, text: String, from: SIPEndpoint
    )] {
        let isRequest = !text.hasPrefix("SIP/2.0")
        let sent: [Recording.Message]
        switch endpoint {
        case Self.caller: sent = uac.filter(\.isSent)
        case Self.parked: sent = park.filter(\.isSent)
        default: sent = uas.filter(\.isSent)
        }
        if isRequest, text.hasPrefix("BYE") {
            return [
                (
                    .microseconds(200),
                    Self.inDialog(
                        "SIP/2.0 200 OK\r\nVia: \r\nFrom: \r\nTo: \r\nCall-ID: \r\nCSeq: \r\nContent-Length: 0\r\n\r\n",
                        of: text), endpoint
                )
            ]
        }
        guard isRequest else {
            // Only the 200 of an INVITE is acknowledged.
            guard text.hasPrefix("SIP/2.0 200"), text.contains(" INVITE\r\n") else { return [] }
            let ack = Self.withTag(renamed(sent[1].text), from: text)
            return [(.microseconds(100), ack, endpoint)]
        }
        guard text.hasPrefix("INVITE") else { return [] }
        let isAgain = Self.line("To", of: text).contains("tag=")
        if isAgain {
            let answer = sent.last { $0.text.hasPrefix("SIP/2.0 200") }!
            return [(.microseconds(100), Self.inDialog(renamed(answer.text), of: text), endpoint)]
        }
        return [
            (.microseconds(200), Self.inDialog(renamed(sent[0].text), of: text), endpoint),
            (.microseconds(1300), Self.inDialog(renamed(sent[1].text), of: text), endpoint),
        ]
    }

    static func line(_ name: String, of text: String) -> String {
        text.components(separatedBy: "\r\n").first { $0.hasPrefix(name + ": ") } ?? ""
    }

    /// An answer's headers that are the request's; the To keeps the answerer's own tag.
    private static func inDialog(_ answer: String, of request: String) -> String {
        answer.components(separatedBy: "\r\n").map { line in
            for name in ["Via", "From", "Call-ID", "CSeq"] where line.hasPrefix(name + ": ") {
                return Self.line(name, of: request)
            }
            if line.hasPrefix("To: ") {
                let to = Self.line("To", of: request)
                if to.contains("tag=") { return to }
                guard let tag = line.range(of: ";tag=") else { return to + ";tag=1" }
                return to + line[tag.lowerBound...]
            }
            return line
        }.joined(separator: "\r\n")
    }

    /// An ACK with the tag that the switch chose.
    private static func withTag(_ ack: String, from response: String) -> String {
        ack.components(separatedBy: "\r\n").map { line in
            line.hasPrefix("To: ") ? Self.line("To", of: response) : line
        }.joined(separator: "\r\n")
    }
}
