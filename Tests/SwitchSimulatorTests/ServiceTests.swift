import Foundation
import GRDB
import Logging
import SwitchSimulator
import Testing

/// The service on real sockets and a real `core.db`.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ServiceTests {
    private static let log = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    /// Profiles on loopback addresses and free ports of their own.
    private func options(
        _ folder: ScratchFolder, ip: String = "127.0.0.1", port: UInt16 = 0, name: String = "fsA"
    ) -> SwitchOptions {
        var settings = SwitchSettings(
            switchname: name, databaseDirectory: folder.path,
            profiles: [SwitchSettings.Profile(name: "svcA", ip: ip, port: port == 0 ? Self.freePort() : port)]
        )
        settings.databaseLag = .milliseconds(5) ... .milliseconds(10)
        return SwitchOptions(settings: settings, eventSocket: SIPEndpoint(ip: "127.0.0.1", port: 0))
    }

    /// Above the range the kernel gives out, and different for each caller.
    private static func freePort() -> UInt16 { UInt16.random(in: 61_000...65_000) }

    private func rows(_ folder: ScratchFolder) throws -> [String] {
        let database = try folder.database()
        return try database.read { try String.fetchAll($0, sql: "SELECT runtime_uuid FROM recovery") }
    }

    /// Asks until it is so, for ten seconds at most.
    private func wait(_ isSo: () throws -> Bool) throws {
        for _ in 0..<500 {
            if try isSo() { return }
            usleep(20_000)
        }
        Issue.record("it does not come to be so")
    }

    @Test("Rows of a switch that ended stay in core.db, and another process's are revived from it")
    func takeover() throws {
        let (first, second) = (try ScratchFolder(), try ScratchFolder())
        var options = options(first)
        options.bridgedCalls = 5
        options.parkedCalls = 2
        let master = SwitchService(options, log: Self.log)
        let (_, coreUUID) = try master.start()
        try wait { try rows(first).count == 12 }
        master.stop()
        #expect(try rows(first) == Array(repeating: coreUUID, count: 12))

        let slave = SwitchService(self.options(second, name: "fsB"), log: Self.log)
        let (port, own) = try slave.start()
        defer { slave.stop() }
        let client = try TestSocket.login(port: port)
        let from = try first.database()
        let to = try second.database()
        let found = try from.read { try Row.fetchAll($0, sql: "SELECT * FROM recovery") }
        try to.write { connection in
            for row in found {
                try connection.execute(
                    sql: "INSERT INTO recovery VALUES (?, ?, ?, ?, ?, ?)",
                    arguments: StatementArguments(row.databaseValues))
            }
        }
        #expect(try client.command("api sofia profile svcA recover") == "Recovered 12 session(s)\n")
        try wait { try client.command("api show calls count") == "\n7 total.\n" }
        try wait { try rows(second) == Array(repeating: own, count: 12) }
    }

    @Test("A second switch on the same address is refused by name, an address that is not here is bound")
    func addresses() throws {
        let folder = try ScratchFolder()
        let port = Self.freePort()
        let first = SwitchService(options(folder, ip: "192.0.2.77", port: port), log: Self.log)
        try first.start()
        defer { first.stop() }
        let second = SwitchService(options(folder, ip: "192.0.2.77", port: port), log: Self.log)
        defer { second.stop() }
        #expect {
            try second.start()
        } throws: { error in
            "\(error)" == "profile svcA: cannot bind 192.0.2.77 port \(port): Address already in use"
        }
    }

    @Test("A core.db that is no database is refused")
    func damagedDatabase() throws {
        let folder = try ScratchFolder()
        try Data(repeating: 7, count: 8192).write(to: URL(filePath: folder.path + "/core.db"))
        let service = SwitchService(options(folder), log: Self.log)
        defer { service.stop() }
        #expect(throws: (any Error).self) { try service.start() }
    }

    @Test("A mod_hash remote is asked in the recorded bytes, and what it answers is enforced")
    func hashRemote() throws {
        let folder = try ScratchFolder()
        let (listener, port) = try TestSocket.listen()
        var options = options(folder)
        options.settings.hashRemotes = [
            SwitchSettings.HashRemote(
                name: "fsdns", endpoint: SIPEndpoint(ip: "127.0.0.1", port: port),
                interval: .milliseconds(20))
        ]
        let service = SwitchService(options, log: Self.log)
        let (eventSocket, _) = try service.start()
        defer { service.stop() }
        let remote = try listener.accept()
        let poll = "api hash_dump limit\n\n"
        for (file, skipped) in [("hash_remote_poll.txt", 0), ("hash_remote_real.txt", 3)] {
            for chunk in try Recording.conversations(file).flatMap(\.chunks).dropFirst(skipped) {
                guard chunk.side == .client else {
                    remote.write(chunk.text)
                    continue
                }
                let isLogin = chunk.text.hasPrefix("auth")
                let said = try remote.read { $0.utf8.count >= (isLogin ? chunk.text : poll).utf8.count }
                // Of one poll only the second segment was kept: its empty line.
                #expect(said == (isLogin ? chunk.text : poll) && said.hasSuffix(chunk.text))
            }
        }
        _ = try remote.read { $0 == "api hash_dump limit\n\n" }
        remote.write("Content-Type: api/response\nContent-Length: 25\n\nL/trunk_carrier1/3/0/0/0\n")
        let client = try TestSocket.login(port: eventSocket)
        try wait { try client.command("api limit_usage hash trunk carrier1") == "3" }
        #expect(try client.command("api hash_remote list").contains("fsdns\t\t\tUp\n"))
    }

    @Test("A limit service is asked in the recorded bytes, after the password")
    func limitService() throws {
        let folder = try ScratchFolder()
        let (listener, port) = try TestSocket.listen()
        var options = options(folder)
        options.settings.limits = [
            LimitRule(prefix: "park", backend: .hiredis, realm: "default", id: "carrier1", max: 5)
        ]
        options.settings.limitService = SwitchSettings.LimitService(
            endpoint: SIPEndpoint(ip: "127.0.0.1", port: port), password: "s3cret")
        let service = SwitchService(options, log: Self.log)
        let (eventSocket, _) = try service.start()
        defer { service.stop() }
        let client = try TestSocket.login(port: eventSocket)
        let recorded = try Recording.conversations("hiredis_resp.txt").flatMap(\.chunks)
        let login = try #require(recorded.first { $0.side == .client }).text
        func words(_ start: String) throws -> String {
            try #require(recorded.first { $0.side == .client && $0.text.contains("\r\n\(start)\r\n") }).text
        }
        client.write("api limit_usage hiredis default carrier1\n\n")
        let connections = try (0..<3).map { index in
            // Connections are made when they are first needed, each with the password.
            if index > 0 { client.write("api simulator load parked \(index)\n\n") }
            let connection = try listener.accept()
            let expected = try login + words(index == 0 ? "get" : "incr")
            #expect(try connection.read { $0.utf8.count >= expected.utf8.count } == expected)
            connection.write(index == 0 ? "+OK\r\n$1\r\n3\r\n" : "+OK\r\n:\(index == 1 ? 4 : 6)\r\n")
            _ = try client.read { $0.hasSuffix(index == 0 ? "\n\n3" : "+OK\n") }
            return connection
        }
        // Six are too many for five: the sixth is given back, on the connection whose turn it is.
        let back = try words("decr")
        #expect(try connections[0].read { $0.utf8.count >= back.utf8.count } == back)
        client.write("api simulator load parked 0\n\n")
        _ = try client.read { $0.hasSuffix("+OK\n") }
    }

    @Test("Registrations outlive the process, and are not in the core's own list afterwards")
    func registrations() throws {
        let folder = try ScratchFolder()
        let port = Self.freePort()
        for isFirst in [true, false] {
            let service = SwitchService(options(folder, port: port), log: Self.log)
            let client = try TestSocket.login(port: try service.start().port)
            defer { service.stop() }
            if isFirst {
                for user in ["1001", "1002"] {
                    client.write(
                        "sendevent CUSTOM\nEvent-Subclass: multicast::event\n"
                            + "orig-event-subclass: sofia::register\norig-profile-name: svcA\n"
                            + "orig-from-user: \(user)\norig-from-host: lab.test\n"
                            + "orig-contact: <sip:\(user)@10.0.0.1>\norig-call-id: \(user)\norig-expires: 600\n\n"
                    )
                    _ = try client.read { $0.hasSuffix("\n\n") }
                }
            }
            try wait { try client.command("api sofia_count_reg svcA/1002@lab.test") == "1" }
            #expect(
                try client.command("api sofia_contact svcA/1001@lab.test") == "sofia/svcA/sip:1001@10.0.0.1")
            #expect(try client.command("api show registrations count") == "\n0 total.\n")
        }
    }

    @Test("A shutdown tells the clients and then the process")
    func shutdown() throws {
        let folder = try ScratchFolder()
        let (endings, feed) = AsyncStream<SwitchService.Ending>.makeStream()
        let service = SwitchService(options(folder), log: Self.log) { feed.yield($0) }
        let (port, _) = try service.start()
        let client = try TestSocket.login(port: port)
        client.write("bgapi fsctl shutdown asap\n\n")
        let text = try client.read { $0.hasSuffix("The system is being shut down.\n") }
        #expect(text.contains("Content-Type: text/disconnect-notice"))
        service.stop()
        withExtendedLifetime(endings) {}
    }
}
