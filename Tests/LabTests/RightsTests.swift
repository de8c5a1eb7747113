import FoundationEssentials
import Lab
import Testing

extension LabSuites {
    @Suite("What a node may do, and where it listens")
    struct RightsTests {
        /// `Cap…` of every thread of a process that is not zero, as `THREAD CapPrm=…`.
        private func capabilities(of pid: Int32) -> [String] {
            let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
            #expect(!threads.isEmpty)
            return threads.flatMap { thread -> [String] in
                let text =
                    (try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/status", encoding: .utf8)) ?? ""
                return notZero(text).map { "\(thread) \($0)" }
            }
        }

        private func notZero(_ status: String) -> [String] {
            let sets = status.split(separator: "\n").filter { line in
                ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].contains { line.hasPrefix($0) }
            }
            return sets.filter { !$0.hasSuffix("\t0000000000000000") }.map(String.init)
                + (sets.count == 5 ? [] : ["\(sets.count) sets of capabilities"])
        }

        @Test(
            "the node service and the programs of playbooks have no capability, and a keeper is started again all the same"
        )
        func capabilities() throws {
            let lab = try Lab()
            defer { lab.close() }
            let site = try PlaybookSite(lab)
            let host = lab.hosts[4]
            let service = try #require(host.servicePid)
            #expect(capabilities(of: service) == [])
            #expect(ProcessTable.field("NoNewPrivs", of: service) == "1")

            let program = try site.script("caps", "cat /proc/self/status > '\(lab.directory)/caps'")
            let steps = "  <run node=\"\(host.name)\" program=\"\(program)\"/>"
            let said = try site.ask(["run", try site.write("caps", steps), "--wait", "--timeout", "20s"])
            #expect(said.status == 0, "\(said)")
            #expect(notZero(site.lines(of: "caps").joined(separator: "\n")) == [])

            let other = "  <run node=\"\(host.name)\" program=\"/bin/echo\"/>"
            let refused = try site.ask(["run", try site.write("other", other), "--wait", "--timeout", "20s"])
            #expect(refused.status == 1, "\(refused)")
            let run = try #require(try site.history(of: "other").last)
            #expect(run.steps[0].outcome.contains("not among the programs in"), "\(run)")

            let keeper = try #require(host.keeperPid)
            try host.kill(.keeper)
            try wait(for: "another keeper", atMost: 10, every: 50) {
                host.keeperPid.map { $0 != keeper } == true
            }
            let network = UInt64(1) << 12 | UInt64(1) << 13
            let held = ProcessTable.field("CapEff", of: try #require(host.keeperPid))
            #expect(held.flatMap { UInt64($0, radix: 16) }.map { $0 & network } == network)
            #expect(capabilities(of: service) == [])
        }

        @Test("a node listens where docs/security.md says, and nowhere else")
        func listeners() throws {
            let site = try SwitchCluster(nodes: 3)
            defer { site.close() }
            let host = site.lab.hosts[0]
            let service = try #require(host.servicePid)
            let sockets = try host.machine.check(["ss", "-Hlntup"]) + host.machine.check(["ss", "-Hlxp"])
            let own = sockets.split(separator: "\n").filter { $0.contains("pid=\(service),") }
            let documented = try documented()
            var open: Set<String> = []
            for line in own {
                let words = line.split(separator: " ")
                guard words.count > 4 else { continue }
                let port = words[4].split(separator: ":").last.map(String.init) ?? ""
                let kind = words[0] == "u_str" ? "UNIX" : "\(words[0].uppercased()) \(port)"
                open.insert(documented.contains(kind) || words[0] != "udp" ? kind : "UDP any")
            }
            #expect(open == documented, "\(own.joined(separator: "\n"))")
        }

        /// The table of listeners, without what only another command serves.
        private func documented() throws -> Set<String> {
            let path =
                #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/docs/security.md"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let rows = text.split(separator: "\n").drop { !$0.hasPrefix("| listener") }.dropFirst(2)
                .prefix { $0.hasPrefix("|") }
            var kinds: Set<String> = []
            for row in rows {
                let cells = row.split(separator: "|").map { $0.trimmingPrefix(" ") }
                guard cells.count > 2, !cells[2].contains("zone serve") else { continue }
                let protocols = String(cells[1].prefix { $0 != "|" })
                let words = protocols.split(separator: " ")
                if protocols.hasPrefix("UNIX") {
                    kinds.insert("UNIX")
                } else if protocols.contains("any port") {
                    kinds.insert("UDP any")
                } else if words.count >= 2 {
                    kinds.insert("\(words[0]) \(words[1])")
                }
            }
            return kinds
        }
    }
}
