import NIOCore

/// A SIP OPTIONS as bytes, and the answer to it (RFC 3261 §11).
enum SIPOptions {
    /// - Parameters:
    ///   - port: ours; the answer comes back to where the request came from (RFC 3581), whatever Via says.
    ///   - token: in the branch of Via, which every answer repeats.
    static func request(to address: SocketAddress, from port: Int, token: String, sequence: Int) -> String {
        let ip = address.ipAddress ?? ""
        let host = ip.contains(":") ? "[\(ip)]" : ip
        let to = address.port ?? 5060
        return """
            OPTIONS sip:\(host):\(to) SIP/2.0\r
            Via: SIP/2.0/UDP \(host):\(port);rport;branch=z9hG4bK-fsdns-\(token)-\(sequence)\r
            Max-Forwards: 1\r
            From: <sip:fsdns@\(host)>;tag=\(token)\r
            To: <sip:\(host):\(to)>\r
            Call-ID: \(token)@fsdns\r
            CSeq: \(sequence) OPTIONS\r
            Contact: <sip:fsdns@\(host):\(port)>\r
            User-Agent: fsdns\r
            Content-Length: 0\r
            \r

            """
    }

    /// The status of a final answer; nil for anything else.
    static func code(of bytes: ByteBuffer) -> Int? {
        guard let text = bytes.getString(at: bytes.readerIndex, length: min(bytes.readableBytes, 16)),
            text.hasPrefix("SIP/2.0 "), let code = Int(text.dropFirst(8).prefix(3)), code >= 200
        else { return nil }
        return code
    }

    /// Code and words of the status line, as far as they can be shown.
    static func status(of bytes: ByteBuffer) -> String {
        let text = bytes.getString(at: bytes.readerIndex, length: min(bytes.readableBytes, 80)) ?? ""
        let line = text.prefix { $0 != "\r" && $0 != "\n" && $0 != "\r\n" }.dropFirst(8)
        return String(line.unicodeScalars.filter { $0.value >= 0x20 && $0.value < 0x7F })
    }

    /// Whether an answer is to a question with that token.
    static func isAnswer(_ bytes: ByteBuffer, to token: String) -> Bool {
        sequence(of: bytes, to: token) != nil
    }

    /// Which question with that token an answer is to; nil when to none.
    static func sequence(of bytes: ByteBuffer, to token: String) -> Int? {
        guard let text = bytes.getString(at: bytes.readerIndex, length: min(bytes.readableBytes, 4096)),
            let branch = text.firstRange(of: "z9hG4bK-fsdns-\(token)-")
        else { return nil }
        return Int(text[branch.upperBound...].prefix { $0.isNumber }.prefix(10))
    }
}
