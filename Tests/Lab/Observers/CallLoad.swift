import CLab
@preconcurrency import Glibc

/// Calls from many phones at a steady rate, each to an address that its phone's own DNS cache names, or all to one.
///
/// What becomes of each is written to standard output at once, one line an event: `nanoseconds NUMBER WORD …`:
/// `sent ADDRESS AGE` (milliseconds since DNS said so), `answered`, `refused STATUS`, `unanswered`, `asked ADDRESS` (a
/// re-INVITE), `ended` (we hung up), `dropped` (the other side did), `gone STATUS` (our BYE found no call; 0: no answer).
package final class CallLoad {
    package struct Plan: Sendable {
        /// The machine's own address.
        package var own: String
        /// An address, or `SERVER/NAME` to be looked up.
        package var target: String
        /// Calls a second.
        package var rate: Double
        package var count: Int
        /// How long each lasts; 0 is until standard input ends.
        package var seconds: Double

        package init(own: String, target: String, rate: Double, count: Int, seconds: Double) {
            self.own = own
            self.target = target
            self.rate = rate
            self.count = count
            self.seconds = seconds
        }
    }

    private struct Call {
        var number: Int
        var address: String
        var request: String
        var sent: BootTime
        var resent: BootTime
        /// `To` with the switch's tag.
        var peer: String?
        var isEnding = false
    }

    /// Each with its own cache.
    private static let phones = 20
    private static let again = 500.0
    private static let patience = 10_000.0
    private let plan: Plan
    private let socket: UDPSocket
    private let port: UInt16
    private let resolvers: [Resolver]
    private var calls: [String: Call] = [:]
    /// Calls whose request is not answered yet.
    private var waiting: Set<String> = []
    /// Answered calls in the order of their ends.
    private var lasting: [(end: BootTime, id: String)] = []
    private var firstLasting = 0
    private var placed = 0
    private var isEnding = false

    package init(_ plan: Plan) throws {
        self.plan = plan
        socket = try UDPSocket()
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = socket.descriptor
        withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &size)
            }
        }
        port = UInt16(bigEndian: name.sin_port)
        var room: Int32 = 4 << 20
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &room, socklen_t(MemoryLayout<Int32>.size))
        let words = plan.target.split(separator: "/").map(String.init)
        resolvers =
            words.count == 2
            ? try (0..<Self.phones).map { try Resolver(server: words[0], name: words[1], number: $0) } : []
    }

    /// Until all calls are over; when standard input ends, what is up is hung up.
    package func run() throws {
        let start = BootTime.now
        while placed < plan.count || !calls.isEmpty {
            if isEnding, calls.isEmpty { return }
            let due = start.adding(milliseconds: Double(placed) * 1000 / plan.rate)
            if placed < plan.count, !isEnding, BootTime.now >= due {
                try place()
                continue
            }
            listen(until: placed < plan.count && !isEnding ? due : BootTime.now.adding(milliseconds: 50))
            endCalls()
            sendAgain()
        }
    }

    private func tell(_ number: Int, _ text: String) {
        say("\(BootTime.now.nanoseconds) \(number) \(text)\n")
    }

    private func place() throws {
        let number = placed
        placed += 1
        var address = plan.target
        var age = 0.0
        if !resolvers.isEmpty {
            let answer = try resolvers[number % resolvers.count].addresses()
            guard let some = answer.addresses.randomElement() else { return tell(number, "nowhere") }
            address = some
            age = BootTime.now.milliseconds(since: answer.fetched)
        }
        let id = "\(getpid())-\(number)@\(plan.own)"
        let request = request("INVITE", 1, id, number, address, to: nil, session)
        calls[id] = Call(number: number, address: address, request: request, sent: .now, resent: .now)
        waiting.insert(id)
        tell(number, "sent \(address) \(Int(age))")
        socket.send(request, to: UDPSocket.address(address, 5060))
    }

    private var session: String {
        "v=0\r\no=phone 1 1 IN IP4 \(plan.own)\r\ns=-\r\nc=IN IP4 \(plan.own)\r\nt=0 0\r\n"
            + "m=audio 25000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    }

    private func request(
        _ method: String, _ sequence: Int, _ id: String, _ number: Int, _ address: String, to: String?,
        _ body: String = ""
    ) -> String {
        let me = "sip:load-\(number)@\(plan.own):\(port)"
        let branch = "\(method)-\(sequence)-\(id)"
        let lines =
            [
                "\(method) sip:park@\(address):5060 SIP/2.0",
                "Via: SIP/2.0/UDP \(plan.own):\(port);branch=z9hG4bK\(branch)", "Max-Forwards: 70",
                "From: <\(me)>;tag=\(number)", "To: \(to ?? "<sip:park@\(address)>")", "Call-ID: \(id)",
                "CSeq: \(sequence) \(method)", "Contact: <\(me)>",
            ] + (body.isEmpty ? [] : ["Content-Type: application/sdp"])
            + ["Content-Length: \(body.utf8.count)", "", ""]
        return lines.joined(separator: "\r\n") + body
    }

    // MARK: What comes

    private func listen(until end: BootTime) {
        var polls = [
            pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: isEnding ? -1 : 0, events: Int16(POLLIN), revents: 0),
        ]
        let left = end.milliseconds(since: .now)
        _ = poll(&polls, 2, Int32(max(0, min(50, left.rounded(.up)))))
        if polls[1].revents != 0 { isEnding = true }
        while let datagram = socket.receive() {
            let message = SIPText(datagram.text)
            let id = message.header("Call-ID")
            if let status = message.status {
                answered(message, status, id)
            } else {
                asked(message, id, from: datagram.source)
            }
        }
    }

    private func answered(_ message: SIPText, _ status: Int, _ id: String) {
        guard var call = calls[id], status >= 200 else { return }
        switch message.sequence.method {
        case "INVITE" where status < 300:
            let ack = request("ACK", 1, id, call.number, call.address, to: message.header("To"))
            socket.send(ack, to: UDPSocket.address(call.address, 5060))
            guard call.peer == nil else { return }
            call.peer = message.header("To")
            calls[id] = call
            waiting.remove(id)
            tell(call.number, "answered")
            if plan.seconds > 0 {
                lasting.append((BootTime.now.adding(milliseconds: plan.seconds * 1000), id))
            }
        case "INVITE":
            // It belongs to its INVITE (RFC 3261 §17.1.1.3).
            let ack = request("ACK", 1, id, call.number, call.address, to: message.header("To"))
                .replacing("branch=z9hG4bKACK", with: "branch=z9hG4bKINVITE")
            socket.send(ack, to: UDPSocket.address(call.address, 5060))
            over(id, "refused \(status)")
        case "BYE": over(id, status < 300 ? "ended" : "gone \(status)")
        default: break
        }
    }

    private func asked(_ message: SIPText, _ id: String, from source: sockaddr_in) {
        let call = calls[id]
        switch message.method {
        case "ACK": return
        case "INVITE":
            let contact = ["Contact: <sip:load-\(call?.number ?? 0)@\(plan.own):\(port)>"]
            socket.send(
                message.accepted(contact + ["Content-Type: application/sdp"], body: session), to: source)
            if let call { tell(call.number, "asked \(call.address)") }
        case "BYE":
            socket.send(message.accepted(), to: source)
            if call != nil { over(id, call?.isEnding == true ? "ended" : "dropped") }
        default: socket.send(message.accepted(), to: source)
        }
    }

    private func over(_ id: String, _ text: String) {
        guard let call = calls.removeValue(forKey: id) else { return }
        waiting.remove(id)
        tell(call.number, text)
    }

    // MARK: What is due

    private func endCalls() {
        if isEnding {
            for id in calls.keys where calls[id]?.peer != nil && calls[id]?.isEnding == false { hangUp(id) }
        }
        while firstLasting < lasting.count, lasting[firstLasting].end <= .now {
            hangUp(lasting[firstLasting].id)
            firstLasting += 1
        }
    }

    private func hangUp(_ id: String) {
        guard var call = calls[id], !call.isEnding else { return }
        call.isEnding = true
        call.request = request("BYE", 2, id, call.number, call.address, to: call.peer)
        call.sent = .now
        call.resent = .now
        calls[id] = call
        waiting.insert(id)
        socket.send(call.request, to: UDPSocket.address(call.address, 5060))
    }

    private func sendAgain() {
        for id in waiting {
            guard let call = calls[id], call.resent.adding(milliseconds: Self.again) <= .now else { continue }
            if call.sent.adding(milliseconds: Self.patience) <= .now {
                over(id, call.isEnding ? "gone 0" : "unanswered")
                continue
            }
            calls[id]?.resent = .now
            socket.send(call.request, to: UDPSocket.address(call.address, 5060))
        }
    }
}
