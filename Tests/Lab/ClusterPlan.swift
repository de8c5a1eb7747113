/// What kind of cluster a lab is to bring up; the rest of its file is the same for all.
package struct ClusterPlan: Sendable {
    package var name = "pbx"
    package var nodes = 5
    package var rings = 1
    package var interval = "25ms"
    package var lease = "150ms"
    package var deadAfter = "200ms"
    package var discovery = "1s"
    package var takeoversPerHour = 1000
    package var ttl = "1s"
    /// A stand-in FreeSWITCH on every machine, and our services beside it.
    package var switches = false
    /// More of each switch's command line, for example limits.
    package var switchArguments: [String] = []
    /// Long enough that a laboratory on a busy machine takes no switch for dead; one that ended is known at once.
    package var failedAfter = "10s"
    /// Our limit service without a switch.
    package var limitsOnly = false
    package var injectionsPerSecond = 1000
    /// Phones of a drained address told to register again.
    package var promptsPerSecond = 20
    /// What limits answer while the cluster is split, by name.
    package var limitsWhenSplit: [(name: String, policy: String)] = []
    /// The service addresses are IPv6; heartbeats and DNS are as always.
    package var isIPv6 = false

    /// Links and heartbeats need certificates, and each host has one.
    package var certificates = false

    package init() {}

    package static let serviceName = "sip.voip.example.net"
    package static let serviceAddresses = ["10.77.0.11", "10.77.0.12", "10.77.0.13"]
    package static let maintenanceAddress = "10.77.0.19"
    /// Every address that nodes may hold.
    package static let managedAddresses = serviceAddresses + [maintenanceAddress]

    /// As `managedAddresses`, in this plan's family.
    package var addresses: [String] {
        isIPv6 ? ["fd77::11", "fd77::12", "fd77::13", "fd77::19"] : Self.managedAddresses
    }
    package var prefixLength: Int { isIPv6 ? 64 : 24 }

    package var hostNames: [String] { (1...nodes).map { "fs\($0)" } }

    /// The cluster file.
    package var text: String {
        var networks = ""
        for ring in 0..<rings {
            networks += "    <network name=\"ring\(ring)\" subnet=\"10.\(77 + ring).0.0/24\" "
            networks += "group=\"239.77.0.\(ring + 1)\" port=\"5405\"/>\n"
        }
        let nodeLines = hostNames.map { "    <node name=\"\($0)\"/>\n" }.joined()
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <cluster xmlns="urn:fsdns:cluster:1" name="\(name)">
              <key file="cluster.key"/>
              <heartbeat interval="\(interval)" lease="\(lease)" dead-after="\(deadAfter)"
                  discovery="\(discovery)">
            \(networks)  </heartbeat>
              <nodes expect="\(nodes)">
            \(nodeLines)  </nodes>
              <addresses>
                <address name="alpha" ip="\(addresses[0])/\(prefixLength)"/>
                <address name="beta"  ip="\(addresses[1])/\(prefixLength)"/>
                <address name="gamma" ip="\(addresses[2])/\(prefixLength)"/>
                <address name="delta" ip="\(addresses[3])/\(prefixLength)"/>
              </addresses>
              <seats>
                <seat name="master1" address="alpha" prefer="fs1"/>
                <seat name="master2" address="beta"  prefer="fs2"/>
                <seat name="master3" address="gamma" prefer="fs3"/>
              </seats>
              <policy no-quorum="release" on-exhaustion="withdraw" takeovers-per-hour="\(takeoversPerHour)"/>
              <dns zone="voip.example.net" ttl="\(ttl)" floor="1">
                <server address="10.77.0.53:53" key="fsdns." algorithm="hmac-sha256" secret-file="fsdns.secret"/>
                <service name="sip"/>
                <seat-names/>
                <srv service="_sip._udp" port="5060"/>
              </dns>
            \(switchText)
              <playbooks programs="programs"/>\(links)
            </cluster>

            """
    }

    private var links: String {
        certificates
            ? "\n  <links certificate-file=\"peer.pem\" authority-file=\"peer-ca.pem\" required=\"yes\"/>"
            : ""
    }

    private var switchText: String {
        let limitService = "  <limit-service listen=\"127.0.0.1:6380\" password-file=\"own.secret\"/>"
        guard switches else {
            return "  <freeswitch kind=\"none\"/>" + (limitsOnly ? "\n" + limitService : "")
        }
        let limits = limitsWhenSplit.map { "    <limit name=\"\($0.name)\" when-split=\"\($0.policy)\"/>\n" }
        return """
              <freeswitch socket="127.0.0.1:8021" password-file="switch.secret" check="100ms"
                  failed-after="\(failedAfter)" injections-per-second="\(injectionsPerSecond)"
                  prompts-per-second="\(promptsPerSecond)"/>
              <event-socket listen="127.0.0.1:8121" password-file="own.secret"/>
            \(limitService)
              <limits>
            \(limits.joined())  </limits>
            """
    }
}
