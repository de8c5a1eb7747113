import Cluster
import DNSMessages
import Glibc
import Primitives
import Testing
import ZoneServer

@testable import Daemon

@Suite("Zone updater", .serialized)
struct ZoneUpdaterTests {
    private static let text = """
        $ORIGIN voip.example.net.
        $TTL 60
        @ IN SOA ns1 hostmaster 7 3600 600 1209600 5
        @ IN NS ns1
        ns1 IN A 127.0.0.1
        sip IN A 10.77.0.11
        _fsdns.sip IN TXT "epoch 3.117"
        alias IN CNAME sip
        """
    private let questions = [
        ZoneQuestion(name: "voip.example.net", type: "SOA"),
        ZoneQuestion(name: "sip.voip.example.net", type: "A"),
        ZoneQuestion(name: "_fsdns.sip.voip.example.net", type: "TXT"),
        ZoneQuestion(name: "nothing.voip.example.net", type: "SRV"),
    ]
    private let mailbox = Mailbox<Event>()
    private let server: MoodyServer
    private let key: TSIGKey

    init() throws {
        let records = try ZoneText.parse(Self.text, origin: .root, file: "test.zone")
        key = try #require(
            TSIGKey(
                name: try DNSName("fsdns."), algorithm: .hmacSHA256, secret: Array(repeating: 7, count: 32)))
        server = try MoodyServer(ZoneResponder(zone: try Zone(records), key: key))
    }

    /// Short for servers that say nothing; what answers on this machine does so at once.
    private var patience: ZoneUpdater.Patience {
        let isQuiet = server.isQuiet
        return ZoneUpdater.Patience(
            attempt: isQuiet || server.isDeafByUDP ? .milliseconds(30) : .seconds(10),
            stream: isQuiet ? .milliseconds(100) : .seconds(10),
            update: isQuiet || server.isDeafByUDP ? .milliseconds(100) : .seconds(10),
            updateStream: isQuiet ? .milliseconds(100) : .seconds(10))
    }

    private func updater(signing other: TSIGKey? = nil) -> ZoneUpdater {
        let mailbox = mailbox
        return ZoneUpdater(
            servers: [.init(endpoint: server.endpoint, key: other ?? key)], patience: patience,
            answer: { mailbox.put($0) })
    }

    private func record(_ text: String) throws -> ZoneRecord {
        ZoneRecord(
            name: "sip.voip.example.net", ttl: 60, content: .address(try #require(IPAddress(text))))
    }

    private func epoch(_ text: String) -> ZoneRecord {
        ZoneRecord(name: "_fsdns.sip.voip.example.net", ttl: 60, content: .txt("epoch \(text)"))
    }

    private func update(expecting: String = "3.117") throws -> ZoneUpdate {
        ZoneUpdate(
            zone: "voip.example.net", expected: epoch(expecting), epochName: "_fsdns.sip.voip.example.net",
            delete: [epoch("3.117"), try record("10.77.0.11")],
            add: [epoch("3.118"), try record("10.77.0.12")])
    }

    private var readings: [ServerReading]? {
        guard case .zoneRead(_, let readings) = mailbox.next() else { return nil }
        return readings
    }

    private var outcome: ZoneUpdateOutcome? {
        guard case .zoneUpdated(_, let outcome) = mailbox.next() else { return nil }
        return outcome
    }

    @Test(
        "a zone is read whole, by UDP or, where that does not do, by TCP",
        arguments: [MoodyServer.Mood.helpful, .deafByUDP, .truncating])
    func read(mood: MoodyServer.Mood) throws {
        defer { server.stop() }
        server.be(mood)
        updater().read(5, questions)
        let expected = [epoch("3.117"), try record("10.77.0.11")].sorted()
        let readings = try #require(readings)
        #expect(readings.map(\.endpoint) == [server.endpoint])
        #expect(readings.map(\.outcome) == [.read(serial: 7, records: expected)])
    }

    @Test(
        "what does not speak for the zone is a failed read, never an absence",
        arguments: [
            MoodyServer.Mood.silent, .half, .forwarding, .code(.refused), .code(.servFail), .code(.notAuth),
        ])
    func failedRead(mood: MoodyServer.Mood) {
        defer { server.stop() }
        server.be(mood)
        updater().read(5, questions)
        guard case .failed(let reason) = readings?.first?.outcome else {
            Issue.record("a failed read expected")
            return
        }
        #expect(!reason.isEmpty)
    }

    @Test("an update whose expected epoch is there is done, as a whole")
    func done() throws {
        defer { server.stop() }
        updater().update(1, try update())
        #expect(outcome == .done)
        updater().read(2, questions)
        let expected = [epoch("3.118"), try record("10.77.0.12")].sorted()
        #expect(readings?.first?.outcome == .read(serial: 8, records: expected))
    }

    @Test("an update whose expected epoch is not there changes nothing")
    func prerequisite() throws {
        defer { server.stop() }
        let before = server.zone
        updater().update(1, try update(expecting: "3.116"))
        #expect(outcome == .prerequisiteFailed("NXRRSET"))
        #expect(server.zone == before)
    }

    @Test("a large update goes by TCP")
    func large() throws {
        defer { server.stop() }
        server.be(.deafByUDP)
        var update = try update()
        for number in 0..<100 { update.add.append(try record("10.78.0.\(number)")) }
        updater().update(1, update)
        #expect(outcome == .done)
    }

    @Test("what a server says of our signature, unsigned itself, is told but proves nothing")
    func wrongKey() throws {
        defer { server.stop() }
        let other = TSIGKey(
            name: try DNSName("fsdns."), algorithm: .hmacSHA256, secret: Array(repeating: 8, count: 32))
        let mailbox = mailbox
        let updater = ZoneUpdater(
            servers: [.init(endpoint: server.endpoint, key: other)],
            patience: .init(update: .milliseconds(50), updateStream: .seconds(10)),
            answer: { mailbox.put($0) })
        updater.update(1, try update())
        guard case .unknown(let reason) = outcome else {
            Issue.record("an unknown outcome expected")
            return
        }
        #expect(reason.contains("BADSIG"))
    }

    @Test("an unsigned BADKEY is not believed while the server's own answer may come")
    func spoofed() throws {
        defer { server.stop() }
        server.be(.spoofed)
        updater().update(1, try update())
        #expect(outcome == .done)
    }

    @Test("an update that UDP does not bring to the server goes by TCP, and the next one at once")
    func deaf() throws {
        defer { server.stop() }
        server.be(.deafByUDP)
        let updater = updater()
        updater.update(1, try update())
        #expect(outcome == .done)
        let began = Instant.now()
        updater.update(2, try update(expecting: "3.118"))
        #expect(outcome == .done)
        #expect(Instant.now() - began < patience.update)
    }

    @Test("questions are signed where there is a key, and asked unsigned of a server that does not know it")
    func signedQuestions() throws {
        defer { server.stop() }
        let expected = [epoch("3.117"), try record("10.77.0.11")].sorted()
        let updater = updater()
        for mood in [MoodyServer.Mood.helpful, .ignorant, .ignorant] {
            server.be(mood)
            updater.read(5, questions)
            let reading = try #require(readings?.first)
            #expect(reading.outcome == .read(serial: 7, records: expected))
            #expect((reading.isUnsigned ?? false) == (mood == .ignorant))
        }
    }

    @Test(
        "an update whose answer is lost or not to be trusted is unknown",
        arguments: [MoodyServer.Mood.forgetful, .silent, .half, .forging])
    func unknown(mood: MoodyServer.Mood) throws {
        defer { server.stop() }
        server.be(mood)
        updater().update(1, try update())
        guard case .unknown(let reason) = outcome else {
            Issue.record("an unknown outcome expected")
            return
        }
        #expect(reason.contains("\(server.endpoint)"))
    }

    @Test("what a CNAME leads to belongs to another name")
    func alias() throws {
        defer { server.stop() }
        let alias = "alias.voip.example.net"
        updater().read(5, [questions[0], ZoneQuestion(name: alias, type: "A")])
        let reading = try #require(readings?.first)
        #expect(reading.outcome == .read(serial: 7, records: []))
        #expect(reading.aliases == [ZoneAlias(name: alias, target: "sip.voip.example.net")])
    }

    @Test("several servers are read together, each with its own outcome")
    func several() throws {
        let mailbox = mailbox
        // Port 9: nobody listens there.
        let nobody = Endpoint(ip: server.endpoint.ip, port: 9)
        let updater = ZoneUpdater(
            servers: [.init(endpoint: server.endpoint, key: key), .init(endpoint: nobody, key: nil)],
            answer: { mailbox.put($0) })
        defer { server.stop() }
        updater.read(3, questions)
        let found = try #require(readings)
        #expect(found.map(\.endpoint) == [server.endpoint, nobody])
        guard case .read(7, _) = found[0].outcome, case .failed = found[1].outcome else {
            Issue.record("one reading and one failure expected")
            return
        }
    }
}
