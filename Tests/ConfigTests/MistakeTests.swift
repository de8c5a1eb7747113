import Testing

@testable import Config

@Suite struct MistakeTests {
    @Test("a good file has no problems and no warnings") func goodFileIsGood() throws {
        #expect(problems(of: goodFile) == [])
        #expect(try warnings(of: goodFile) == [])
    }

    @Test(
        "a mistake is told with its line, and nothing else is",
        arguments: structureMistakes + networkMistakes + ruleMistakes)
    func told(_ mistake: Mistake) {
        #expect(goodFile.contains(mistake.written), "the mistake must be made somewhere")
        #expect(problems(of: mistake.text) == mistake.told)
    }

    @Test("the published schema refuses what it can", arguments: structureMistakes)
    func refused(_ mistake: Mistake) throws {
        let tree = ElementTree.load(text: Array(mistake.text.utf8), path: "cluster.xml")
        let root = try #require(tree.root)
        // Text is gone from the tree: no element may have any, so it is told while reading.
        if tree.findings.errors.isEmpty { #expect(SchemaCheck.problems(in: root) != []) }
    }

    /// libxml2 blames the parent for a child among children of any order.
    @Test("a complaint of the schema carries the line of the section it is about") func schemaLines() throws {
        let text = goodFile.replacing("port=\"5060\"", with: "port=\"sip\"")
        let root = try #require(ElementTree.load(text: Array(text.utf8), path: "c.xml").root)
        #expect(SchemaCheck.problems(in: root).map(\.line) == [24])
    }

    @Test("all mistakes of a file are told at once, in the order of its lines") func manyAtOnce() {
        let text =
            goodFile
            .replacing("name=\"pbx\"", with: "")
            .replacing("lease=\"150ms\"", with: "lease=\"150\"")
            .replacing("port=\"5405\"", with: "port=\"0\"")
            .replacing("<node name=\"fs3\"/>", with: "<node nam=\"fs3\"/>")
            .replacing("10.77.0.19/24", with: "10.77.0.11/24")
            .replacing("prefer=\"fs1\"", with: "prefer=\"fs7\"")
            .replacing("<seat-names/>", with: "<fencing/>")
            .replacing("127.0.0.1:8021", with: "localhost:8021")
        #expect(
            problems(of: text) == [
                "1: <cluster> needs the attribute \"name\"",
                "3: <heartbeat> lease=\"150\" has no unit; the units are us, ms, s, m, h, d",
                "4: <network> port=\"0\" must be a whole number between 1 and 65534",
                "7: expect=5, but only 4 nodes are listed; a cluster could never form",
                "10: <node> needs the attribute \"name\"",
                "10: unknown attribute \"nam\" on <node>; it may carry: name, address",
                "17: the address 10.77.0.11 is there already, in line 15",
                "20: seat \"master1\" prefers the unknown node \"fs7\"; the nodes are fs1, fs2, fs4",
                "27: unknown element <fencing> in <dns>; it may hold: server, service, seat-names, srv",
                "30: <freeswitch> socket=\"localhost:8021\" is no address with a port, like 127.0.0.1:53 "
                    + "or [::1]:53",
            ])
    }

    @Test("a file of nothing but mistakes is told in bounded words") func boundedWords() {
        let flood = String(repeating: "<x/>\n", count: 5000)
        let told = problems(of: goodFile.replacing("<seat-names/>", with: flood))
        #expect(told.count == 201)
        #expect(told.contains { $0.hasSuffix("more than 200 problems; the rest is not shown") })
    }

    @Test("there may be 64 nodes and 256 addresses, and no more") func limits() {
        let nodes = { (count: Int) in (5..<count).map { "<node name=\"n\($0)\"/>" }.joined() }
        let addresses = { (count: Int) in
            (3..<count).map { "<address name=\"a\($0)\" ip=\"10.78.\($0 / 200).\($0 % 200 + 1)/16\"/>" }
                .joined()
        }
        let text = { (nodeCount: Int, addressCount: Int) in
            goodFile.replacing("expect=\"5\"", with: "")
                .replacing("<witness name=\"dns1\"/>", with: "<witness name=\"dns1\"/>" + nodes(nodeCount))
                .replacing("</addresses>", with: addresses(addressCount) + "</addresses>")
        }
        #expect(problems(of: text(64, 256)) == [])
        #expect(
            problems(of: text(65, 257)) == [
                "12: 65 nodes; at most 64 are possible",
                "18: 257 <address> elements; at most 256 are possible",
            ])
    }
}
