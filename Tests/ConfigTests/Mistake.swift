import Testing

@testable import Config

/// One slip in an otherwise good file, and everything that is said about it.
struct Mistake: CustomTestStringConvertible {
    /// What the reader is expected to notice, as a claim.
    var claim: String
    var written: String
    var instead: String
    /// `line: message`, sorted; all of them.
    var told: [String]
    /// Whether the published schema refuses it as well.
    var isStructural: Bool

    init(
        _ claim: String, _ written: String, _ instead: String, schema isStructural: Bool = false,
        _ told: [String]
    ) {
        self.claim = claim
        self.written = written
        self.instead = instead
        self.told = told
        self.isStructural = isStructural
    }

    var testDescription: String { claim }

    var text: String { goodFile.replacing(written, with: instead) }
}

/// A good file without warnings; mistakes are made in it, and told by its line numbers.
let goodFile = """
    <cluster xmlns="urn:fsdns:cluster:1" name="pbx">
      <key file="cluster.key"/>
      <heartbeat interval="25ms" lease="150ms" dead-after="200ms" discovery="5s">
        <network name="ring0" subnet="10.77.0.0/24" group="239.77.0.1" port="5405"/>
        <peer address="10.1.2.3"/>
      </heartbeat>
      <nodes expect="5">
        <node name="fs1"/>
        <node name="fs2"/>
        <node name="fs3"/>
        <node name="fs4"/>
        <witness name="dns1"/>
      </nodes>
      <addresses>
        <address name="alpha" ip="10.77.0.11/24"/>
        <address name="beta" ip="2001:db8::12/64"/>
        <address name="delta" ip="10.77.0.19/24"/>
      </addresses>
      <seats>
        <seat name="master1" address="alpha" prefer="fs1"/>
        <seat name="master2" address="beta" prefer="fs2"/>
      </seats>
      <policy no-quorum="release" on-exhaustion="withdraw" takeovers-per-hour="20"/>
      <dns zone="voip.example.net" ttl="60s" floor="1">
        <server address="10.77.0.53:53" key="fsdns." algorithm="hmac-sha256" secret-file="fsdns.secret"/>
        <service name="sip"/>
        <seat-names/>
        <srv service="_sip._udp" port="5060"/>
      </dns>
      <freeswitch socket="127.0.0.1:8021" password-file="event_socket.secret"/>
    </cluster>
    """

/// `line: message` for every problem of a text; all are expected to be about this file.
func problems(of text: String) -> [String] {
    do throws(ConfigFailure) {
        _ = try ClusterFile.load(text: Array(text.utf8), path: "/etc/fsdns/cluster.xml")
        return []
    } catch {
        return error.description.split(separator: "\n").map {
            $0.hasPrefix("/etc/fsdns/cluster.xml:") ? String($0.dropFirst(23)) : "elsewhere: \($0)"
        }
    }
}

func warnings(of text: String) throws -> [String] {
    try ClusterFile.load(text: Array(text.utf8), path: "c.xml").warnings.map(\.description)
}
