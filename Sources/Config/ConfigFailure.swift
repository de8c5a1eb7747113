import XML

/// Everything that is wrong with a configuration file, all of it at once.
package struct ConfigFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// One finding and the place in the file it is about.
    package struct Problem: Hashable, Comparable, Sendable, CustomStringConvertible {
        package var file: String
        /// 1 is the first line; a start tag written over several lines counts as its last one.
        package var line: Int
        package var message: String

        package init(file: String, line: Int, message: String) {
            self.file = file
            self.line = line
            self.message = message
        }

        package var description: String { "\(file):\(line): \(message)" }

        package static func < (a: Problem, b: Problem) -> Bool {
            (a.file, a.line, a.message) < (b.file, b.line, b.message)
        }
    }

    /// Sorted by file, line and message; never empty.
    package var problems: [Problem]

    package init(problems: [Problem]) {
        self.problems = problems.sorted()
    }

    /// One `file:line: message` a line.
    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}

/// A value together with the place it was written at, for rules that look at several of them.
struct Placed<Value> {
    var value: Value
    var place: Place
}

/// Collects what is wrong, so that one run shows an operator everything there is to mend.
struct Findings {
    /// More than anybody reads; a file of nothing but mistakes must not fill the memory.
    static let limit = 200

    private(set) var errors: [ConfigFailure.Problem] = []
    private(set) var warnings: [ConfigFailure.Problem] = []
    /// Where other files are named: of each path the first place.
    private(set) var files: [String: Place] = [:]
    /// What was read, each file once, with the place that includes it.
    private(set) var sources: [String: Place] = [:]

    mutating func error(_ message: String, at place: Place) {
        if errors.count > Self.limit { return }
        let full = errors.count == Self.limit
        let text = full ? "more than \(Self.limit) problems; the rest is not shown" : message
        append(.init(file: place.file, line: place.line, message: text), to: &errors)
    }

    mutating func warn(_ message: String, at place: Place) {
        if warnings.count >= Self.limit { return }
        append(.init(file: place.file, line: place.line, message: message), to: &warnings)
    }

    mutating func name(file path: String, at place: Place) {
        if files.count < Self.limit, files[path] == nil { files[path] = place }
    }

    mutating func read(file path: String, at place: Place) {
        if sources[path] == nil { sources[path] = place }
    }

    private func append(_ problem: ConfigFailure.Problem, to list: inout [ConfigFailure.Problem]) {
        if !list.contains(problem) { list.append(problem) }
    }
}

/// What a user wrote, as it is shown in a message: quoted, on one line, and not endless.
func quoted(_ text: String) -> String {
    text.count > 60 ? String(reflecting: text.prefix(60) + "…") : String(reflecting: text)
}
