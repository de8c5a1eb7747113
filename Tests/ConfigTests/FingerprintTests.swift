import Config
import Testing

@Suite struct FingerprintTests {
    private func version(_ text: String, path: String = "/etc/fsdns/cluster.xml") throws -> UInt64 {
        try ClusterFile.load(text: Array(text.utf8), path: path).settings.version
    }

    /// A change here makes every running cluster show its nodes as differing during an upgrade.
    @Test("the version of a file is the same in every process and release") func golden() throws {
        #expect(try version(goodFile) == 0x068D_78A0_A02A_C976)
    }

    @Test("how a file is written does not change its version") func layout() throws {
        let same = try version(goodFile)
        #expect(
            try version("<?xml version=\"1.0\"?>\n<!-- ours -->\n" + goodFile.replacing("\n", with: "\n\n"))
                == same)
        #expect(try version(goodFile, path: "/somewhere/else.xml") == same)
        #expect(try version(goodFile.replacing("file=\"cluster.key\"", with: "file=\"/run/key\"")) == same)
        #expect(try version(goodFile.replacing("25ms", with: "25000us")) == same)
        #expect(try version(goodFile.replacing("2001:db8::12", with: "2001:DB8:0:0::12")) == same)
        #expect(try version(goodFile.replacing(" no-quorum=\"release\"", with: "")) == same)
        #expect(try version(goodFile.replacing("key=\"fsdns.\"", with: "key=\"FSDNS\"")) == same)
        let first = "<node name=\"fs1\"/>"
        let second = "<node name=\"fs2\"/>"
        let swapped = goodFile.replacing(first, with: "!").replacing(second, with: first).replacing(
            "!", with: second)
        #expect(try version(swapped) == same)
    }

    @Test(
        "what a file means does change its version",
        arguments: [
            ("name=\"pbx\"", "name=\"pby\""), ("25ms", "26ms"), ("lease=\"150ms\"", "lease=\"151ms\""),
            ("200ms", "201ms"), ("5s", "6s"), ("ring0", "ring9"), ("10.77.0.0/24", "10.77.0.0/23"),
            ("239.77.0.1", "239.77.0.2"), ("port=\"5405\"", "port=\"5406\""), ("10.1.2.3", "10.1.2.4"),
            ("expect=\"5\"", "expect=\"4\""), ("<node name=\"fs4\"/>", "<node name=\"fs6\"/>"),
            ("<node name=\"fs4\"/>", "<witness name=\"fs4\"/>"),
            ("<node name=\"fs4\"/>", "<node name=\"fs4\" address=\"10.77.0.4\"/>"), ("0.19/24", "0.20/24"),
            ("0.19/24", "0.19/25"), ("\"delta\"", "\"echo\""), ("\"master1\"", "\"first\""),
            (" prefer=\"fs1\"", ""), ("\"withdraw\"", "\"keep\""), ("\"20\"", "\"21\""),
            ("voip.example.net", "voip.example.org"), ("60s", "61s"), ("floor=\"1\"", "floor=\"2\""),
            ("0.53:53", "0.53:54"), ("\"fsdns.\"", "\"other.\""), ("hmac-sha256", "hmac-sha512"),
            ("\"sip\"", "\"voip\""), ("\"sip\"", "\"sip\" exclusive=\"yes\""), ("<seat-names/>", ""),
            ("5060", "5061"),
            ("port=\"5060\"", "port=\"5060\" weight=\"5\""),
            ("port=\"5060\"", "port=\"5060\" priority=\"5\""),
            ("socket=\"127.0.0.1:8021\"", "socket=\"127.0.0.1:8022\""),
            ("socket=\"127", "check=\"50ms\" socket=\"127"),
            ("socket=\"127", "registrations=\"contact\" socket=\"127"),
            ("<node name=\"fs4\"/>", "<node name=\"fs4\"><freeswitch kind=\"none\"/></node>"),
            ("<freeswitch s", "<event-socket listen=\"127.0.0.1:8121\" password-file=\"p\"/><freeswitch s"),
            ("<freeswitch s", "<limit-service listen=\"127.0.0.1:6380\" password-file=\"p\"/><freeswitch s"),
            ("<freeswitch s", "<limits when-split=\"share\"/><freeswitch s"),
            ("<freeswitch s", "<links certificate-file=\"p\" authority-file=\"a\"/><freeswitch s"),
        ])
    func meaning(written: String, instead: String) throws {
        #expect(goodFile.contains(written))
        #expect(try version(goodFile.replacing(written, with: instead)) != version(goodFile))
    }

    @Test("the order of seats and addresses has a meaning") func order() throws {
        let first = "<address name=\"alpha\" ip=\"10.77.0.11/24\"/>"
        let second = "<address name=\"delta\" ip=\"10.77.0.19/24\"/>"
        let swapped = goodFile.replacing(first, with: "!").replacing(second, with: first).replacing(
            "!", with: second)
        #expect(try version(swapped) != version(goodFile))
    }
}
