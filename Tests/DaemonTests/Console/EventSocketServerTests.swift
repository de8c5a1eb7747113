import Cluster
import EventSocket
import Glibc
import Primitives
import Testing

@testable import Daemon

@Suite("Event-socket server")
struct EventSocketServerTests {
    private func client(_ site: EventSocketSite) throws -> RawClient {
        let client = try RawClient(site.port)
        try client.logIn()
        return client
    }

    @Test("What it knows itself it answers itself")
    func own() throws {
        let site = try EventSocketSite()
        let client = try client(site)
        #expect(try client.ask("api switchname") == "fs1")
        #expect(try client.ask("api hostname") == client.ask("api hostname"))
        #expect(try client.ask("api global_getvar core_uuid").utf8.count == 36)
        #expect(try client.ask("api hash_dump limit") == "-ERR no reply\n")
        site.limits.value = "L/trunk/3/0/0/0\n"
        #expect(try client.ask("api hash_dump limit") == "L/trunk/3/0/0/0\n")
        #expect(try client.ask("api cluster") == ConsoleVerbs.help)
        #expect(try client.ask("api show calls") == "-ERR show Command not found!\n")
    }

    @Test("`cluster` runs our own command line, for whoever asked and with the node's control socket")
    func cluster() throws {
        let site = try EventSocketSite()
        let client = try client(site)
        #expect(try client.ask("api cluster status\nconsole_execute: true") == "status --control /c.sock\n")
        #expect(
            try client.ask("api cluster zone show --format json")
                == "zone show --control /c.sock --format json\n")
        #expect(try client.ask("api cluster status --watch").hasPrefix("-ERR --watch is not for here"))
        #expect(try client.ask("api cluster 'x").hasPrefix("-ERR a quote"))
        #expect(try client.ask("api version") == "version\n")
        let other = try EventSocketSite(program: "/usr/bin/env")
        let asker = try self.client(other)
        // env takes `status` for a program, which is not there.
        #expect(try asker.ask("api cluster status").hasPrefix("-ERR "))
    }

    @Test("The command line hears who asks")
    func asker() throws {
        let directory = TemporaryDirectory()
        let script = "\(directory.path)/program"
        let file = try #require(fopen(script, "w"))
        fputs("#!/bin/sh\necho \"$FSDNS_OPERATOR $NO_COLOR $#\"\n", file)
        fclose(file)
        chmod(script, 0o700)
        let site = try EventSocketSite(program: script)
        #expect(try client(site).ask("api cluster abort") == "event-socket@127.0.0.1 1 3\n")
    }

    @Test("Who came with the password for looking sees everything and changes nothing")
    func lookPassword() throws {
        let site = try EventSocketSite()
        site.limits.value = "L/trunk/3/0/0/0\n"
        let looker = try RawClient(site.port)
        try looker.logIn(EventSocketSite.lookPassword)
        #expect(try looker.ask("api hash_dump limit") == "L/trunk/3/0/0/0\n")
        #expect(try looker.ask("api cluster nodes") == "members --control /c.sock\n")
        #expect(
            try looker.ask("api cluster drain master1").hasPrefix(
                "-ERR from here the cluster can be looked at"))
        #expect(try looker.ask("event plain CUSTOM fsdns::reply") == "+OK event listener enabled plain")
        #expect(try looker.ask("sendevent CUSTOM\nEvent-Subclass: fsdns::seat") == "-ERR permission denied")
        let request = "sendevent CUSTOM\nEvent-Subclass: fsdns::request\nfsdns-Command: cluster undrain fs1"
        #expect(try looker.ask(request).hasPrefix("+OK"))
        let reply = try looker.event()
        #expect(reply["fsdns-Result"] == "-ERR")
        #expect(String(decoding: reply.body, as: UTF8.self).contains("looked at, not changed"))
    }

    @Test("What a looker makes happen is told to the looker alone") func lookersEvents() throws {
        let site = try EventSocketSite()
        let operating = try client(site)
        #expect(try operating.ask("event plain ALL").hasPrefix("+OK"))
        let looker = try RawClient(site.port)
        try looker.logIn(EventSocketSite.lookPassword)
        #expect(try looker.ask("event plain ALL").hasPrefix("+OK"))
        let job = "1111"
        #expect(try looker.ask("bgapi nosuch\nJob-UUID: \(job)").hasPrefix("+OK"))
        #expect(try looker.event()["Job-UUID"] == job)
        #expect(
            try looker.ask("sendevent CUSTOM\nEvent-Subclass: fsdns::request\nfsdns-Command: cluster status")
                .hasPrefix("+OK"))
        #expect(try looker.event()["Event-Subclass"] == "fsdns::request")
        #expect(try looker.event()["Event-Subclass"] == "fsdns::reply")
        // The first that the other hears is its own.
        #expect(try operating.ask("bgapi version\nJob-UUID: 2222").hasPrefix("+OK"))
        #expect(try operating.event()["Job-UUID"] == "2222")
    }

    @Test("Lookers by the hundred leave room for those who may change something") func manyLookers() throws {
        let site = try EventSocketSite()
        var lookers: [RawClient] = []
        for _ in 0..<EventSocketServer.lookerLimit {
            let looker = try RawClient(site.port)
            try looker.logIn(EventSocketSite.lookPassword)
            lookers.append(looker)
        }
        let late = try RawClient(site.port)
        late.say("auth \(EventSocketSite.lookPassword)\n\n")
        #expect(try site.waits(forClients: EventSocketServer.lookerLimit))
        #expect(try client(site).ask("api switchname") == "fs1")
        #expect(try lookers[0].ask("api switchname") == "fs1")
    }

    @Test("A client that sends commands without end is served, and so is everybody else, in turn")
    func flood() throws {
        let site = try EventSocketSite()
        let patient = try client(site)
        let hasty = try client(site)
        let count = 2000
        hasty.say(String(repeating: "noevents\n\n", count: count))
        for _ in 0..<5 { #expect(try patient.ask("api switchname") == "fs1") }
        let reply = ServerMessage.commandReply(CommandReply(text: "-ERR not listening for events"))
        for _ in 0..<count { #expect(try hasty.message() == reply) }
        #expect(try hasty.ask("api switchname") == "fs1")
    }

    @Test("No event of a client is larger than everybody's buffers bear")
    func large() throws {
        let site = try EventSocketSite()
        let client = try client(site)
        client.say(
            "sendevent CUSTOM\nContent-Length: \(1 << 20)\n\n" + String(repeating: "x", count: 1 << 20))
        #expect(try site.waits(forClients: 0))
    }

    @Test("A job ends with an event, and its client may ask on meanwhile")
    func job() throws {
        let site = try EventSocketSite()
        let client = try client(site)
        #expect(try client.ask("event plain BACKGROUND_JOB") == "+OK event listener enabled plain")
        #expect(try client.ask("bgapi cluster nodes\nJob-UUID: mine") == "+OK Job-UUID: mine")
        let event = try client.event()
        #expect(event["Job-UUID"] == "mine")
        #expect(event["Job-Command"] == "cluster")
        #expect(String(decoding: event.body, as: UTF8.self) == "members --control /c.sock\n")
        #expect(event["FreeSWITCH-Switchname"] == "fs1")
    }

    @Test("Cluster events reach those who subscribed, and as lines those who read the log")
    func events() throws {
        let site = try EventSocketSite()
        let listener = try client(site)
        let reader = try client(site)
        _ = try listener.ask("event json CUSTOM fsdns::failover ha_cluster::failure")
        _ = try reader.ask("log 5")
        let epoch = Epoch(term: 2, index: 9)
        try site.publish(ClusterEvent(.leaderChanged, "fs1", "leads"))
        try site.publish(ClusterEvent(.nodeFenced, "fs2", "fs2 is out", epoch: epoch))
        try site.publish(ClusterEvent(.takeover, "master1", "it goes to fs1", epoch: epoch))
        let failure = try listener.event()
        #expect(failure.subclass == "ha_cluster::failure")
        #expect(failure["HAC-Peer"] == "fs2")
        let takeover = try listener.event()
        #expect(takeover.subclass == "fsdns::failover")
        #expect(takeover["fsdns-Text"] == "it goes to fs1")
        #expect(takeover["Event-Calling-File"] == "fsdns")
        guard case .log(let line) = try reader.message() else {
            Issue.record("no line of the log")
            return
        }
        #expect(line.text == "node-fenced fs2: fs2 is out [2.9]\n")
        #expect(line.level == 4)
    }

    @Test("What one client fires all see, and a request is answered on the same bus")
    func bus() throws {
        let site = try EventSocketSite()
        let one = try client(site)
        let other = try client(site)
        _ = try one.ask("event plain CUSTOM fsdns::request")
        _ = try other.ask("event plain CUSTOM fsdns::reply")
        let sent = try one.ask(
            "sendevent CUSTOM\nEvent-Subclass: fsdns::request\nfsdns-Command: cluster nodes\nfsdns-Reference: 17"
        )
        let request = try one.event()
        #expect(request["fsdns-Command"] == "cluster nodes")
        #expect(sent == "+OK \(request["Event-UUID"] ?? "")")
        let reply = try other.event()
        #expect(reply["fsdns-Request"] == request["Event-UUID"])
        #expect(reply["fsdns-Reference"] == "17")
        #expect(reply["fsdns-Result"] == "+OK")
        #expect(String(decoding: reply.body, as: UTF8.self) == "members --control /c.sock\n")
    }

    @Test("A request from elsewhere may be kept from changing anything")
    func looking() throws {
        let site = try EventSocketSite()
        func reply(_ command: String, mayChange: Bool) throws -> SwitchEvent? {
            let request = SwitchEvent(
                headers: Headers([
                    .init("Event-Name", "CUSTOM"), .init("Event-Subclass", "fsdns::request"),
                    .init("fsdns-Command", command),
                ]))
            return try site.answer(request, mayChange: mayChange)
        }
        #expect(try reply("cluster status", mayChange: false)?["fsdns-Result"] == "+OK")
        #expect(try reply("cluster drain master1", mayChange: false)?["fsdns-Result"] == "-ERR")
        #expect(try reply("cluster drain master1", mayChange: true)?["fsdns-Result"] == "+OK")
        let other = SwitchEvent(
            headers: Headers([.init("Event-Name", "CUSTOM"), .init("Event-Subclass", "fsdns::reply")]))
        #expect(try site.answer(other, mayChange: true) == nil)
    }

    @Test("Stopping, it tells every client and hangs up")
    func stop() throws {
        let site = try EventSocketSite()
        let client = try client(site)
        _ = try client.ask("event plain CUSTOM ha_cluster::shutdown")
        try site.stop()
        #expect(try client.event()["HAC-Peer"] == "fs1")
        #expect(try client.message() == .disconnectNotice(.shutdown))
        #expect(try client.frame() == nil)
        #expect(try site.waits(forClients: 0))
    }

    @Test("A client may say everything at once, or byte by byte")
    func fragments() throws {
        let site = try EventSocketSite()
        let hasty = try RawClient(site.port)
        hasty.say("auth wonderland\n\napi switchname\n\nexit\n\n")
        let answers = try (1...5).map { _ in try hasty.message() }
        #expect(answers[2] == .apiResponse(APIResponse("fs1")))
        #expect(answers[4] == .disconnectNotice(.goodbye))
        #expect(try hasty.frame() == nil)
        let slow = try RawClient(site.port)
        #expect(try slow.message() == .authRequest)
        for byte in "auth wonderland\n\n".utf8 { slow.say([byte]) }
        #expect(try slow.message() == .commandReply(CommandReply(text: "+OK accepted")))
    }

    // MARK: - Bad clients

    @Test("Wrong passwords by the thousand are slowed and bounded, and keep nobody else out")
    func guesses() throws {
        let site = try EventSocketSite()
        let clock = ContinuousClock()
        let start = clock.now
        var guessers: [RawClient] = []
        var most = 0
        for number in 0..<1000 {
            let guesser = try RawClient(site.port)
            guesser.say("auth guess\(number)\n\n")
            guessers.append(guesser)
            most = max(most, try site.clientCount)
            if guessers.count == 200 { guessers.removeFirst() }
        }
        #expect(most <= EventSocketServer.strangerLimit + 1)
        // From another address there is no waiting.
        let visitor = try RawClient(site.port, from: "127.0.0.2")
        try visitor.logIn()
        #expect(try visitor.ask("api switchname") == "fs1")
        let seconds = Double((clock.now - start).components.seconds) + 1
        let refused = try site.wrongPasswords
        #expect(refused > 0)
        // Those tolerated, those looked at one by one since, and those whose turn came at the end.
        #expect(Double(refused) <= Double(WrongPasswords.tolerated) + 1 + (seconds + 1) * 10)
    }

    @Test("A wrong password is answered as FreeSWITCH does, later and later")
    func refusal() throws {
        let site = try EventSocketSite()
        for _ in 0..<3 {
            let client = try RawClient(site.port)
            #expect(try client.message() == .authRequest)
            #expect(try client.ask("auth guess") == "-ERR invalid")
            #expect(try client.message() == .disconnectNotice(.goodbye))
            #expect(try client.frame() == nil)
        }
        #expect(try site.wrongPasswords == 3)
    }

    @Test("Who says nothing, or never a password, is sent away in time")
    func silence() throws {
        var configuration = ServerConfiguration(password: EventSocketSite.password)
        configuration.authenticationTimeout = .milliseconds(50)
        let site = try EventSocketSite(configuration: configuration)
        let client = try RawClient(site.port)
        #expect(try client.message() == .authRequest)
        #expect(try client.ask("api status") == "-ERR command not found")
        #expect(try client.frame() == nil)
        #expect(try site.waits(forClients: 0))
    }

    @Test("The silent make room for the newest")
    func crowd() throws {
        let site = try EventSocketSite()
        let crowd = try (0..<EventSocketServer.strangerLimit).map { _ in try RawClient(site.port) }
        for client in crowd { #expect(try client.message() == .authRequest) }
        try RawClient(site.port).logIn()
        #expect(try crowd[0].frame() == nil)
    }

    @Test("A client that never reads is sent away, and the others hear everything")
    func deaf() throws {
        let configuration = ServerConfiguration(
            password: EventSocketSite.password, maximumUnsentBytes: 1 << 20, maximumLostEvents: 10)
        let site = try EventSocketSite(configuration: configuration)
        let deaf = try RawClient(site.port, receiveBuffer: 4096)
        try deaf.logIn()
        _ = try deaf.ask("event plain CUSTOM test::big")
        let listener = try client(site)
        _ = try listener.ask("event plain CUSTOM test::big")
        let event = SwitchEvent(
            headers: Headers([.init("Event-Name", "CUSTOM"), .init("Event-Subclass", "test::big")]),
            body: [UInt8](repeating: 65, count: 100_000))
        for _ in 0..<120 {
            try site.fire(event)
            #expect(try listener.event().body.count == 100_000)
        }
        #expect(try site.waits(forClients: 1))
        #expect(try listener.ask("api switchname") == "fs1")
    }

    @Test("Commands without end from one who does not read wait, and are not lost")
    func backpressure() throws {
        let configuration = ServerConfiguration(
            password: EventSocketSite.password, maximumUnsentBytes: 1 << 16)
        let site = try EventSocketSite(configuration: configuration)
        site.limits.value = String(repeating: "L/trunk/3/0/0/0\n", count: 4096)
        let client = try RawClient(site.port, receiveBuffer: 4096)
        try client.logIn()
        client.say(String(repeating: "api hash_dump limit\n\n", count: 400))
        for _ in 0..<400 {
            guard case .apiResponse(let response) = try client.message() else {
                Issue.record("no response")
                return
            }
            #expect(response.body.count == 65_536)
        }
        #expect(try client.ask("api switchname") == "fs1")
    }

    @Test("What cannot be read ends the conversation")
    func garbage() throws {
        let site = try EventSocketSite()
        let client = try client(site)
        client.say("api x\ncontent-length: 99999999999\n\n")
        var last: ServerMessage?
        while let frame = try client.frame() { last = try ServerMessage(frame) }
        #expect(last == .disconnectNotice(.goodbye))
        #expect(try site.waits(forClients: 0))
    }
}
