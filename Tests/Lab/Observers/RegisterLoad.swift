@preconcurrency import Glibc

/// Registers many phones at a registrar over UDP, some of them at a time, each asked again until it is answered.
package enum RegisterLoad {
    private static let underWay = 32
    private static let patience = 500.0

    /// Prints `SECONDS RESENT`, from the first REGISTER until the last 200 OK.
    ///
    /// - Parameter perSecond: evenly so many; nil for as many as are answered.
    package static func run(address: String, count: Int, perSecond: Int?) throws {
        let socket = try UDPSocket()
        try socket.connect(to: address, port: 5060)
        // With a pace of its own it must not sleep longer than until the next is due.
        var limit = timeval(tv_sec: 0, tv_usec: perSecond.map { 500_000 / $0 } ?? 100_000)
        setsockopt(
            socket.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var waiting: [Int: BootTime] = [:]
        var (sent, answered, resent) = (0, 0, 0)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let start = BootTime.now
        while answered < count {
            let due =
                perSecond.map { Int(BootTime.now.milliseconds(since: start) * Double($0) / 1000) } ?? count
            while waiting.count < (perSecond ?? underWay), sent < min(due, count) {
                try send(sent, socket, address)
                waiting[sent] = .now
                sent += 1
            }
            let length = recv(socket.descriptor, &buffer, buffer.count, 0)
            if length > 0 {
                let text = String(decoding: buffer[..<length], as: UTF8.self)
                guard text.hasPrefix("SIP/2.0 200 ") else {
                    throw LabFailure("the registrar answers: \(text.prefix { !$0.isNewline })")
                }
                if let number = number(in: text), waiting.removeValue(forKey: number) != nil { answered += 1 }
            }
            for (number, since) in waiting where BootTime.now.milliseconds(since: since) > patience {
                try send(number, socket, address)
                waiting[number] = .now
                resent += 1
            }
            if BootTime.now.milliseconds(since: start) > 300_000 {
                throw LabFailure("\(answered) of \(count) were answered in 300 s")
            }
        }
        print(BootTime.now.milliseconds(since: start) / 1000, resent)
    }

    private static func number(in answer: String) -> Int? {
        for line in answer.split(whereSeparator: \.isNewline) where line.hasPrefix("Call-ID: ") {
            return Int(line.dropFirst(9).prefix { $0 != "-" })
        }
        return nil
    }

    private static func send(_ number: Int, _ socket: UDPSocket, _ address: String) throws {
        let user = String(1_100_000 + number)
        let text = """
            REGISTER sip:voice.example.net SIP/2.0\r
            Via: SIP/2.0/UDP 10.21.132.17:49152;branch=z9hG4bK\(number);rport\r
            Max-Forwards: 70\r
            From: <sip:\(user)@voice.example.net>;tag=\(number)\r
            To: <sip:\(user)@voice.example.net>\r
            Call-ID: \(number)-b36d1f0a94c2e857-7a31c2d4@10.21.132.17\r
            CSeq: 1 REGISTER\r
            Contact: <sip:\(user)@10.21.132.17:49152;transport=udp;line=b36d1f0a94c2e857>\r
            User-Agent: Yealink SIP-T46S 66.86.0.15\r
            Expires: 3600\r
            Content-Length: 0\r
            \r

            """
        var bytes = Array(text.utf8)
        let count = Glibc.send(socket.descriptor, &bytes, bytes.count, 0)
        guard count == bytes.count else {
            throw LabFailure("cannot send to \(address): \(String(cString: strerror(errno)))")
        }
    }
}
