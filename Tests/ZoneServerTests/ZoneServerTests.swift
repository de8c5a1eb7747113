import DNSMessages
import Foundation
import Primitives
import Testing
import ZoneServer

/// The server on real sockets, asked and changed by the programs people use.
@Suite(
    "The zone server with dig and nsupdate", .serialized,
    .enabled(if: Programs.areExpected, "dig and nsupdate are not installed (apt: bind9-dnsutils)"))
final class ZoneServerTests {
    private let directory: String
    private let zonePath: String
    private let keyPath: String
    private let key: TSIGKey

    init() throws {
        directory = NSTemporaryDirectory() + "fsdns-zone-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        zonePath = directory + "/example.zone"
        keyPath = directory + "/key"
        try ExampleZone.text.write(toFile: zonePath, atomically: true, encoding: .utf8)
        let keyText = "key \"fsdns\" {\n\talgorithm hmac-sha256;\n\tsecret \"AAECAwQFBgcICQ==\";\n};\n"
        try keyText.write(toFile: keyPath, atomically: true, encoding: .utf8)
        key = try KeyFile.parse(keyText, file: keyPath)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Runs a server on a free port of 127.0.0.1 (and ::1 when told to) while `body` runs.
    private func serving(
        _ addresses: [String] = ["127.0.0.1"], limits: ZoneServer.Limits = .init(),
        _ body: (ZoneServer, [Endpoint]) async throws -> Void
    ) async throws {
        let file = ZoneFile(path: zonePath)
        let listen = try addresses.map { Endpoint(ip: try #require(IPAddress($0)), port: 0) }
        let server = ZoneServer(zone: try file.load(), key: key, listen: listen, file: file, limits: limits)
        let endpoints = try await server.start()
        do {
            try await body(server, endpoints)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    private func dig(_ endpoint: Endpoint, _ arguments: String...) throws -> String {
        let server = ["@\(endpoint.ip)", "-p", "\(endpoint.port)", "+tries=1", "+time=5"]
        return try Programs.run("/usr/bin/dig", server + arguments).output
    }

    private func nsupdate(
        _ endpoint: Endpoint, _ arguments: [String], _ commands: String...
    ) throws -> (status: Int32, output: String, errors: String) {
        let lines = ["server \(endpoint.ip) \(endpoint.port)", "zone example."] + commands + ["send", ""]
        return try Programs.run("/usr/bin/nsupdate", arguments, input: lines.joined(separator: "\n"))
    }

    @Test("dig reads the zone by UDP, TCP, IPv6 and with a key")
    func dig() async throws {
        try await serving(["127.0.0.1", "::1"]) { _, endpoints in
            for endpoint in endpoints {
                for transport in ["+notcp", "+tcp"] {
                    #expect(
                        try dig(endpoint, transport, "+short", "sip.example", "A") == "10.0.0.1\n10.0.0.2\n")
                }
            }
            let full = try dig(endpoints[0], "-k", keyPath, "sIP.example", "AAAA")
            #expect(full.contains("status: NOERROR") && full.contains("flags: qr aa rd;"))
            #expect(full.contains("EDNS: version: 0, flags:; udp: 1232"))
            #expect(full.contains("TSIG PSEUDOSECTION") && !full.contains("Couldn't verify"), "\(full)")
            #expect(try dig(endpoints[0], "no.example", "A").contains("status: NXDOMAIN"))
            #expect(try dig(endpoints[0], "example.org", "A").contains("status: REFUSED"))
            #expect(try dig(endpoints[0], "+opcode=notify", "example", "SOA").contains("status: NOTIMP"))
        }
    }

    @Test("nsupdate changes the zone, the file follows, and another server starts from it")
    func nsupdate() async throws {
        try await serving { server, endpoints in
            for arguments in [["-k", keyPath], ["-v", "-k", keyPath]] {
                let name = arguments.count == 2 ? "udp" : "tcp"
                let run = try nsupdate(
                    endpoints[0], arguments, "prereq yxrrset _fsdns.sip.example. IN TXT \"3.116\"",
                    "prereq nxdomain \(name).example.", "update add \(name).example. 60 A 10.0.0.9",
                    "update delete sip.example. A 10.0.0.2")
                #expect(run.status == 0, "\(run.errors)")
            }
            #expect(server.zone.serial == 9)
            #expect(try dig(endpoints[0], "+short", "udp.example", "A") == "10.0.0.9\n")
            #expect(try dig(endpoints[0], "+short", "tcp.example", "A") == "10.0.0.9\n")
            #expect(try dig(endpoints[0], "+short", "sip.example", "A") == "10.0.0.1\n")
            #expect(try ZoneFile(path: zonePath).load() == server.zone)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 2)
        }
    }

    @Test("nsupdate sees each refusal as from any server")
    func refusals() async throws {
        try await serving { server, endpoints in
            let add = "update add new.example. 60 A 10.0.0.9"
            let signed = ["-k", keyPath]
            let wrong = ["-y", "hmac-sha256:fsdns:AAAA"]
            let unknown = ["-y", "hmac-sha256:nobody:AAAA"]
            let cases: [([String], String, String)] = [
                ([], add, "REFUSED"), (wrong, add, "NOTAUTH(BADSIG)"), (unknown, add, "NOTAUTH(BADKEY)"),
                (signed, "prereq nxdomain sip.example.", "YXDOMAIN"),
                (signed, "prereq yxdomain free.example.", "NXDOMAIN"),
                (signed, "prereq nxrrset sip.example. A", "YXRRSET"),
                (signed, "prereq yxrrset sip.example. SRV", "NXRRSET"),
                (signed, "update add new.org. 60 A 10.0.0.9", "NOTZONE"),
            ]
            for (arguments, command, expected) in cases {
                let run = try nsupdate(endpoints[0], arguments, command, add)
                #expect(run.status != 0 && run.errors.contains(expected), "\(expected): \(run.errors)")
            }
            #expect(server.zone == (try ExampleZone.zone()))
        }
    }

    @Test("our printed script and our own update make the same zone")
    func script() async throws {
        let update = DNSUpdate(
            zone: try DNSName("example"),
            prerequisites: [.equals(try DNSName("_fsdns.sip.example"), [.text("3.116")])],
            operations: [
                .deleteSet(try DNSName("_fsdns.sip.example"), .txt),
                .add(try DNSRecord("_fsdns.sip.example. 0 TXT 3.117")),
                .add(try DNSRecord("example. 60 NAPTR 100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp.example.")),
                .deleteName(try DNSName("www.example")),
            ])
        try await serving { server, endpoints in
            let script = UpdateScript(update, server: endpoints[0]).description
            let run = try Programs.run("/usr/bin/nsupdate", ["-k", keyPath], input: script)
            #expect(run.status == 0, "\(run.errors)")
            var expected = try ExampleZone.zone()
            #expect(expected.apply(update) == .noError)
            #expect(server.zone == expected)
        }
    }

    @Test("dig transfers a zone of many messages, each signature verified")
    func transfer() async throws {
        let many = (0..<2000).map { "h\($0) TXT \"\(String(repeating: "x", count: 40))\"\n" }.joined()
        try (ExampleZone.text + many).write(toFile: zonePath, atomically: true, encoding: .utf8)
        try await serving { server, endpoints in
            let output = try dig(endpoints[0], "-k", keyPath, "example", "AXFR", "+nocmd")
            let records = try ZoneText.parse(
                output.split(separator: "\n").filter { !$0.contains("\tTSIG\t") }.joined(separator: "\n"),
                origin: .root, file: "dig")
            #expect(try Zone(records) == server.zone)
            #expect(records.count == server.zone.records.count + 1)
            let messages = try #require(output.firstMatch(of: /messages (\d+)/)?.1)
            #expect(Int(messages) ?? 0 > 5 && !output.contains("verify"), "\(output.suffix(300))")
            #expect(try dig(endpoints[0], "example", "AXFR").contains("Transfer failed"))
        }
    }

    @Test("TCP carries requests one after another, and ends with what is no message")
    func stream() async throws {
        try await serving { _, endpoints in
            let query = try DNSMessage.query(id: 1, name: DNSName("sip.example"), type: .a).wire()
            let framed = [UInt8(0), UInt8(query.count)] + query
            let answers = try Programs.converse(endpoints[0].port, framed + framed + [0, 3, 1, 2, 3])
            let length = Int(answers[1])
            #expect(answers.count == 2 * (length + 2))
            #expect(try DNSMessage(wire: Array(answers[2..<(2 + length)])).answers().count == 2)
        }
    }

    @Test("a connection is closed when no whole request comes in time, though a byte comes now and then")
    func slow() async throws {
        var limits = ZoneServer.Limits()
        limits.idle = .milliseconds(500)
        try await serving(limits: limits) { _, endpoints in
            let query = try DNSMessage.query(id: 1, name: DNSName("sip.example"), type: .a).wire()
            let framed = [UInt8(0), UInt8(query.count)] + query
            // Each reads to the end of the stream, so each ends only because the server closes it.
            #expect(try Programs.converse(endpoints[0].port, [0]).isEmpty)
            #expect(try Programs.converse(endpoints[0].port, framed).count == 74)
            let drip = try Programs.connect(endpoints[0].port)
            defer { close(drip) }
            let clock = ContinuousClock()
            let start = clock.now
            var byte = UInt8(0)
            // The kernel refuses more once the server has closed.
            while clock.now - start < .seconds(9), send(drip, &byte, 1, Int32(MSG_NOSIGNAL)) == 1 {
                var answer = pollfd(fd: drip, events: Int16(POLLIN), revents: 0)
                if poll(&answer, 1, 100) == 1 { break }
            }
            #expect(clock.now - start < .seconds(5))
        }
    }

    @Test("a crowd of idle connections makes room for who asks, and never takes the place of who signed")
    func crowd() async throws {
        var limits = ZoneServer.Limits()
        limits.connections = 4
        limits.perSource = 4
        try await serving(limits: limits) { _, endpoints in
            let signed = try Programs.connect(endpoints[0].port)
            let query = try DNSMessage.query(id: 1, name: DNSName("sip.example"), type: .a).wire()
            let request = self.key.sign(query, at: UInt64(time(nil)), requestMAC: nil).wire
            let framed = [UInt8(request.count >> 8), UInt8(request.count & 255)] + request
            #expect(send(signed, framed, framed.count, Int32(MSG_NOSIGNAL)) == framed.count)
            var answer = [UInt8](repeating: 0, count: 4096)
            #expect(recv(signed, &answer, answer.count, 0) > 100)
            let idle = try (0..<200).map { _ in try Programs.connect(endpoints[0].port) }
            defer { for descriptor in idle + [signed] { close(descriptor) } }
            let output = try self.dig(endpoints[0], "+tcp", "+short", "sip.example", "A")
            #expect(output.split(separator: "\n").count == 2)
            #expect(recv(idle[0], &answer, answer.count, 0) <= 0, "the oldest was closed")
            #expect(send(signed, framed, framed.count, Int32(MSG_NOSIGNAL)) == framed.count)
            #expect(recv(signed, &answer, answer.count, 0) > 100)
        }
    }

    @Test("clients that only hold connections do not keep others out")
    func idleClients() async throws {
        var limits = ZoneServer.Limits()
        limits.connections = 1
        limits.idle = .milliseconds(500)
        try await serving(limits: limits) { _, endpoints in
            let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(client) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = endpoints[0].port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let connected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            #expect(connected == 0)
            let query = try DNSMessage.query(id: 1, name: DNSName("sip.example"), type: .a).wire()
            #expect(try Programs.converse(endpoints[0].port, [0, UInt8(query.count)] + query).count == 74)
        }
    }

    @Test("the wildcards of both families stand beside each other on one port")
    func wildcards() async throws {
        let (server, port) = try await serverOfAllAddresses()
        for address in ["127.0.0.1", "::1"] {
            let endpoint = Endpoint(ip: try #require(IPAddress(address)), port: port)
            #expect(try dig(endpoint, "+short", "ns1.example", "A") == "127.0.0.1\n")
        }
        await server.stop()
    }

    /// On a port that is free on every address: another test may take it in the moment after it was found.
    private func serverOfAllAddresses() async throws -> (ZoneServer, UInt16) {
        for _ in 0..<20 {
            let port = try await unusedPort()
            let listen = try ["0.0.0.0", "::"].map { Endpoint(ip: try #require(IPAddress($0)), port: port) }
            let server = ZoneServer(zone: try ExampleZone.zone(), key: nil, listen: listen)
            guard let bound = try? await server.start() else { continue }
            #expect(bound == listen)
            return (server, port)
        }
        throw NoPort()
    }

    private struct NoPort: Error {}

    /// A port that was free for both protocols a moment ago.
    private func unusedPort() async throws -> UInt16 {
        let server = ZoneServer(
            zone: try ExampleZone.zone(), key: nil, listen: [try #require(Endpoint("127.0.0.1:0"))])
        let port = try await server.start()[0].port
        await server.stop()
        return port
    }

    @Test("an address that is taken fails the start, and frees what was bound")
    func addressTaken() async throws {
        try await serving { _, endpoints in
            let free = try #require(Endpoint("127.0.0.1:0"))
            let second = ZoneServer(
                zone: try ExampleZone.zone(), key: nil, listen: [free, endpoints[0]])
            await #expect(throws: (any Error).self) { try await second.start() }
        }
    }
}

@Suite("Zone files on disk")
struct ZoneFileTests {
    @Test("a file that cannot be read or is no zone says so with its name")
    func failures() throws {
        let path = NSTemporaryDirectory() + "fsdns-zone-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        func failure() throws -> String {
            try #require(throws: ZoneFile.Failure.self) { try ZoneFile(path: path).load() }.description
        }
        #expect(try failure() == "\(path): open: No such file or directory")
        try "a.example. 60 IN A 10.0.0.1\nb.example. 60 IN A x\n".write(
            toFile: path, atomically: true, encoding: .utf8)
        #expect(try failure().hasPrefix("\(path):2: "))
        try "a.example. 60 IN A 10.0.0.1\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(try failure() == "\(path):1: a zone has exactly one SOA record, this has 0")
    }

    @Test("the zone shipped as an example is one")
    func shippedExample() throws {
        let path = URL(filePath: #filePath).appending(path: "../../../zones/voip.example.net.zone")
            .standardized
        let zone = try ZoneFile(path: path.path(percentEncoded: false)).load()
        #expect(zone.origin == (try DNSName("voip.example.net")))
        #expect(zone.types(of: zone.origin) == [.ns, .soa])
    }

    @Test(
        "a stored zone can be read by those who could read it before",
        arguments: [0o600, 0o640, 0o644] as [mode_t])
    func storedMode(_ mode: mode_t) throws {
        let path = NSTemporaryDirectory() + "fsdns-mode-\(UUID().uuidString)"
        defer { unlink(path) }
        try "old".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(chmod(path, mode) == 0)
        try ZoneFile(path: path).store(ExampleZone.zone())
        var facts = stat()
        #expect(stat(path, &facts) == 0 && facts.st_mode & 0o777 == mode)
    }

    @Test("a zone that cannot be stored leaves the old file")
    func storeFailure() throws {
        let path = NSTemporaryDirectory() + "fsdns-none-\(UUID().uuidString)/zone"
        let failure = try #require(throws: ZoneFile.Failure.self) {
            try ZoneFile(path: path).store(ExampleZone.zone())
        }
        #expect(failure.description.contains("No such file or directory"))
    }
}
