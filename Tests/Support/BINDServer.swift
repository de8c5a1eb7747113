import DNSMessages
import Foundation

/// A real `named` on a free loopback port, with one zone and one key, for the length of one test.
package final class BINDServer {
    package struct Failure: Error { var reason: String }

    package static let named = "/usr/sbin/named"

    /// Where BIND must be there (CI), tests run and fail without it; elsewhere they are skipped.
    package static var isExpected: Bool {
        ProcessInfo.processInfo.environment["CI"] == "true" || access(named, X_OK) == 0
    }

    package let directory: String
    package let port: UInt16
    package let key: TSIGKey
    package var keyFile: String { directory + "/key" }
    private let process = Process()

    /// - Parameter rules: of the zone, in BIND's words; by default the key may change everything.
    package init(
        zone: String, algorithm: String = "hmac-sha256", rules: String = "allow-update { key \"fsdns.\"; };"
    ) throws {
        directory = NSTemporaryDirectory() + "fsdns-bind-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let keyText = try runProgram("/usr/sbin/tsig-keygen", ["-a", algorithm, "fsdns."]).output
        key = try KeyFile.parse(keyText, file: "key")
        port = try LoopbackSocket.freePort()
        try keyText.write(toFile: directory + "/key", atomically: true, encoding: .utf8)
        try zone.write(toFile: directory + "/zone", atomically: true, encoding: .utf8)
        let configuration = """
            include "\(directory)/key";
            options {
                directory "\(directory)"; pid-file none; session-keyfile none;
                listen-on port \(port) { 127.0.0.1; }; listen-on-v6 { none; };
                recursion no; dnssec-validation no; notify no; empty-zones-enable no;
            };
            controls { };
            zone "example" { type primary; file "\(directory)/zone"; \(rules) };
            """
        try configuration.write(toFile: directory + "/named.conf", atomically: true, encoding: .utf8)
        let log = Pipe()
        process.executableURL = URL(fileURLWithPath: Self.named)
        process.arguments = ["-g", "-n", "1", "-c", directory + "/named.conf"]
        process.standardError = log
        try process.run()
        var text = ""
        while !text.contains(" running\n") {
            let bytes = log.fileHandleForReading.availableData
            guard !bytes.isEmpty else { throw Failure(reason: "named did not start:\n" + text) }
            text += String(decoding: bytes, as: UTF8.self)
        }
        log.fileHandleForReading.readabilityHandler = { _ = $0.availableData }
    }

    deinit {
        if process.isRunning {
            process.terminate()
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Sends a signed update made of these and returns the verified reply.
    package func send(_ update: DNSUpdate, id: UInt16, over transport: LoopbackSocket.Transport = .udp) throws
        -> DNSMessage
    {
        let message = update.message(id: id)
        let now = UInt64(time(nil))
        let signed = key.sign(try message.wire(), at: now)
        let reply = try LoopbackSocket.exchange(signed.wire, port: port, over: transport)
        let verified = try key.verifyReply(reply, requestMAC: signed.mac, at: now)
        guard verified.isReply(to: message) else { throw Failure(reason: "not a reply to our update") }
        return verified
    }

    /// The whole zone as `dig` transfers it, sorted, without the SOA (whose serial differs by server).
    package func zoneLines() throws -> [String] {
        let output = try runProgram(
            "/usr/bin/dig",
            ["@127.0.0.1", "-p", "\(port)", "example", "AXFR", "+nocomments", "+nocmd", "+nostats"]
        ).output
        let records = try ZoneText.parse(output, origin: .root, file: "axfr")
        return records.filter { $0.type != .soa }.sorted().map(\.description)
    }
}

/// Runs a program to its end and returns what it said; `input` must fit into a pipe.
package func runProgram(
    _ path: String, _ arguments: [String], input: String = ""
) throws -> (status: Int32, output: String, errors: String) {
    let process = Process()
    let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.standardInput = stdin
    process.standardOutput = stdout
    process.standardError = stderr
    try process.run()
    stdin.fileHandleForWriting.write(Data(input.utf8))
    try stdin.fileHandleForWriting.close()
    let output = stdout.fileHandleForReading.readDataToEndOfFile()
    let errors = stderr.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (
        process.terminationStatus, String(decoding: output, as: UTF8.self),
        String(decoding: errors, as: UTF8.self)
    )
}
