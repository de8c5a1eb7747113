import FoundationEssentials
import Glibc
import Lab
import Testing

extension LabSuites {
    /// Whole node services on loopback addresses that show each other the certificates of the unit tests.
    @Suite("Nodes with certificates") struct CertificateTests {
        private final class Site {
            static let names = ["fs1", "fs2", "fs3"]
            private static let fixtures = #filePath.split(separator: "/").dropLast(2).reduce(into: "") {
                $0 += "/" + $1
            }
            private let folder: String
            private let program = Programs().fsdns
            private var pids: [String: pid_t] = [:]
            private var forger: pid_t?
            private let isRequired: Bool

            init(isRequired: Bool = true) throws {
                self.isRequired = isRequired
                folder = "/tmp/fsdns-certificates-\(getpid())"
                try? FileManager.default.removeItem(atPath: folder)
                for name in Self.names {
                    try FileManager.default.createDirectory(
                        atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
                    try copy(name, to: "\(name)/peer.pem", mode: 0o600)
                    try copy("authority", to: "\(name)/peer-ca.pem", mode: 0o644)
                    try write("a secret of enough length", to: "\(name)/cluster.key", mode: 0o600)
                    try write(clusterFile, to: "\(name)/cluster.xml", mode: 0o644)
                    try start(name)
                }
            }

            func copy(_ fixture: String, to name: String, mode: mode_t) throws {
                let path = "\(Self.fixtures)/DaemonTests/Certificates/\(fixture).pem"
                try write(try String(contentsOfFile: path, encoding: .utf8), to: name, mode: mode)
            }

            private func write(_ text: String, to name: String, mode: mode_t) throws {
                try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
                chmod("\(folder)/\(name)", mode)
            }

            /// Addresses of this process's own, so that two runs do not meet.
            private let net = "127.61.\(getpid() % 250 + 1)"
            /// Where somebody listens who was listed too.
            private var eavesdropper: String { "\(net).4" }

            private var clusterFile: String {
                let nodes = Self.names.enumerated().map { number, name in
                    "<node name=\"\(name)\" address=\"\(net).\(number + 1)\"/>"
                }
                let peers = (1...4).map { "<peer address=\"\(net).\($0)\" port=\"25405\"/>" }
                return """
                    <cluster xmlns="urn:fsdns:cluster:1" name="pbx"><key file="cluster.key"/>
                      <heartbeat dead-after="1s" discovery="1s">\(peers.joined())</heartbeat>
                      <nodes expect="3">\(nodes.joined())</nodes>
                      <addresses mode="loopback" probe-port="25060">
                        <address name="alpha" ip="\(net).11/8"/><address name="beta" ip="\(net).12/8"/>
                      </addresses>
                      <seats><seat name="master1" address="alpha" prefer="fs1"/></seats>
                      <freeswitch kind="none"/>
                      <links certificate-file="peer.pem" authority-file="peer-ca.pem"
                        required="\(isRequired ? "yes" : "no")"/>
                    </cluster>
                    """
            }

            func start(_ name: String) throws {
                let own = "\(folder)/\(name)"
                pids[name] = try Launch.start([
                    program, "node", "--config", own + "/cluster.xml", "--name", name, "--state-dir",
                    own + "/state", "--control", own + "/control",
                ])
            }

            func kill(_ name: String) {
                guard let pid = pids.removeValue(forKey: name) else { return }
                Glibc.kill(-pid, SIGKILL)
                _ = Launch.exitStatus(of: pid)
            }

            /// Somebody with the cluster's key and no certificate speaks in that node's name from now on, to all others.
            func forge(_ name: String, _ manner: String) throws {
                endForging()
                let targets = Self.names.indices.filter { Self.names[$0] != name }.map { "\(net).\($0 + 1)" }
                forger = try Launch.start(
                    [
                        Programs().lab, "forge", manner, "pbx", "a secret of enough length", name,
                        eavesdropper, "25405", "300",
                    ] + targets)
            }

            func endForging() {
                guard let pid = forger else { return }
                Glibc.kill(-pid, SIGKILL)
                _ = Launch.exitStatus(of: pid)
                forger = nil
            }

            func ask(_ name: String, _ words: [String]) throws -> Launch.Output {
                try Launch.run([program] + words + ["--control", "\(folder)/\(name)/control"], seconds: 30)
            }

            /// Until the answer fits, asked again and again.
            func ask(
                _ name: String, _ words: [String], until fits: (Launch.Output) -> Bool
            ) throws -> Launch.Output? {
                let clock = ContinuousClock()
                let end = clock.now + .seconds(40)
                var output = try ask(name, words)
                while !fits(output) {
                    guard clock.now < end else {
                        Issue.record("\(words): \(output)")
                        return nil
                    }
                    output = try ask(name, words)
                }
                return output
            }

            deinit {
                endForging()
                for name in Self.names { kill(name) }
                try? FileManager.default.removeItem(atPath: folder)
            }
        }

        private func members(_ status: String) -> Int {
            status.split(separator: "\n").count { line in
                line.hasPrefix("fs") && (line.contains(" slave ") || line.contains(" master "))
            }
        }

        @Test(
            "a cluster forms by certificates, and a machine that was forgotten is let in by nobody with its own"
        )
        func forgotten() throws {
            let site = try Site()
            _ = try #require(try site.ask("fs1", ["status"], until: { members($0.output) == 3 }))
            let rings = try site.ask("fs1", ["rings"]).output
            #expect(rings.contains("stands") && !rings.contains("by the cluster key alone"), "\(rings)")
            site.kill("fs3")
            _ = try #require(try site.ask("fs1", ["forget", "fs3"], until: { $0.status == 0 }))
            try site.start("fs3")
            let status = try #require(
                try site.ask("fs1", ["status"]) { output in
                    ["fs1", "fs2"].allSatisfy { output.output.contains("\($0) has none to fs3 (whoever") }
                })
            #expect(status.output.contains("fs3 was forgotten on"), "\(status.output)")
            #expect(members(status.output) == 2)
            // The machine itself hears why from those that refuse it.
            let own = try #require(
                try site.ask("fs3", ["status"]) { output in
                    ["fs1", "fs2"].allSatisfy {
                        output.output.contains("fs3 has none to \($0) (refused there: fs3 was forgotten on")
                    }
                })
            #expect(own.output.contains("needs a newer certificate to come back"), "\(own.output)")
        }

        @Test("what is wrong with one machine's certificate is in the status of the others") func told()
            throws
        {
            let site = try Site()
            _ = try #require(try site.ask("fs1", ["status"], until: { members($0.output) == 3 }))
            try site.copy("fs2", to: "fs3/peer.pem", mode: 0o600)
            for name in ["fs1", "fs2", "fs3"] {
                _ = try #require(
                    try site.ask(name, ["status"]) {
                        $0.output.contains("on fs3 the files were changed and are not used")
                    })
            }
            #expect(try site.ask("fs1", ["rings"]).output.contains("stands"))
        }

        private func holder(_ status: String) -> String? {
            let line = status.split(separator: "\n").first {
                $0.hasPrefix("master1") && $0.contains(" active ")
            }
            return line.flatMap { line in Site.names.first { line.contains(" \($0) ") } }
        }

        @Test(
            "one with the cluster's key and no certificate keeps no dead master alive, makes none of the living leave, and is named"
        )
        func forged() throws {
            let site = try Site()
            let formed = try #require(
                try site.ask("fs1", ["status"]) { members($0.output) == 3 && holder($0.output) != nil })
            let leader = try #require(
                Site.names.first { formed.output.contains("leader \($0) ") }, "\(formed.output)")
            // What the leader hears counts: a master that leads itself is heard by nobody who decides.
            let master = try #require(Site.names.first { $0 != leader })
            if holder(formed.output) != master {
                _ = try site.ask(leader, ["switchover", "master1", "--to", master, "--wait"])
            }
            _ = try #require(try site.ask(leader, ["status"]) { holder($0.output) == master })
            try site.forge(master, "leaving")
            for _ in 0..<10 {
                pause(milliseconds: 300)
                let status = try site.ask(leader, ["status"]).output
                #expect(holder(status) == master && members(status) == 3, "\(status)")
                #expect(!status.contains("expired"), "\(status)")
            }
            _ = try #require(
                try site.ask(leader, ["status"]) {
                    $0.output.contains("heartbeats are forged in the name of \(master)")
                })
            try site.forge(master, "alive")
            pause(milliseconds: 500)
            site.kill(master)
            _ = try #require(
                try site.ask(leader, ["status"]) { output in
                    output.output.contains("Quorum 2/3") && holder(output.output).map { $0 != master } == true
                        && output.output.contains("heartbeats in the name of \(master) do not count")
                })
            // The true one is heard among those in its name.
            try site.start(master)
            _ = try #require(try site.ask(leader, ["status"]) { members($0.output) == 3 })
        }

        @Test(
            "a machine whose certificate is revoked while it runs is heard no more, without a restart of anybody"
        )
        func revoked() throws {
            let site = try Site()
            let formed = try #require(
                try site.ask("fs1", ["status"]) { members($0.output) == 3 && holder($0.output) != nil })
            let leader = try #require(
                Site.names.first { formed.output.contains("leader \($0) ") }, "\(formed.output)")
            let lost = try #require(Site.names.first { $0 != leader })
            _ = try #require(
                try site.ask(leader, ["forget", lost, "--revoke"], until: { $0.status == 0 }))
            let status = try #require(
                try site.ask(leader, ["status"]) { output in
                    output.output.contains("Quorum 2/3")
                        && output.output.contains("heartbeats in the name of \(lost) do not count")
                })
            #expect(holder(status.output) != lost, "\(status.output)")
        }

        @Test(
            "a restarted node, and a cluster that is started anew, are heard without a word of theirs being believed before"
        )
        func restarted() throws {
            let site = try Site()
            _ = try #require(try site.ask("fs1", ["status"]) { members($0.output) == 3 })
            site.kill("fs3")
            try site.start("fs3")
            _ = try #require(try site.ask("fs3", ["status"]) { members($0.output) == 3 })
            for name in Site.names { site.kill(name) }
            for name in Site.names { try site.start(name) }
            let status = try #require(try site.ask("fs2", ["status"]) { members($0.output) == 3 })
            #expect(!status.output.contains("do not count"), "\(status.output)")
        }
    }
}
