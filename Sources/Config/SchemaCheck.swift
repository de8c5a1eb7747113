import XML

/// Holds a tree against the RELAX NG schema, the same text that editors and `xmllint` use.
///
/// The reader reports mistakes in better words, so the schema has the last word, not the first: it makes
/// sure that nothing is accepted here which the published schema refuses.
enum SchemaCheck {
    private static let schema = Schema(text: ClusterSchema.text, namespace: Element.namespace)

    /// What the schema refuses in the tree, at the places the elements were written at.
    static func problems(in root: Element) -> [ConfigFailure.Problem] {
        schema.problems(in: root).map {
            ConfigFailure.Problem(
                file: $0.place.file, line: $0.place.line, message: "schema: \($0.message)")
        }
    }
}

extension Element {
    static let namespace = "urn:fsdns:cluster:1"
    static let inclusionNamespace = "http://www.w3.org/2001/XInclude"
}
