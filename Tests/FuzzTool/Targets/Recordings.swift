import EventSocket
@preconcurrency import Glibc

/// What was recorded of real programs, and files that stand in this repository: seeds of the corpus. Read only when seeds
/// are written, from the folder of the package.
enum Recordings {
    static func file(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else {
            fatalError("\(path) cannot be read; start in the package's folder")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    static func socket(_ name: String) -> [UInt8] { file("Tests/EventSocketTests/Fixtures/\(name)") }

    static func answers(_ name: String) -> [UInt8] { file("Tests/SwitchTests/Fixtures/\(name)") }

    static let streams = [
        "events_call_bridge_json.raw", "events_call_bridge_plain.raw", "events_heartbeat_plain.raw",
        "events_limit_usage_plain.raw", "events_recover_plain.raw", "events_registration_json.raw",
        "events_registration_plain.raw",
    ]

    private static let transcripts = [
        "esl_alias_complete.txt", "esl_drain_shutdown.txt", "esl_recover.txt", "esl_session_misc.txt",
        "fscli_real.txt", "hash_remote_real.txt", "esl_inject_registration.txt",
    ]

    /// Every frame of the recorded streams of events, one by one: whole streams are too long for a fuzzer.
    static func frames(of names: [String] = streams) -> [[UInt8]] {
        names.flatMap { name -> [[UInt8]] in
            var decoder = FrameDecoder()
            decoder.append(socket(name))
            var found: [[UInt8]] = []
            while let frame = (try? decoder.next()) ?? nil { found.append(frame.encoded()) }
            return found
        }
    }

    static func events() -> [SwitchEvent] {
        frames().compactMap { bytes in
            var decoder = FrameDecoder()
            decoder.append(bytes)
            guard let frame = (try? decoder.next()) ?? nil,
                case .event(let event)? = try? ServerMessage(frame)
            else { return nil }
            return event
        }
    }

    /// What one side said in the recorded conversations, whose parts stand behind `[CLIENT->SERVER 14 bytes]`.
    static func conversations(_ direction: String) -> [[UInt8]] {
        transcripts.map { name in
            let parts = String(decoding: socket(name), as: UTF8.self).split(separator: "[")
            return parts.flatMap { part -> [UInt8] in
                guard part.hasPrefix(direction), let end = part.firstIndex(of: "\n"),
                    let count = Int(part.dropFirst(direction.count + 1).prefix { $0.isNumber })
                else { return [] }
                return Array(part[part.index(after: end)...].utf8.prefix(count))
            }
        }.filter { !$0.isEmpty }
    }

    static let client = "CLIENT->SERVER"
    static let server = "SERVER->CLIENT"

    /// Answers to commands, from a text where each stands behind `### api COMMAND`.
    static func answers(_ name: String, to command: String) -> [[UInt8]] {
        String(decoding: answers(name), as: UTF8.self).split(separator: "### api ").compactMap { part in
            guard part.hasPrefix(command), let end = part.firstIndex(of: "\n") else { return nil }
            return Array(part[part.index(after: end)...].utf8)
        }
    }
}
