import Cluster
import Config
import Testing

@Suite struct IdentityTests {
    private func resolve(
        flag: String? = nil, environment: String? = nil, host: String = "db7", listed: Bool = true
    ) -> String {
        let nodes = listed ? [NodeRule(name: "fs1"), NodeRule(name: "fs2")] : []
        let settings = ClusterSettings(cluster: "pbx", nodes: nodes, expect: 2, addresses: [], seats: [])
        do throws(NodeIdentity.Failure) {
            return try NodeIdentity.resolve(
                flag: flag, environment: environment, hostName: host, settings: settings)
        } catch {
            return error.description
        }
    }

    @Test("the command line goes before the environment, and that before the host name") func order() {
        #expect(resolve(flag: "fs1", environment: "fs2", host: "fs2") == "fs1")
        #expect(resolve(environment: "fs2", host: "fs1") == "fs2")
        #expect(resolve(environment: "", host: "fs1") == "fs1")
    }

    @Test("a host name counts up to its first dot, in any case") func hostName() {
        #expect(resolve(host: "FS2.voip.example.net") == "fs2")
        #expect(resolve(host: "anything.example.net", listed: false) == "anything")
    }

    @Test("a machine the file does not list is told the names it lists") func unknown() {
        #expect(
            resolve() == "the host name gives \"db7\", but the nodes of cluster pbx are fs1, fs2; "
                + "say which one this is with --name or FSDNS_NODE")
        #expect(resolve(flag: "fs3") == "--name gives \"fs3\", but the nodes of cluster pbx are fs1, fs2")
    }

    @Test("a name that cannot be one is refused even where any node may come") func invalid() {
        let rule = "a name is 1 to 63 letters, digits, \"-\" and \"_\", and starts with a letter or digit"
        #expect(resolve(flag: "a b", listed: false) == "--name gives \"a b\", which is no name; " + rule)
        #expect(resolve(host: "", listed: false) == "the host name gives \"\", which is no name; " + rule)
    }
}
