import EventSocket
import Foundation
import Switch
import Testing

/// Recordings of a real switch.
enum Recordings {
    static func bytes(_ name: String) throws -> [UInt8] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        return Array(try Data(contentsOf: folder.appendingPathComponent("Fixtures/\(name)")))
    }

    static func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

    /// The events of a recorded stream, in order.
    static func events(_ name: String) throws -> [SwitchEvent] {
        var decoder = FrameDecoder()
        decoder.append(try bytes(name))
        var events: [SwitchEvent] = []
        while let frame = try decoder.next() {
            if case .event(let event) = try ServerMessage(frame) { events.append(event) }
        }
        try #require(!events.isEmpty)
        return events
    }

    static func rows(_ name: String) throws -> [RecoveryRow] {
        try JSONDecoder().decode([[String]].self, from: Data(bytes(name))).map {
            RecoveryRow(
                runtimeUUID: $0[0], technology: $0[1], profileName: $0[2], hostname: $0[3], uuid: $0[4],
                metadata: $0[5])
        }
    }

    /// The answers to commands, from a text where each stands behind `### api COMMAND`.
    static func answers(_ name: String) throws -> [(command: String, answer: [UInt8])] {
        try text(name).components(separatedBy: "### api ").dropFirst().map { part in
            let end = try #require(part.firstIndex(of: "\n"))
            return (String(part[..<end]), Array(part[part.index(after: end)...].utf8))
        }
    }

    static func dumps() throws -> [SwitchEvent] {
        try dumpAnswers().map { try #require(try ChannelDump.read($0)) }
    }

    /// The recorded dumps in the form `uuid_dump UUID json` has; they were recorded in the other.
    static func dumpAnswers() throws -> [[UInt8]] {
        try answers("api_uuid_dump.txt").map { answer in
            let text = String(decoding: answer.answer, as: UTF8.self).trimmingCharacters(in: .newlines)
            let event = try EventCodec.decode(Array("\(text)\n\n".utf8), as: .plain)
            return EventCodec.encode(event, as: .json)
        }
    }

    /// What clients said in a recorded conversation, chunk by chunk.
    static func said(_ name: String) throws -> [String] {
        try text(name).components(separatedBy: "[CLIENT->SERVER ").dropFirst().map { part in
            let count = try #require(Int(part.prefix { $0.isNumber }))
            let start = try #require(part.firstIndex(of: "\n"))
            return String(
                decoding: Array(part[part.index(after: start)...].utf8).prefix(count), as: UTF8.self)
        }
    }

    static let bridged = "cbc0db67-98e0-428b-b2f8-785ae6308b4e"
    static let callee = "5e312ea3-b78b-458b-a2dc-c23d167d10a2"
    static let parked = "bb3d30ea-8e64-4022-b95a-b273b5bb0d41"
    static let runtime = "0bf2d8e5-3ea5-4efe-aa34-009b6dcac060"
}
