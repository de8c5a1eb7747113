import Switch
import Testing

@Suite("Settings of a profile, as every machine that may take its address must have them")
struct ProfileSettingsTests {
    private func settings(
        _ parameters: [String: String] = [:], mediaPorts: String = "16384-32766", domains: [String] = []
    ) -> ProfileSettings {
        ProfileSettings(parameters, mediaPorts: mediaPorts, domains: domains)
    }

    @Test("what sofia.conf does not say is as FreeSWITCH takes it") func defaults() {
        #expect(
            settings().differences(
                from: settings(["sip-port": "5060", "context": "default", "dialplan": "XML", "tls": "false"]),
                unknown: []
            ).isEmpty)
    }

    @Test("TLS is missed only where the holder has it") func transport() {
        let (with, without) = (settings(["tls": "true"]), settings())
        #expect(without.differences(from: with, unknown: []) == [.noTLS])
        #expect(with.differences(from: without, unknown: []).isEmpty)
    }

    @Test("another range of RTP ports is harmful, one that is not told is none") func mediaPorts() {
        let other = settings(mediaPorts: "20000-30000")
        let found = other.differences(from: settings(), unknown: [])
        #expect(found.map(\.isHarmful) == [true])
        #expect(
            found.map { $0.text(profile: "alpha", node: "fs1") }
                == ["RTP ports are 20000-30000, at fs1 16384-32766: new calls would get none later"])
        #expect(settings(mediaPorts: "").differences(from: settings(), unknown: []).isEmpty)
    }

    @Test("another context, dialplan or other codecs are told and harm nobody") func others() {
        let found = settings(["context": "public", "inbound-codec-prefs": "PCMA"])
            .differences(from: settings(["codec-prefs": "PCMU,PCMA"]), unknown: [])
        #expect(
            found.map { $0.text(profile: "alpha", node: "fs1") } == [
                "profile alpha has context public, at fs1 it has default",
                "profile alpha has codecs PCMA, at fs1 it has PCMU,PCMA",
            ])
        #expect(!found.contains { $0.isHarmful })
    }

    @Test("domains of phones at the holder are missed where the directory does not know them") func domains()
    {
        let holder = settings(domains: ["b.example", "a.example"])
        #expect(
            settings().differences(from: holder, unknown: ["a.example", "c.example"])
                == [.unknownDomain("a.example")])
    }

    @Test("settings of profiles are read from what FreeSWITCH prints of sofia.conf; nothing else is")
    func reading() throws {
        let text = """
            <configuration name="sofia.conf" description="sofia Endpoint">
              <global_settings><param name="log-level" value="0"></param></global_settings>
              <profiles>
                <profile name="alpha">
                  <aliases></aliases>
                  <settings>
                    <param name="tls" value="true"></param>
                    <param name="sip-port" value="5060"></param>
                  </settings>
                </profile>
                <profile><settings></settings></profile>
              </profiles>
            </configuration>
            """
        #expect(SwitchParameters.profiles(text) == ["alpha": ["tls": "true", "sip-port": "5060"]])
        #expect(SwitchParameters.profiles("can't find anything\n") == nil)
        #expect(SwitchParameters.profiles("<document/>") == nil)
    }
}
