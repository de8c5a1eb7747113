import Testing

@testable import Config

@Suite struct InclusionTests {
    private let scratch = Scratch()

    /// The good file with its nodes, lines 7 to 13, replaced by `instead`.
    private func outer(_ instead: String) throws -> String {
        let start = try #require(goodFile.firstRange(of: "<nodes"))
        let end = try #require(goodFile.firstRange(of: "</nodes>"))
        var text = goodFile
        text.replaceSubrange(start.lowerBound..<end.upperBound, with: instead)
        return text.replacing("<cluster ", with: "<cluster xmlns:xi=\"http://www.w3.org/2001/XInclude\" ")
    }

    private func told(_ text: String) -> [String] {
        do throws(ConfigFailure) {
            _ = try ClusterFile.load(path: scratch.write("c.xml", text))
            return []
        } catch {
            let text = error.description.replacing(scratch.path + "/", with: "")
            return text.split(separator: "\n").map(String.init)
        }
    }

    private static let include = "<xi:include href=\"nodes.xml\"/>"
    private static let nodes = """
        <nodes xmlns="urn:fsdns:cluster:1" expect="5">
          <node name="fs1"/> <node name="fs2"/> <node name="fs3"/>
          <node name="fs4"/> <witness name="dns1"/>
        </nodes>
        """

    @Test("an included file means what it would mean in its place") func included() throws {
        scratch.write("nodes.xml", Self.nodes)
        let path = scratch.write("c.xml", try outer(Self.include))
        let file = try ClusterFile.load(path: path)
        let whole = try ClusterFile.load(text: Array(goodFile.utf8), path: path)
        #expect(file == whole)
    }

    @Test("a mistake in an included file carries that file's name and line") func mistakes() throws {
        scratch.write("nodes.xml", Self.nodes.replacing("<node name=\"fs4\"/>", with: "<node name=\"fs3\"/>"))
        #expect(
            told(try outer(Self.include).replacing("lease=\"150ms\"", with: "lease=\"1\"")) == [
                "c.xml:3: <heartbeat> lease=\"1\" has no unit; the units are us, ms, s, m, h, d",
                "nodes.xml:3: node \"fs3\" is there already, in line 2",
            ])
        scratch.write("nodes.xml", Self.nodes.replacing("</nodes>", with: ""))
        #expect(told(try outer(Self.include)).contains { $0.hasPrefix("nodes.xml:4: ") })
        scratch.write("nodes.xml", "<!DOCTYPE nodes>" + Self.nodes)
        #expect(told(try outer(Self.include)).contains { $0.hasPrefix("nodes.xml:1: a document type") })
    }

    @Test("paths in an included file are seen from that file") func paths() throws {
        let other = Scratch()
        let key = other.write("key.xml", "<key xmlns=\"urn:fsdns:cluster:1\" file=\"k\"/>")
        let text = goodFile.replacing(
            "<key file=\"cluster.key\"/>",
            with: "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"\(key)\"/>")
        let file = try ClusterFile.load(path: scratch.write("c.xml", text))
        #expect(file.keyFile == other.path + "/k")
        #expect(file.settings.dns?.servers.first?.secretFile == scratch.path + "/fsdns.secret")
    }

    @Test(
        "only whole files of this machine are included",
        arguments: [
            "http://192.0.2.1/nodes.xml", "ftp://192.0.2.1/n", "file:///etc/passwd", "//192.0.2.1/n",
            "nodes.xml#x", "",
        ])
    func foreign(href: String) throws {
        scratch.write("nodes.xml", Self.nodes)
        #expect(
            told(try outer("<xi:include href=\"\(href)\"/>")).contains(
                "c.xml:7: only a whole file of this machine can be included, not \"\(href)\""))
    }

    @Test(
        "an include that does more than name a file is refused",
        arguments: [
            "<xi:include href=\"nodes.xml\" parse=\"text\"/>", "<xi:include/>",
            "<xi:include href=\"nodes.xml\" xpointer=\"xpointer(/*)\"/>",
            "<xi:include href=\"nodes.xml\"><xi:fallback/></xi:include>",
        ])
    func clever(include: String) throws {
        scratch.write("nodes.xml", Self.nodes)
        #expect(
            told(try outer(include)).contains(
                "c.xml:7: an include names one file, href=\"file.xml\", and nothing else"))
    }

    @Test("includes in a circle, too many, or too large come to an end") func bounded() throws {
        #expect(
            told(try outer("<xi:include href=\"c.xml\"/>")).contains(
                "c.xml:7: includes are nested deeper than 8, or in a circle"))
        scratch.write("nodes.xml", Self.nodes)
        let many = String(repeating: Self.include, count: 40)
        #expect(told(try outer(many)).contains("c.xml:7: more than 32 files make up this configuration"))
        scratch.write("nodes.xml", Self.nodes + String(repeating: "\n", count: 600_000))
        #expect(
            told(try outer(Self.include + Self.include)).contains(
                "c.xml:7: the included file \"nodes.xml\" makes the configuration larger than 1048576 bytes"))
        #expect(
            told(try outer("<xi:include href=\"none.xml\"/>")).contains(
                "c.xml:7: the included file \"none.xml\" cannot be read: No such file or directory"))
        #expect(
            told(try outer("<xi:include href=\"/dev/zero\"/>")).contains(
                "c.xml:7: the included file \"/dev/zero\" is not a regular file"))
    }
}
