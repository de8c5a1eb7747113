/// What playbooks may run on this machine: a file of root's, so that neither the cluster key nor the service's own user
/// is enough to run anything else.
///
/// One absolute path a line; empty lines and those that begin with `#` say nothing.
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
    package func check(_ program: String) throws(Refusal) {
        guard let path else {
            throw Refusal(
                description:
                    "playbooks run no programs here: the cluster file has no <playbooks programs=\"…\"/>")
        }
        guard try programs(in: path).contains(program) else {
            throw Refusal(description: "\(program) is not among the programs in \(path)")
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

    private func programs(in path: String) throws(Refusal) -> [String] {
        do throws(LocalFile.Refusal) {
            let folder = LocalFile.directory(of: path)
            try refuseForeign(try LocalFile.facts(ofDirectory: folder), "its folder \(folder)")
            let bytes = try LocalFile.read(path, limit: Self.sizeLimit, followsLinks: false) {
                facts throws(LocalFile.Refusal) in
                try refuseForeign(facts, "it")
            }
            let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
            return lines.map(String.init).filter { $0.hasPrefix("/") }
        } catch {
            throw Refusal(description: "the list of programs \(path) \(error.reason)")
        }
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
