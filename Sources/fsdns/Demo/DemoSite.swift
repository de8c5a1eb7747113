@preconcurrency import Glibc
import Primitives

/// Where one demonstration lives: a directory of its own and a /24 of loopback addresses nobody else uses.
struct DemoSite: Hashable, Sendable {
    static let zone = "voip.example.net"
    static let service = "sip.voip.example.net"
    static let nodes = ["fs1", "fs2", "fs3", "fs4", "fs5"]
    static let heartbeatPort: UInt16 = 5405
    static let probePort: UInt16 = 15060
    static let zonePort: UInt16 = 5353
    static let eventSocketPort: UInt16 = 8021
    static let profiles = [("alpha", 11), ("beta", 12), ("gamma", 13), ("delta", 19)]

    var directory: String
    /// The first three numbers, `127.81.14`.
    var network: String

    func address(_ last: Int) -> String { "\(network).\(last)" }
    var zoneServer: String { "\(address(53)):\(Self.zonePort)" }

    var configFile: String { directory + "/cluster.xml" }
    var zoneFile: String { directory + "/\(Self.zone).zone" }
    var keyFile: String { directory + "/fsdns.key" }
    var stopScript: String { directory + "/stop" }
    func control(_ node: String) -> String { directory + "/\(node).sock" }
    func state(_ node: String) -> String { directory + "/\(node).state" }
    func log(_ name: String) -> String { directory + "/\(name).log" }
    var passwordFile: String { directory + "/event_socket.secret" }
    func database(_ node: String) -> String { directory + "/\(node).db" }

    /// Of the stand-in FreeSWITCH beside a node.
    func eventSocket(_ node: String) -> String {
        let number = (Self.nodes.firstIndex(of: node) ?? 0) + 1
        return "\(address(number)):\(Self.eventSocketPort)"
    }

    /// How the stand-in FreeSWITCH of a node is started. Five share this machine, so each has SIP ports of its own, and
    /// tells the same one as the others, as five machines would.
    func switchArguments(_ node: String) -> [String] {
        let port = 5060 + (Self.nodes.firstIndex(of: node) ?? 0)
        return Self.profiles.flatMap { name, last in
            ["--profile", "name=\(name),ip=\(address(last)),port=\(port),told-port=5060,standby"]
        } + [
            "--switchname", node, "--event-socket", eventSocket(node), "--password-file", passwordFile,
            "--db-dir", database(node),
        ]
    }

    /// Makes the directory and finds free addresses.
    static func make() throws(DemoFailure) -> DemoSite {
        let parent = Environment.value("TMPDIR") ?? "/tmp"
        var template = Array("\(parent)/fsdns-demo.XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw DemoFailure("cannot make a directory in \(parent): \(String(cString: strerror(errno)))")
        }
        let directory = String(cString: made)
        // Every machine has all of 127/8; a few draws find a part nobody listens in.
        for _ in 0..<20 {
            let network = "127.\(Int.random(in: 1...254)).\(Int.random(in: 1...254))"
            let site = DemoSite(directory: directory, network: network)
            if site.isFree { return site }
        }
        rmdir(directory)
        throw DemoFailure("no free loopback addresses: can this machine bind in 127.0.0.0/8?")
    }

    private var isFree: Bool {
        let wanted =
            (1...5).flatMap { [($0, Self.heartbeatPort), ($0, Self.heartbeatPort + 1)] }
            + [11, 12, 13, 19].map { ($0, Self.probePort) }
            + [(53, Self.zonePort)]
        return wanted.allSatisfy { last, port in
            guard let ip = IPAddress(address(last)),
                let socket = try? DatagramProbe(bindingTo: Endpoint(ip: ip, port: port))
            else { return false }
            _ = consume socket
            return true
        }
    }

    /// Writes keys, zone and cluster file, readable by this user only.
    func write() throws(DemoFailure) {
        let secret = ClusterKey.random()
        try Self.write(ClusterKey.random() + "\n", to: directory + "/cluster.key")
        try Self.write(secret + "\n", to: directory + "/fsdns.secret")
        try Self.write(ClusterKey.random(bytes: 12) + "\n", to: passwordFile)
        for node in Self.nodes where mkdir(database(node), 0o700) != 0 {
            throw DemoFailure("cannot make \(database(node)): \(String(cString: strerror(errno)))")
        }
        try Self.write(
            "key \"fsdns.\" {\n\talgorithm hmac-sha256;\n\tsecret \"\(secret)\";\n};\n", to: keyFile)
        try Self.write(zoneText, to: zoneFile)
        try Self.write(configText, to: configFile)
    }

    private static func write(_ text: String, to path: String) throws(DemoFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw DemoFailure("cannot write \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw DemoFailure("cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }

    var zoneText: String {
        """
        $ORIGIN \(Self.zone).
        $TTL 1
        @ IN SOA ns1 hostmaster 1 3600 600 604800 1
        @ IN NS ns1
        ns1 IN A \(address(53))

        """
    }

    /// The shape of `config/loopback.xml` at this site's addresses.
    var configText: String {
        let peers = (1...5).map { "    <peer address=\"\(address($0))\" port=\"\(Self.heartbeatPort)\"/>" }
        let nodes = zip(1...5, Self.nodes).map { number, name in
            """
                <node name="\(name)" address="\(address(number))">
                  <freeswitch socket="\(eventSocket(name))" password-file="event_socket.secret"/>
                </node>
            """
        }
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <cluster xmlns="urn:fsdns:cluster:1" name="demo">
              <key file="cluster.key"/>
              <heartbeat interval="25ms" lease="150ms" dead-after="200ms" discovery="1s">
            \(peers.joined(separator: "\n"))
              </heartbeat>
              <nodes expect="5">
            \(nodes.joined(separator: "\n"))
              </nodes>
              <addresses mode="loopback" probe-port="\(Self.probePort)">
                <address name="alpha" ip="\(address(11))/8"/>
                <address name="beta" ip="\(address(12))/8"/>
                <address name="gamma" ip="\(address(13))/8"/>
                <address name="delta" ip="\(address(19))/8"/>
              </addresses>
              <seats>
                <seat name="master1" address="alpha" prefer="fs1"/>
                <seat name="master2" address="beta" prefer="fs2"/>
                <seat name="master3" address="gamma" prefer="fs3"/>
              </seats>
              <dns zone="\(Self.zone)" ttl="1s" floor="1">
                <server address="\(zoneServer)" key="fsdns." algorithm="hmac-sha256" secret-file="fsdns.secret"/>
                <service name="sip"/>
                <seat-names/>
                <srv service="_sip._udp" port="5060"/>
              </dns>
              <freeswitch kind="none"/>
            </cluster>

            """
    }
}

/// What did not happen as it should in a demonstration.
struct DemoFailure: Error, Hashable, Sendable {
    var text: String

    init(_ text: String) { self.text = text }

    /// Somebody wants it to end.
    static let interrupted = DemoFailure("interrupted")
}
