import Foundation

/// Bytes of a format as they were recorded: one file for each value, in `Fixtures/v1` of the test target, `v2` for what came
/// with format 2. JSON and text stand there as they are, with an end of line; other bytes as hexadecimal digits, with what they say as ASCII beside them.
///
/// With FSDNS_REWRITE=1 what is written now is recorded instead. Bytes that change are a change of the format: other
/// releases must be able to read it, and docs/formats.md to say so.
package struct Golden {
    package enum Form: String { case json, text = "txt", hex }

    private static let width = 32
    private let folder: URL
    private let form: Form

    /// - Parameters:
    ///   - folder: in `Fixtures/v1` of the target, or of another version.
    ///   - other: whose folder it is; by default that of the target that the calling file belongs to.
    package init(
        _ folder: String, as form: Form, version: Int = 1, of other: String? = nil,
        in file: String = #filePath
    ) {
        var target = URL(fileURLWithPath: file)
        while target.deletingLastPathComponent().lastPathComponent != "Tests", target.path != "/" {
            target.deleteLastPathComponent()
        }
        if let other { target = target.deletingLastPathComponent().appendingPathComponent(other) }
        self.folder = target.appendingPathComponent("Fixtures/v\(version)/\(folder)")
        self.form = form
    }

    /// What is not as it was recorded, a sentence each: other bytes, bytes that are read to another value or not at all, and
    /// files that nothing is written to.
    package func faults<Value: Equatable>(
        _ samples: [(name: String, value: Value)], write: (Value) throws -> [UInt8],
        read: ([UInt8]) throws -> Value
    ) throws -> [String] {
        var faults = try faults(samples.map { ($0.name, try write($0.value)) })
        for (name, value) in samples {
            do {
                if try read(recorded(name)) != value {
                    faults.append("\(name) is read to another value")
                }
            } catch {
                faults.append("\(name) is not read: \(error)")
            }
        }
        return faults
    }

    /// For what is only written.
    package func faults(_ written: [(name: String, bytes: [UInt8])]) throws -> [String] {
        if ProcessInfo.processInfo.environment["FSDNS_REWRITE"] == "1" { try record(written) }
        var faults: [String] = []
        for (name, bytes) in written {
            guard let recorded = try? recorded(name) else {
                faults.append("\(name) was never recorded; FSDNS_REWRITE=1 records it")
                continue
            }
            if let place = Self.difference(bytes, recorded) {
                faults.append(
                    "\(name) is written as other bytes, from \(place) on: \(Self.excerpt(bytes, place))")
            }
        }
        let names = Set(written.map(\.name))
        faults += try self.names().filter { !names.contains($0) }.map { "nothing is written as \($0)" }
        if names.count != written.count { faults.append("two of them have one name") }
        return faults
    }

    package func recorded(_ name: String) throws -> [UInt8] {
        let text = try String(contentsOf: file(name), encoding: .utf8)
        switch form {
        case .json, .text: return Array(text.utf8.dropLast())
        case .hex:
            return text.split(separator: "\n").flatMap { line in
                line.prefix(3 * Self.width).split(separator: " ").compactMap { UInt8($0, radix: 16) }
            }
        }
    }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
            ($0 as NSString).deletingPathExtension
        }
    }

    private func file(_ name: String) -> URL { folder.appendingPathComponent("\(name).\(form.rawValue)") }

    private func record(_ written: [(name: String, bytes: [UInt8])]) throws {
        try? FileManager.default.removeItem(at: folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, bytes) in written {
            let text = form == .hex ? Self.hex(bytes) : String(decoding: bytes, as: UTF8.self) + "\n"
            try text.write(to: file(name), atomically: true, encoding: .utf8)
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        stride(from: 0, to: bytes.count, by: width).map { start in
            let line = bytes[start..<min(start + width, bytes.count)]
            let digits = line.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
            let text = line.map { (0x21...0x7E).contains($0) ? Character(UnicodeScalar($0)) : "." }
            return digits.padding(toLength: 3 * width + 1, withPad: " ", startingAt: 0) + String(text) + "\n"
        }.joined()
    }

    private static func difference(_ one: [UInt8], _ other: [UInt8]) -> Int? {
        if one == other { return nil }
        return zip(one, other).enumerated().first { $1.0 != $1.1 }?.offset ?? min(one.count, other.count)
    }

    private static func excerpt(_ bytes: [UInt8], _ place: Int) -> String {
        String(decoding: bytes[max(0, place - 20)..<min(place + 40, bytes.count)], as: UTF8.self)
    }
}
