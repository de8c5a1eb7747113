import CLab
@preconcurrency import Glibc

/// Phones behind one port: every request to them is answered with 200 and written down.
package enum PhoneWatch {
    /// Runs until killed; one line a request on standard output: `nanoseconds METHOD USER EVENT` (boot time; `-` for no
    /// `Event`). A request that comes again is told again.
    package static func run(port: UInt16) throws -> Never {
        let socket = try UDPSocket(port: port)
        var polls = [pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)]
        while true {
            _ = poll(&polls, 1, 1000)
            while let datagram = socket.receive() {
                let message = SIPText(datagram.text)
                guard message.status == nil, message.method != "ACK" else { continue }
                let event = message.header("Event")
                let uri = message.start.split(separator: " ").dropFirst().first ?? ""
                let user = uri.drop { $0 != ":" }.dropFirst().prefix { $0 != "@" }
                say(
                    "\(BootTime.now.nanoseconds) \(message.method) \(user) \(event.isEmpty ? "-" : event)\n")
                socket.send(message.accepted(), to: datagram.source)
            }
        }
    }
}

/// Asks one address by SIP OPTIONS, twenty times a second, as a proxy that looks after its gateways.
package enum OptionsWatch {
    /// Runs until killed; one line an answer on standard output: `nanoseconds STATUS`, of which 0 is none within 300 ms.
    package static func run(address: String) throws -> Never {
        let socket = try UDPSocket()
        let place = UDPSocket.address(address, 5060)
        var number = 0
        while true {
            number += 1
            let due = BootTime.now.adding(milliseconds: 50)
            let call = "options-\(getpid())-\(number)"
            socket.send(
                """
                OPTIONS sip:\(address) SIP/2.0\r
                Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK\(call);rport\r
                Max-Forwards: 70\r
                From: <sip:watch@lab.test>;tag=\(number)\r
                To: <sip:\(address)>\r
                Call-ID: \(call)\r
                CSeq: 1 OPTIONS\r
                Content-Length: 0\r
                \r

                """, to: place)
            let end = BootTime.now.adding(milliseconds: 300)
            var status = 0
            while status == 0, BootTime.now < end {
                var polls = [pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)]
                _ = poll(&polls, 1, Int32(max(1, end.milliseconds(since: .now))))
                while let datagram = socket.receive() {
                    let message = SIPText(datagram.text)
                    if message.header("Call-ID") == call { status = message.status ?? 0 }
                }
            }
            say("\(BootTime.now.nanoseconds) \(status)\n")
            pause(milliseconds: max(0, due.milliseconds(since: .now)))
        }
    }
}
