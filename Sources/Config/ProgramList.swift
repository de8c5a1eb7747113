/// What playbooks may run on this machine: a file of root's, so that neither the cluster key nor the service's own user
/// is enough to run anything else.
///
/// One absolute path a line; below it lines `environment NAME…` with the variables that playbooks may set for it, as by some
/// (LD_PRELOAD, BASH_ENV) any program becomes another. Empty lines and those that begin with `#` say nothing.
package struct ProgramList: Hashable, Sendable {
    /// Why a program is not run, as a sentence.
    package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    private static let sizeLimit = 64 << 10
    /// Nil where the cluster file names none.
    private let path: String?
    /// Whose the file must be: root's.
    private let owner: UInt32

    package init(path: String?, owner: UInt32 = 0) {
        self.path = path
        self.owner = owner
    }

    /// Looks into the file as it is now.
    ///
    /// - Parameter variables: of the environment, which the playbook sets.
    package func check(_ program: String, variables: [String] = []) throws(Refusal) {
        guard let path else {
            throw Refusal(
                description:
                    "playbooks run no programs here: the cluster file has no <playbooks programs=\"…\"/>")
        }
        guard let allowed = try programs(in: path)[program] else {
            throw Refusal(description: "\(program) is not among the programs in \(path)")
        }
        if let other = variables.first(where: { !allowed.contains($0) }) {
            throw Refusal(
                description:
                    "\(path) does not let playbooks set \(other) for \(program): that needs a line \"environment \(other)\" below it"
            )
        }
    }

    /// Why it is not believed; nil where it is, or there is none.
    package var fault: Refusal? {
        guard let path else { return nil }
        do throws(Refusal) {
            _ = try programs(in: path)
            return nil
        } catch {
            return error
        }
    }

    /// Each program with the variables that may be set for it.
    private func programs(in path: String) throws(Refusal) -> [String: Set<String>] {
        do throws(LocalFile.Refusal) {
            let folder = LocalFile.directory(of: path)
            try refuseForeign(try LocalFile.facts(ofDirectory: folder), "its folder \(folder)")
            let bytes = try LocalFile.read(path, limit: Self.sizeLimit, followsLinks: false) {
                facts throws(LocalFile.Refusal) in
                try refuseForeign(facts, "it")
            }
            let lines = String(decoding: bytes, as: UTF8.self).split(
                omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            return try Self.read(lines)
        } catch {
            throw Refusal(description: "the list of programs \(path) \(error.reason)")
        }
    }

    private static func read(_ lines: [Substring]) throws(LocalFile.Refusal) -> [String: Set<String>] {
        var programs: [String: Set<String>] = [:]
        var program: String?
        for (number, line) in lines.enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            if line.hasPrefix("/") {
                program = String(line)
                if programs[String(line)] == nil { programs[String(line)] = [] }
            } else if first == "environment", let program {
                programs[program]?.formUnion(words.dropFirst().map(String.init))
            } else {
                // Whoever wrote it meant something; what the others say stays in doubt.
                throw LocalFile.Refusal(
                    reason:
                        "is not believed: line \(number + 1) is neither an absolute path from its first letter on, nor "
                        + "\"environment NAME…\" below one, nor a comment")
            }
        }
        return programs
    }

    /// Who may write the list, or replace it, says what runs.
    private func refuseForeign(_ facts: LocalFile.Facts, _ what: String) throws(LocalFile.Refusal) {
        if facts.owner != owner {
            throw LocalFile.Refusal(reason: "is not believed: \(what) is not root's (uid \(facts.owner))")
        }
        if facts.mode & 0o022 != 0 {
            let mode = String(facts.mode & 0o7777, radix: 8)
            throw LocalFile.Refusal(reason: "is not believed: others may write \(what) (mode \(mode))")
        }
    }
}
