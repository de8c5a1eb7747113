import Cluster
import Foundation
import Lab

/// A listener at a switch's event socket: what happened there, and when it was heard.
final class SwitchWatch: @unchecked Sendable {
    /// One event; its fields as they came, URL-encoded.
    struct Heard {
        var at: BootTime
        var fields: [String: String]

        /// By the switch's own clock.
        var date: BootTime? {
            fields["Event-Date-Timestamp"].flatMap { Int64($0) }.map { BootTime(wallNanoseconds: $0 * 1000) }
        }
    }

    private let connection: Connection
    private let lock = NSLock()
    private var events: [Heard] = []

    /// - Parameter names: as of the command `event plain`.
    init(of machine: Machine, names: String, password: String) throws {
        // Nothing may happen for minutes.
        connection = try Connection(to: SwitchProcess.port, on: machine, seconds: 3600)
        _ = try frame()
        for command in ["auth \(password)", "event plain \(names)"] {
            try connection.send(command + "\n\n")
            let (head, _) = try frame()
            guard head["Reply-Text"]?.hasPrefix("+OK") == true else {
                throw LabFailure("\(command): \(head)")
            }
        }
        Thread { [weak self] in
            while let self, self.readOne() {}
        }.start()
    }

    private func readOne() -> Bool {
        guard let (head, body) = try? frame() else { return false }
        guard head["Content-Type"] == "text/event-plain" else { return true }
        let heard = Heard(at: .now, fields: Self.fields(body))
        lock.withLock { events.append(heard) }
        return true
    }

    /// Everything heard after the instant.
    func heard(after moment: BootTime) -> [Heard] { lock.withLock { events.filter { $0.at > moment } } }

    private func frame() throws -> ([String: String], String) {
        var text = ""
        while true {
            let line = try connection.line()
            if line.isEmpty {
                if text.isEmpty { continue }
                break
            }
            text += line + "\n"
        }
        let head = Self.fields(text)
        let count = head["Content-Length"].flatMap { Int($0) } ?? 0
        return (head, count > 0 ? String(decoding: try connection.bytes(count), as: UTF8.self) : "")
    }

    private static func fields(_ text: String) -> [String: String] {
        var fields: [String: String] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[String(line[..<colon])] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        return fields
    }
}
