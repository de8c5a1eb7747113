import Foundation
import GRDB
import Testing

enum Sipp {
    static let path = "/usr/bin/sipp"

    /// Where it must be there (CI), tests run and fail without it; elsewhere they are skipped.
    static var isExpected: Bool {
        ProcessInfo.processInfo.environment["CI"] == "true" || access(path, X_OK) == 0
    }
}

/// A `fsdns-switch` process with sipp as phones and carrier, on loopback addresses of their own.
@Suite(
    .serialized, .timeLimit(.minutes(3)),
    .enabled(if: Sipp.isExpected, "needs sipp: script/bootstrap --test")
)
struct SippTests {
    private final class Running {
        let process = Process()
        let output = Pipe()

        init(_ path: String, _ arguments: [String], folder: ScratchFolder, isQuiet: Bool) throws {
            process.executableURL = URL(filePath: path)
            process.arguments = arguments
            process.currentDirectoryURL = URL(filePath: folder.path)
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = isQuiet ? FileHandle.nullDevice : output
            process.standardError = FileHandle.nullDevice
            try process.run()
        }

        deinit {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        }

        func end(_ signal: Int32) {
            kill(process.processIdentifier, signal)
            process.waitUntilExit()
        }
    }

    /// The built executable stands beside the test bundle.
    private static func program() throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: own).deletingLastPathComponent().appending(path: "fsdns-switch").path
    }

    private func startSwitch(
        _ folder: ScratchFolder, ip: String, name: String, carrier: String? = nil
    ) throws -> (running: Running, eventSocket: TestSocket) {
        var arguments = [
            "--profile", "name=svcA,ip=\(ip)", "--event-socket", "127.0.0.1:0", "--db-dir", folder.path,
            "--switchname", name, "--sql-lag", "10",
        ]
        if let carrier { arguments += ["--carrier", carrier] }
        let running = try Running(try Self.program(), arguments, folder: folder, isQuiet: false)
        let words = String(decoding: running.output.fileHandleForReading.availableData, as: UTF8.self)
            .split(whereSeparator: \.isWhitespace)
        try #require(words.first == "ready")
        let port = try #require(UInt16(words[1]))
        return (running, try TestSocket.login(port: port))
    }

    private func sipp(_ arguments: [String], folder: ScratchFolder) throws -> Running {
        try Running(
            Sipp.path, arguments + ["-nostdin", "-timeout", "40s", "-timeout_error"], folder: folder,
            isQuiet: true)
    }

    private func scenario(_ name: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scenarios/\(name).xml").path
    }

    private func wait(_ isSo: () throws -> Bool) throws {
        for _ in 0..<750 {
            if try isSo() { return }
            usleep(20_000)
        }
        Issue.record("it does not come to be so")
    }

    private func rows(_ folder: ScratchFolder) throws -> [Row] {
        let database = try folder.database()
        return try database.read { try Row.fetchAll($0, sql: "SELECT * FROM recovery") }
    }

    @Test("Fifty calls go through to a carrier, without a failure and without a trace")
    func calls() throws {
        let folder = try ScratchFolder()
        let (running, client) = try startSwitch(
            folder, ip: "127.81.0.1", name: "fsA", carrier: "127.81.0.100:5070")
        let carrier = try sipp(["-sn", "uas", "-i", "127.81.0.100", "-p", "5070"], folder: folder)
        let caller = try sipp(
            [
                "-sn", "uac", "-s", "4711", "-i", "127.81.0.100", "-p", "5080", "-m", "50", "-r", "50", "-d",
                "500", "127.81.0.1:5060",
            ], folder: folder)
        caller.process.waitUntilExit()
        #expect(caller.process.terminationStatus == 0)
        try wait { try client.command("api show channels count") == "\n0 total.\n" }
        let status = try client.command("api sofia status profile svcA")
        #expect(status.contains("CALLS-IN         \t50\nFAILED-CALLS-IN  \t0\nCALLS-OUT        \t50\n"))
        try wait { try rows(folder).isEmpty }
        carrier.end(SIGKILL)
        running.end(SIGTERM)
        #expect(running.process.terminationStatus == 0)
    }

    @Test("Ten bridged calls survive the switch: phones are asked again by the next one, and hang up there")
    func takeover() throws {
        let (first, second) = (try ScratchFolder(), try ScratchFolder())
        let place = "127.82.0.1"
        let master = try startSwitch(first, ip: place, name: "fsA", carrier: "127.82.0.100:5070")
        let called = try sipp(
            ["-sf", scenario("called"), "-i", "127.82.0.100", "-p", "5070", "-m", "10"], folder: first)
        let caller = try sipp(
            [
                "-sf", scenario("caller"), "-s", "uas", "-i", "127.82.0.100", "-p", "5080", "-m", "10", "-r",
                "50", "\(place):5060",
            ], folder: first)
        try wait { try master.eventSocket.command("api show calls count") == "\n10 total.\n" }
        try wait { try rows(first).filter { "\($0["metadata"] ?? "")".contains("bridge_to") }.count == 20 }
        master.running.end(SIGKILL)

        let slave = try startSwitch(second, ip: place, name: "fsB", carrier: "127.82.0.100:5070")
        let database = try second.database()
        let found = try rows(first)
        try database.write { connection in
            for row in found {
                try connection.execute(
                    sql: "INSERT INTO recovery VALUES (?, ?, ?, ?, ?, ?)",
                    arguments: StatementArguments(row.databaseValues))
            }
        }
        #expect(
            try slave.eventSocket.command("api sofia profile svcA recover") == "Recovered 20 session(s)\n")
        caller.process.waitUntilExit()
        called.process.waitUntilExit()
        #expect(caller.process.terminationStatus == 0)
        #expect(called.process.terminationStatus == 0)
        try wait { try slave.eventSocket.command("api show channels count") == "\n0 total.\n" }
        try wait { try rows(second).isEmpty }
    }

    @Test("A hundred phones register, over IPv4 and IPv6", arguments: ["127.83.0.1", "::1"])
    func registrations(ip: String) throws {
        let folder = try ScratchFolder()
        let port = ip == "::1" ? "5163" : "5060"
        let (running, client) = try startSwitch(folder, ip: "\(ip),port=\(port)", name: "fsA")
        let place = ip == "::1" ? "[::1]:\(port)" : "\(ip):\(port)"
        let phones = try sipp(
            [
                "-sf", scenario("register"), "-i", ip == "::1" ? "::1" : "127.83.0.100", "-p", "5091", "-m",
                "100", "-r", "200", place,
            ], folder: folder)
        phones.process.waitUntilExit()
        #expect(phones.process.terminationStatus == 0)
        #expect(try client.command("api sofia status profile svcA").contains("REGISTRATIONS    \t100\n"))
        #expect(try client.command("api show registrations count") == "\n100 total.\n")
        running.end(SIGTERM)
    }

    @Test("The command line says what is wrong with it")
    func usage() throws {
        let folder = try ScratchFolder()
        for arguments in [
            ["--db-dir", folder.path], ["--profile", "name=a", "--db-dir", folder.path],
            ["--profile", "name=a,ip=host", "--db-dir", folder.path],
            ["--profile", "name=a,ip=127.84.0.1", "--db-dir", folder.path + "/nothing"],
            ["--profile", "name=a,ip=127.84.0.1", "--db-dir", folder.path, "--sweep", "0"],
        ] {
            let running = try Running(try Self.program(), arguments, folder: folder, isQuiet: true)
            running.process.waitUntilExit()
            #expect(running.process.terminationStatus != 0, "\(arguments)")
        }
    }
}
