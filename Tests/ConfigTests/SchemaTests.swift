@preconcurrency import Glibc
import Testing

@testable import Config

/// The folder of the repository, found from this file.
let repository = #filePath.split(separator: "/").dropLast(3).reduce(into: "") { $0 += "/" + $1 }

func textOfFile(_ path: String) throws -> String {
    String(decoding: try LocalFile.read(path, limit: 1 << 20), as: UTF8.self)
}

@Suite struct SchemaTests {
    private static let copy = repository + "/Sources/Config/ClusterSchema.swift"

    /// The copy inside the program, as it follows from the schema.
    private static func source(of schema: String) -> String {
        let lines = schema.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        let body = lines.map { $0.isEmpty ? "\n" : "        \($0)\n" }.joined()
        return """
            /// The schema of the cluster file, RELAX NG: a copy of `config/cluster.rng`, the one to edit.
            ///
            /// `FSDNS_WRITE_SCHEMA=1 swift test --filter SchemaTests` writes this file anew.
            enum ClusterSchema {
                static let text = #\"""

            """ + body + "        \"\"\"#\n}\n"
    }

    @Test("the schema inside the program is the published one") func copyIsTrue() throws {
        let schema = try textOfFile(repository + "/config/cluster.rng")
        if getenv("FSDNS_WRITE_SCHEMA") != nil {
            let file = try #require(fopen(Self.copy, "w"))
            fputs(Self.source(of: schema), file)
            fclose(file)
        }
        #expect(try textOfFile(Self.copy) == Self.source(of: schema))
        if getenv("FSDNS_WRITE_SCHEMA") == nil { #expect(ClusterSchema.text + "\n" == schema) }
    }
}
