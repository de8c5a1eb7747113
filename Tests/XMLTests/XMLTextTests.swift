import Testing
import XML

/// What becomes of well-formed, broken and hostile texts.
@Suite struct XMLTextTests {
    private func parse(_ text: String, namespace: String? = nil, byteLimit: Int = 1 << 20) -> (
        root: Element?, problems: [XMLProblem]
    ) {
        XMLText.parse(Array(text.utf8), file: "a.xml", namespace: namespace, byteLimit: byteLimit)
    }

    @Test("a text becomes a tree with lines, attributes and texts") func tree() throws {
        let (root, problems) = parse(
            "<a x='1'>\n  <b>one &amp; two</b>\n  <c><![CDATA[<three>]]></c>\n  <b/></a>")
        #expect(problems == [])
        let a = try #require(root)
        #expect(a.name == "a")
        #expect(a.value("x") == "1")
        #expect(a.text == "")
        #expect(a.children.map(\.name) == ["b", "c", "b"])
        #expect(a.children.map(\.place.line) == [2, 3, 4])
        #expect(a.children.map(\.text) == ["one & two", "<three>", ""])
        #expect(a.child("c")?.tag == "<c>")
        #expect(a.children(named: "b").count == 2)
    }

    @Test("names outside the namespace that was asked for carry theirs") func namespaces() throws {
        let text = "<a xmlns='urn:a' xmlns:o='urn:o'><o:b o:x='1' y='2'/><c xmlns=''/></a>"
        let root = try #require(parse(text, namespace: "urn:a").root)
        #expect(root.name == "a")
        #expect(root.children.map(\.name) == ["{urn:o}b", "{}c"])
        #expect(root.children[0].attributes.map(\.name) == ["{urn:o}x", "y"])
        #expect(try #require(parse(text).root).name == "{urn:a}a")
    }

    @Test("a declared encoding is obeyed, otherwise it is UTF-8") func encodings() throws {
        let latin = Array("<?xml version='1.0' encoding='ISO-8859-1'?><a>".utf8) + [0xE9] + Array("</a>".utf8)
        #expect(XMLText.parse(latin, file: "a.xml").root?.text == "é")
        #expect(parse("<a>é</a>").root?.text == "é")
        let wrong = XMLText.parse(Array("<a>".utf8) + [0xE9] + Array("</a>".utf8), file: "a.xml")
        #expect(wrong.root == nil)
        #expect(wrong.problems.count == 1)
    }

    @Test("a document type is refused at its line, whatever it defines") func doctype() {
        let (root, problems) = parse("\n<!DOCTYPE a [<!ENTITY x SYSTEM \"/etc/hostname\">]><a>&x;</a>")
        #expect(root == nil)
        #expect(
            problems.map(\.description) == [
                "a.xml:2: a document type is not accepted: it could define entities and read other files"
            ])
    }

    @Test("nesting and size have limits") func limits() {
        #expect(
            parse(String(repeating: "<a>", count: 300) + String(repeating: "</a>", count: 300)).root == nil)
        #expect(parse("<a>1234</a>", byteLimit: 11).root != nil)
        #expect(
            parse("<a>12345</a>", byteLimit: 11).problems.map(\.message) == [
                "the text is larger than 11 bytes"
            ])
        #expect(parse("").problems.map(\.description) == ["a.xml:1: the file is empty"])
    }

    @Test("a schema tells every mistake with its line") func schema() throws {
        let schema = Schema(
            text: """
                <element name="list" ns="urn:a" xmlns="http://relaxng.org/ns/structure/1.0"
                  datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
                  <zeroOrMore>
                    <element name="item">
                      <attribute name="n"><data type="integer"/></attribute>
                      <optional><element name="note"><text/></element></optional>
                    </element>
                  </zeroOrMore>
                </element>
                """, namespace: "urn:a")
        let good = "<list xmlns='urn:a'>\n<item n='1'><note>a\n&lt;b&gt;</note></item>\n<item n='2'/></list>"
        #expect(schema.problems(in: try #require(parse(good, namespace: "urn:a").root)) == [])
        let bad = good.replacing("n='1'", with: "n='x'")
        let problems = schema.problems(in: try #require(parse(bad, namespace: "urn:a").root))
        #expect(problems.contains { $0.place == Place(file: "a.xml", line: 2) })
        let other = try #require(parse("<list/>", namespace: "urn:a").root)
        #expect(schema.problems(in: other).map(\.place.line) == [1])
    }
}
