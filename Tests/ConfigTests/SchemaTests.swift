import Cluster
@preconcurrency import Glibc
import Testing

@testable import Config

/// The folder of the repository, found from this file.
let repository = #filePath.split(separator: "/").dropLast(3).reduce(into: "") { $0 += "/" + $1 }

func textOfFile(_ path: String) throws -> String {
    String(decoding: try LocalFile.read(path, limit: 1 << 20), as: UTF8.self)
}

/// One schema: the published file and its copy inside the program.
struct SchemaCopy: CustomTestStringConvertible {
    var published: String
    var name: String
    var of: String
    var text: String

    var testDescription: String { published }
    var copy: String { repository + "/Sources/Config/" + name + ".swift" }
    var type: String { String(name.split(separator: "/").last ?? "") }

    /// The copy inside the program, as it follows from the schema.
    func source(of schema: String) -> String {
        let lines = schema.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        let body = lines.map { $0.isEmpty ? "\n" : "        \($0)\n" }.joined()
        return """
            /// The schema of \(of), RELAX NG: a copy of `\(published)`, the one to edit.
            ///
            /// `FSDNS_WRITE_SCHEMA=1 swift test --filter SchemaTests` writes this file anew.
            enum \(type) {
                static let text = #\"""

            """ + body + "        \"\"\"#\n}\n"
    }
}

@Suite struct SchemaTests {
    static let copies = [
        SchemaCopy(
            published: "config/cluster.rng", name: "ClusterSchema", of: "the cluster file",
            text: ClusterSchema.text),
        SchemaCopy(
            published: "config/playbook.rng", name: "Playbook/PlaybookSchema", of: "playbooks",
            text: PlaybookSchema.text),
    ]

    @Test("the schema inside the program is the published one", arguments: copies)
    func copyIsTrue(_ copy: SchemaCopy) throws {
        let schema = try textOfFile(repository + "/" + copy.published)
        if getenv("FSDNS_WRITE_SCHEMA") != nil {
            let file = try #require(fopen(copy.copy, "w"))
            fputs(copy.source(of: schema), file)
            fclose(file)
        }
        #expect(try textOfFile(copy.copy) == copy.source(of: schema))
        if getenv("FSDNS_WRITE_SCHEMA") == nil { #expect(copy.text + "\n" == schema) }
    }
}
