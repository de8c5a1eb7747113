import EventSocket
import SwitchSimulator
import Testing

/// Calls under lossy, rude and hurried peers.
@Suite struct CallTests {
    private static let phone = SIPRecording.phone

    /// The switch's answers to what a phone sends, by status.
    private func statuses(_ bench: inout Bench) -> [String] {
        bench.takeDatagrams().filter { $0.text.hasPrefix("SIP/2.0") }.map { SIPRecording.status($0.text) }
    }

    @Test("A request that comes again gets the same answer and makes no second call")
    func duplicates() {
        var bench = Bench()
        let invite = SIPRecording.invite(to: "park", call: "a")
        bench.receive(invite, from: Self.phone)
        let first = bench.takeDatagrams()
        #expect(first.map { SIPRecording.status($0.text) } == ["100 Trying", "200 OK"])
        bench.receive(invite, from: Self.phone)
        #expect(bench.takeDatagrams().map(\.text) == [first[1].text])
        #expect(bench.api("show channels count") == "\n1 total.\n")
    }

    @Test("What the switch says in a call that came through a proxy goes through that proxy")
    func proxied() throws {
        var bench = Bench()
        let proxy = SIPEndpoint(ip: "10.77.0.9", port: 5062)
        let invite = SIPRecording.invite(to: "park", call: "a")
            .replacing("\r\nCall-ID: ", with: "\r\nRecord-Route: <sip:10.77.0.9:5062;lr>\r\nCall-ID: ")
        bench.receive(invite, from: proxy)
        #expect(bench.takeDatagrams().last?.text.contains("Record-Route: <sip:10.77.0.9:5062;lr>") == true)
        _ = bench.api("hupall NORMAL_CLEARING")
        let bye = try #require(bench.takeDatagrams().first { $0.text.hasPrefix("BYE ") })
        #expect(bye.to == proxy && bye.text.contains("\r\nRoute: <sip:10.77.0.9:5062;lr>\r\n"))
    }

    @Test("A user who registered at another profile is called by way of the caller's own")
    func otherProfile() throws {
        var settings = Bench.settings()
        settings.profiles.append(SwitchSettings.Profile(name: "svcB", ip: "10.77.0.51"))
        var bench = Bench(settings)
        bench.receive(Self.registration, from: Phones.called, on: "svcB")
        _ = bench.takeDatagrams()
        bench.receive(SIPRecording.invite(to: "4242", call: "a"), from: Self.phone)
        bench.advance(by: .milliseconds(100))
        let sent = try #require(bench.takeDatagrams().first { $0.text.hasPrefix("INVITE ") })
        #expect(sent.to == SIPEndpoint(ip: "10.77.0.100", port: 5099))
        #expect(sent.text.contains("\r\nVia: SIP/2.0/UDP 10.77.0.50;"))
    }

    private static let registration = """
        REGISTER sip:10.77.0.51 SIP/2.0\r
        Via: SIP/2.0/UDP 10.77.0.100:5099;branch=z9hG4bKregister\r
        From: <sip:4242@10.77.0.51>;tag=r\r
        To: <sip:4242@10.77.0.51>\r
        Call-ID: registration\r
        CSeq: 1 REGISTER\r
        Contact: <sip:4242@10.77.0.100:5099>\r
        Content-Length: 0\r
        \r

        """

    @Test("A 200 without ACK is sent again at growing intervals, then the call is ended with a BYE")
    func unacknowledged() {
        var bench = Bench()
        bench.receive(SIPRecording.invite(to: "park", call: "a"), from: Self.phone)
        _ = bench.takeDatagrams()
        let start = bench.now
        bench.advance(by: .seconds(33))
        let sent = bench.takeDatagrams()
        let times = sent.filter { $0.text.hasPrefix("SIP/2.0 200") }.map { $0.at - start }
        #expect(
            times.prefix(5) == [
                .milliseconds(500), .milliseconds(1500), .milliseconds(3500), .milliseconds(7500),
                .milliseconds(11500),
            ])
        #expect(sent.contains { $0.text.hasPrefix("BYE ") })
        #expect(bench.api("show channels count") == "\n0 total.\n")
    }

    @Test("A caller that hangs up before the answer gets 487, and the called phone a CANCEL")
    func cancel() throws {
        var bench = Bench()
        bench.peers = { text, endpoint in
            guard text.hasPrefix("INVITE") else { return [] }
            let lines = ["Via", "From", "To", "Call-ID", "CSeq"].map { name in
                Phones.line(name, of: text) + (name == "To" ? ";tag=called" : "")
            }
            let ringing = (["SIP/2.0 180 Ringing"] + lines + ["Content-Length: 0", ""])
            return [(.milliseconds(1), ringing.map { $0 + "\r\n" }.joined(), endpoint)]
        }
        let invite = SIPRecording.invite(to: "1001", call: "a")
        bench.receive(invite, from: Self.phone)
        bench.advance(by: .milliseconds(100))
        #expect(statuses(&bench) == ["100 Trying", "180 Ringing"])
        let cancel = SIPRecording.request("CANCEL", to: "1001", call: "a")
            .replacing("z9hG4bKaCANCEL1", with: "z9hG4bKaINVITE1")
        bench.receive(cancel, from: Self.phone)
        bench.advance(by: .milliseconds(100))
        let sent = bench.takeDatagrams()
        #expect(
            sent.filter { $0.text.hasPrefix("SIP/2.0") }.map { SIPRecording.status($0.text) }
                == ["200 OK", "487 Request Terminated"])
        let forwarded = try #require(sent.first { $0.text.hasPrefix("CANCEL ") })
        #expect(forwarded.to == Phones.called)
        #expect(bench.api("show channels count") == "\n0 total.\n")
        #expect(
            bench.events.filter { $0.name == "CHANNEL_HANGUP_COMPLETE" }.map { $0["Hangup-Cause"] }
                == ["ORIGINATOR_CANCEL", "ORIGINATOR_CANCEL"])
    }

    @Test("Nobody registered and no carrier: 480; a carrier that does not answer: the call ends")
    func absent() {
        var settings = Bench.settings()
        settings.carrier = nil
        var bench = Bench(settings)
        bench.receive(SIPRecording.invite(to: "1001", call: "a"), from: Self.phone)
        #expect(statuses(&bench) == ["100 Trying", "480 Temporarily Unavailable"])
        var silent = Bench()
        silent.receive(SIPRecording.invite(to: "1001", call: "a"), from: Self.phone)
        silent.advance(by: .seconds(33))
        #expect(statuses(&silent).contains("504 Gateway Time-out"))
        #expect(silent.api("show channels count") == "\n0 total.\n")
    }

    @Test("Within no dialog there is nothing to end; an ACK is never answered")
    func unknownDialog() {
        var bench = Bench()
        for method in ["BYE", "INVITE", "INFO"] {
            bench.receive(
                SIPRecording.request(method, to: "park", call: "x", toTag: "none"), from: Self.phone)
            #expect(statuses(&bench) == ["481 Call Does Not Exist"])
        }
        bench.receive(SIPRecording.request("ACK", to: "park", call: "x", toTag: "none"), from: Self.phone)
        bench.receive(SIPRecording.request("FETCH", to: "park", call: "y"), from: Self.phone)
        #expect(statuses(&bench) == ["501 Not Implemented"])
    }

    @Test("Hold and unhold are told, and the row is written again")
    func hold() throws {
        var bench = Bench()
        bench.receive(SIPRecording.invite(to: "park", call: "a"), from: Self.phone)
        let tag = try #require(SIPRecording.toTag(bench.takeDatagrams()[1].text))
        func send(_ method: String, _ sequence: Int, _ flow: String) {
            let body =
                "v=0\r\no=x 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n"
                + "m=audio 40002 RTP/AVP 0\r\na=\(flow)\r\n"
            bench.receive(
                SIPRecording.request(
                    method, to: "park", call: "a", toTag: tag, sequence: sequence,
                    body: method == "INVITE" ? body : ""), from: Self.phone)
        }
        send("ACK", 1, "")
        for (sequence, flow, name) in [(2, "sendonly", "CHANNEL_HOLD"), (3, "sendrecv", "CHANNEL_UNHOLD")] {
            send("INVITE", sequence, flow)
            send("ACK", sequence, "")
            #expect(bench.events.last { $0.name.hasSuffix("HOLD") }?.name == name)
            bench.advance(by: .seconds(1))
            #expect(bench.rows[0].metadata.contains(flow))
        }
        // An old request is refused.
        send("INVITE", 2, "sendrecv")
        #expect(statuses(&bench).last == "200 OK" || statuses(&bench).isEmpty)
    }

    @Test("Sessions and sessions a second are limited; effective sps is one less")
    func crowd() {
        var bench = Bench()
        #expect(bench.api("fsctl sps 3") == "+OK sessions per second: 3\n")
        func call(_ id: String) -> String? {
            bench.receive(SIPRecording.invite(to: "park", call: id), from: Self.phone)
            return statuses(&bench).last
        }
        #expect(call("a") == "200 OK")
        #expect(call("b") == "200 OK")
        #expect(call("c") == "503 Maximum Calls In Progress")
        bench.advance(by: .seconds(1))
        _ = statuses(&bench)
        #expect(bench.api("fsctl max_sessions 2") == "+OK max sessions: 2\n")
        #expect(call("d") == "503 Maximum Calls In Progress")
    }

    @Test("Load is held, replaced when calls end, and taken back")
    func load() {
        var bench = Bench()
        #expect(bench.api("simulator load bridged 5") == "+OK\n")
        #expect(bench.api("simulator load parked 3") == "+OK\n")
        bench.advance(by: .seconds(2))
        #expect(bench.api("show calls count") == "\n8 total.\n")
        #expect(bench.api("show channels count") == "\n13 total.\n")
        #expect(bench.rows.count == 13)
        _ = bench.api("hupall")
        bench.advance(by: .seconds(3))
        #expect(bench.api("show calls count") == "\n8 total.\n")
        _ = bench.api("simulator load bridged 1")
        bench.advance(by: .seconds(1))
        #expect(bench.api("show calls count") == "\n4 total.\n")
        #expect(bench.takeDatagrams().isEmpty)
    }

    @Test("Load's calls are revived by another switch without any peer")
    func revivedLoad() {
        var master = Bench()
        _ = master.api("simulator load bridged 20")
        _ = master.api("simulator load parked 5")
        master.advance(by: .seconds(3))
        var slave = Bench(Bench.settings("fsB"), seed: 2, at: master.now)
        slave.rows = master.rows
        #expect(slave.api("sofia profile svcA recover") == "Recovered 45 session(s)\n")
        slave.advance(by: .seconds(1))
        #expect(slave.api("show calls count") == "\n25 total.\n")
        #expect(slave.events.filter { $0.name == "CHANNEL_BRIDGE" }.count == 20)
        #expect(slave.rows.count == 45)
    }

    @Test("A stuck event system takes commands and tells nothing until it is mended")
    func stuck() {
        var bench = Bench()
        let client = bench.listener("CUSTOM fsdns::probe")
        _ = bench.api("simulator events stuck")
        let before = bench.clients[client].sent.count
        bench.say("sendevent CUSTOM\nEvent-Subclass: fsdns::probe\n\n", from: client)
        let reply = bench.clients[client].sent.dropFirst(before)
        #expect(
            String(decoding: reply, as: UTF8.self).hasPrefix("Content-Type: command/reply\nReply-Text: +OK "))
        #expect(!String(decoding: reply, as: UTF8.self).contains("text/event-plain"))
        #expect(bench.api("status").contains("is ready"))
        _ = bench.api("simulator events flow")
        #expect(
            String(decoding: bench.clients[client].sent, as: UTF8.self).contains(
                "Event-Subclass: fsdns%3A%3Aprobe"))
        _ = bench.api("simulator commands refuse")
        #expect(bench.api("status") == "-ERR permission denied\n")
        _ = bench.api("simulator commands accept")
        #expect(bench.api("switchname") == "fsA")
    }

    @Test("A switch has a new Core-UUID at every start, and one seed gives one run")
    func seeds() {
        #expect(Bench(seed: 1).core.coreUUID != Bench(seed: 2).core.coreUUID)
        func run() -> [SwitchEvent] {
            var bench = Bench(seed: 7)
            _ = bench.api("simulator load bridged 3")
            bench.advance(by: .seconds(5))
            _ = bench.api("hupall")
            bench.advance(by: .seconds(5))
            return bench.events
        }
        #expect(run() == run())
    }
}
