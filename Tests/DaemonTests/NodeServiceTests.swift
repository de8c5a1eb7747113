import Cluster
import Config
import Glibc
import Primitives
import Testing

@testable import Daemon

/// Starts that must end at once, with their exit code; what a running service does is proven in the laboratory.
@Suite("Node service", .serialized)
struct NodeServiceTests {
    private let directory = TemporaryDirectory()
    private let address = "127.9.8.1"

    private func write(_ text: String, to name: String, mode: mode_t = 0o600) {
        let path = "\(directory.path)/\(name)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
        let bytes = Array(text.utf8)
        #expect(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        #expect(chmod(path, mode) == 0)
    }

    private func prepare(key: String = "a secret of enough length", keyMode: mode_t = 0o600) {
        write(key, to: "cluster.key", mode: keyMode)
        write(
            """
            <cluster xmlns="urn:fsdns:cluster:1" name="pbx">
              <key file="cluster.key"/>
              <heartbeat interval="25ms" lease="150ms" dead-after="200ms" discovery="1s">
                <peer address="\(address)" port="15478"/>
              </heartbeat>
              <nodes expect="1"><node name="fs1" address="\(address)"/></nodes>
              <addresses mode="loopback" probe-port="15061">
                <address name="alpha" ip="127.0.78.21/8"/>
                <address name="beta" ip="127.0.78.22/8"/>
              </addresses>
              <seats><seat name="master1" address="alpha"/></seats>
              <freeswitch kind="none"/>
            </cluster>
            """, to: "cluster.xml")
    }

    private func run(name: String = "fs1") -> Int32 {
        NodeService.run(
            options: NodeOptions(
                configPath: "\(directory.path)/cluster.xml", name: name,
                stateDir: "\(directory.path)/state", controlPath: "\(directory.path)/control.sock",
                keeperPath: KeeperProgram.path))
    }

    private func exists(_ name: String) -> Bool { access("\(directory.path)/\(name)", F_OK) == 0 }

    @Test("an invalid cluster file, or a name that is not in it, is wrong usage and leaves no trace")
    func invalid() {
        write("<cluster/>", to: "cluster.xml")
        #expect(run() == 2)
        prepare()
        #expect(run(name: "fs9") == 2)
        #expect(!exists("state"))
    }

    @Test("a key that others can read, or that can be guessed, is refused")
    func key() {
        prepare(keyMode: 0o644)
        #expect(run() == 1)
        for key in ["short", String(repeating: "a", count: 64), String(repeating: "ab", count: 32)] {
            prepare(key: key)
            #expect(run() == 1, "\(key)")
        }
        #expect(!exists("state"))
    }

    @Test("a cluster file that everybody may write is refused as an invalid one is")
    func writable() {
        prepare()
        #expect(chmod("\(directory.path)/cluster.xml", 0o666) == 0)
        #expect(run() == 2)
        #expect(!exists("state"))
    }

    @Test("what is told of secrets and files is told no more when it was mended")
    func mended() throws {
        prepare()
        let path = "\(directory.path)/cluster.xml"
        let file = try ClusterFile.load(path: path)
        let watch = FileWatch(file, node: "fs1", weaknesses: ["c.xml:1: a secret is short"])
        #expect(watch.warnings() == ["c.xml:1: a secret is short"])
        #expect(chmod(path, 0o666) == 0)
        #expect(chmod("\(directory.path)/cluster.key", 0o604) == 0)
        watch.reread()
        #expect(watch.warnings().count == 3)
        #expect(watch.warnings().contains { $0.hasPrefix("\(path):2: ") && $0.contains("chmod 600") })
        #expect(chmod(path, 0o644) == 0 && chmod("\(directory.path)/cluster.key", 0o600) == 0)
        watch.reread()
        #expect(watch.warnings().count == 1)
    }

    @Test("a corrupt state file is refused before anything is said or made")
    func corrupt() {
        prepare()
        #expect(mkdir("\(directory.path)/state", 0o700) == 0)
        write(String(repeating: "no database ", count: 500), to: "state/state.sqlite")
        #expect(run() == 1)
        #expect(!exists("control.sock"))
    }

    @Test("a state directory that another service holds is refused")
    func locked() throws {
        prepare()
        let other = try StateDirectory(path: "\(directory.path)/state")
        #expect(run() == 1)
        #expect(!exists("control.sock"))
        #expect(other.path.hasSuffix("/state"))
    }

    @Test("a node whose address another process speaks from is refused, and takes its socket with it")
    func twice() throws {
        prepare()
        let taken = Endpoint(ip: try #require(IPAddress(address)), port: 15_478)
        let other = try DatagramSocket(boundTo: taken, group: nil)
        #expect(run() == 1)
        #expect(exists("state/state.sqlite"))
        #expect(!exists("control.sock"))
        #expect(other.descriptor >= 0)
    }
}
