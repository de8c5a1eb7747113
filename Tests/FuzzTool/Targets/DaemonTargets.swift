import NIOCore

/// What the service itself reads: answers to SIP OPTIONS, lines typed at a console, certificates of links.
///
/// Its few readers stand in files that need nothing else of it. They are compiled here once more, through links: the whole
/// service, with a database and TLS, would take longer to build than everything that is fuzzed.
extension FuzzTarget {
    static let service: [FuzzTarget] = [optionsAnswer, commandWords, certificate]

    static let optionsAnswer = FuzzTarget(
        "options-answer", "a datagram that answers SIP OPTIONS, or does not", maximumLength: 1500,
        seeds: {
            [
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK-fsdns-7-1\r\n\r\n",
                "SIP/2.0 503 Maximum Calls In Progress\r\nVia: z9hG4bK-fsdns-7-\r\n",
                "SIP/2.0 100 Trying\r\n",
                "OPTIONS sip:192.0.2.1 SIP/2.0\r\n",
            ].map { Array($0.utf8) }
        }
    ) { input in
        let bytes = ByteBuffer(bytes: input.rest())
        if let code = SIPOptions.code(of: bytes) { expect((200...999).contains(code), "status \(code)") }
        expect(SIPOptions.status(of: bytes).utf8.count <= 80, "a status line without end")
        _ = SIPOptions.isAnswer(bytes, to: "7")
    }

    static let certificate = FuzzTarget(
        "certificate", "the certificate that the other end of a link shows, before it has proved the key",
        maximumLength: 2048,
        // A body of serial number, four empty sequences and a key on no curve, then an algorithm; the corpus has whole ones.
        seeds: {
            let key: [UInt8] = [0x30, 0x0B, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x02, 0x00, 0x04]
            let body =
                [0x02, 0x01, 0x07] + Array(repeatElement([UInt8(0x30), 0x00], count: 4).joined()) + key
            let algorithm: [UInt8] = [0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70]
            let whole = [0x30, UInt8(body.count)] + body + algorithm
            return [[0x30, UInt8(whole.count)] + whole]
        }
    ) { input in
        guard let facts = CertificateFacts(input.rest()) else { return }
        if case .rsa(let bits) = facts.key { expect(bits >= 0, "a key of \(bits) bits") }
        expect(facts.weakness == nil || facts.unfitness != nil, "weak, and fit all the same")
    }

    static let commandWords = FuzzTarget(
        "command-words", "a line typed at the console, as words, and what FreeSWITCH tells of its ports",
        maximumLength: 1024,
        seeds: {
            [
                "drain fs1 --reason \"kernel update\" 'a b' c\\ d",
                "<configuration><settings><param name=\"rtp-start-port\" value=\"16384\"/></settings></configuration>",
            ].map { Array($0.utf8) }
        }
    ) { input in
        let text = input.text()
        _ = try? CommandWords.split(text)
        _ = MediaPorts.problems(answer: text, node: "fs1", nodes: ["fs1", "fs2"])
    }
}
