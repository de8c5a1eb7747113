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
        let database = try DatabaseQueue(path: folder.path + "/core.db")
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
        let from = try DatabaseQueue(path: first.path + "/core.db")
        let to = try DatabaseQueue(path: second.path + "/core.db")
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
        for conversation in try Recording.conversations("hash_remote_poll.txt") {
            for chunk in conversation.chunks {
                guard chunk.side == .client else {
                    remote.write(chunk.text)
                    continue
                }
                let said = try remote.read { $0.utf8.count >= chunk.text.utf8.count }
                #expect(said == chunk.text)
            }
        }
        // The last answer was `-ERR no reply`: nothing is counted any more. Then one more, with figures.
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
        options.settings.limitService = SwitchSettings.LimitService(
            endpoint: SIPEndpoint(ip: "127.0.0.1", port: port), password: "s3cret")
        let service = SwitchService(options, log: Self.log)
        let (eventSocket, _) = try service.start()
        defer { service.stop() }
        let client = try TestSocket.login(port: eventSocket)
        let recorded = try Recording.conversations("hiredis_resp.txt").flatMap(\.chunks)
        let login = try #require(recorded.first { $0.side == .client }).text
        let get = try #require(recorded.first { $0.side == .client && $0.text.contains("\r\nget\r\n") }).text
        client.write("api limit_usage hiredis default carrier1\n\n")
        let connection = try listener.accept()
        #expect(try connection.read { $0.utf8.count >= (login + get).utf8.count } == login + get)
        connection.write("+OK\r\n$1\r\n3\r\n")
        #expect(try client.read { $0.hasSuffix("3") }.hasSuffix("Content-Length: 1\n\n3"))
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
