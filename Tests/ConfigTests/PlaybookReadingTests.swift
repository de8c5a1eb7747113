import Calendar
import Cluster
@preconcurrency import Glibc
import Primitives
import Testing

@testable import Config

@Suite struct PlaybookReadingTests {
    private let desk: PlaybookDesk

    init() throws { desk = try PlaybookDesk() }

    @Test("a playbook becomes the value it says, with its parameters filled in") func value() throws {
        let playbook = try desk.read(Array(goodPlaybook.utf8), ["unit": "fs one", "what": "it"]).playbook
        #expect(playbook.name == "night")
        #expect(playbook.summary == "Upgrade it.")
        #expect(playbook.rollsBack)
        #expect(playbook.schedule == .cron(try CronLine(parsing: "30 2 * * tue"), zone: "Berlin"))
        #expect(playbook.window == PlaybookWindow(from: 120, to: 300, weekdays: 0b1110, zone: "Berlin"))
        #expect(playbook.aborts == PlaybookAborts(slavesBelow: 1, onNodeFailure: true, onThinQuorum: false))
        #expect(playbook.steps.count == 16)
        #expect(playbook.steps[0].action == .check(.headroom(slaves: 2), interval: .seconds(2)))
        #expect(playbook.steps[0].timeout == .seconds(60))
        #expect(playbook.steps[0].line == 7)
        guard case .forEach(.nodes, 1, .seconds(30), let inner) = playbook.steps[2].action else {
            Issue.record("no for-each over nodes: \(playbook.steps[2].action)")
            return
        }
        #expect(
            inner[0].action
                == .drain(target: "${item}", deadline: .seconds(1200), onDeadline: .handover, reason: "it"))
        let restart = CommandOrder(
            node: "${item}", program: "/usr/bin/systemctl", arguments: ["restart", "fs one"],
            environment: [.init(name: "LANG", value: "C")], timeout: .seconds(120))
        #expect(inner[1].action == .run(restart))
        #expect(inner[1].timeout == .seconds(150))
        #expect(
            inner[1].undo
                == CommandOrder(node: "${node}", program: "/bin/true", arguments: [], timeout: .seconds(300)))
        #expect(
            playbook.steps[3].action
                == .check(.options(try #require(Endpoint("10.77.0.11:5060"))), interval: .seconds(5)))
        #expect(
            playbook.steps[5].action
                == .check(.http(url: "http://10.77.0.1/health", status: 204), interval: .seconds(5)))
        #expect(playbook.steps[10].action == .switchover(seat: "master1", to: "fs3"))
    }

    @Test("what is not said has its documented default") func defaults() throws {
        let text = """
            <playbook xmlns="urn:fsdns:playbook:1" name="p" summary="s" rollback="no">
              <drain target="fs1"/><drain target="fs2" deadline="10m"/>
              <undrain node="fs1"/><switchover seat="master1"/><lower-ttl to="1s"/>
              <wait for="5s"/><run program="/b"/><check headroom="0"/><approve ask="?"/><fail node="fs1"/>
              <notify webhook="http://a/"/>
              <for-each over="nodes"><wait for="5s"/></for-each>
              <for-each over="fs1 fs2 fs3" at-most="2" pause="5s"><wait for="5s"/></for-each>
            </playbook>
            """
        let playbook = try desk.read(Array(text.utf8), [:]).playbook
        let seconds = playbook.steps.map { $0.timeout.components.seconds }
        #expect(seconds == [14_400, 1500, 300, 300, 3600, 65, 330, 300, 3600, 60, 30, 260, 140])
        #expect(playbook.schedule == nil && playbook.window == nil)
        #expect(playbook.aborts == PlaybookAborts())
        #expect(!playbook.rollsBack)
    }

    @Test("one time is an instant; of a time that comes twice the first, with a warning") func once() throws {
        let text = { (at: String) in
            goodPlaybook.replacing("cron=\"30 2 * * tue\"", with: "at=\"\(at)\"")
                .replacing("days=\"mon-wed\"", with: "days=\"sun mon\"")
        }
        let plain = try desk.read(Array(text("2026-11-23T02:30:15").utf8))
        #expect(plain.playbook.schedule == .once(WallTime(seconds: 1_795_397_415)))
        #expect(plain.warnings == [])
        let twice = try desk.read(Array(text("2026-10-25T02:30").utf8))
        #expect(twice.playbook.schedule == .once(WallTime(seconds: 1_792_888_200)))
        #expect(
            twice.warnings.map(\.description) == [
                "p.xml:4: <schedule> at= comes twice in Berlin, where clocks are set back; the first is meant, "
                    + "2026-10-25 02:30 CEST"
            ])
    }

    @Test("a parameter that is used nowhere is worth a warning") func unused() throws {
        let text = goodPlaybook.replacing("summary=\"Upgrade ${what}.\"", with: "summary=\"x\"")
            .replacing("reason=\"${what}\"", with: "")
        #expect(
            try desk.read(Array(text.utf8)).warnings.map(\.description)
                == ["p.xml:2: parameter \"what\" is used nowhere"])
    }

    @Test("the timeline tells when each step begins, for each item") func timeline() throws {
        let text = """
            <playbook xmlns="urn:fsdns:playbook:1" name="p" summary="Two at once.">
              <window from="22:00" to="02:00" days="fri sat" zone="Berlin"/>
              <abort-if node-fails="no" quorum-thin="no"/>
              <lower-ttl to="5s" timeout="2m"/>
              <for-each over="fs1 fs2 fs3" at-most="2" pause="10s">
                <drain target="${item}" deadline="0s" on-deadline="handover" timeout="1m"/>
                <wait for="20s" timeout="30s"><undo><run program="/bin/u"><argument>a b</argument></run></undo></wait>
              </for-each>
              <approve ask="Well?" timeout="1h"/>
            </playbook>
            """
        let playbook = try desk.read(Array(text.utf8), [:]).playbook
        let timeline = playbook.timeline(.init(desk.cluster))
        #expect(
            timeline.texts(of: playbook) == [
                "p: Two at once.",
                "  due never: runs when somebody says so",
                "  window: 22:00 to 02:00 on fri sat (Berlin); at its end a run is undone",
                "  aborted when: nothing but a failed step",
                "  a failed or aborted run undoes its done steps, newest first",
                "",
                "1      at 0s           serve every record with a TTL of 5s, wait until the former one is forgotten",
                "                       at most 2m; undo: serve the former TTL again",
                "2      1m to 2m        for each of fs1, fs2, fs3, at most 2 at once, a pause of 10s after each",
                "                       at most 3m20s",
                "  fs1:",
                "  2.1  1m to 2m        drain fs1, calls are not waited for: handover",
                "                       at most 1m; undo: undrain the node it put into maintenance",
                "  2.2  1m to 3m        wait 20s",
                "                       at most 30s; undo: /bin/u \"a b\" on the leader",
                "  fs2:",
                "  2.1  1m to 2m        drain fs2, calls are not waited for: handover",
                "                       at most 1m; undo: undrain the node it put into maintenance",
                "  2.2  1m to 3m        wait 20s",
                "                       at most 30s; undo: /bin/u \"a b\" on the leader",
                "  fs3:",
                "  2.1  1m30s to 3m40s  drain fs3, calls are not waited for: handover",
                "                       at most 1m; undo: undrain the node it put into maintenance",
                "  2.2  1m30s to 4m40s  wait 20s",
                "                       at most 30s; undo: /bin/u \"a b\" on the leader",
                "3      1m50s to 5m20s  WAITS FOR APPROVAL: Well?",
                "                       given up after 1h",
                "",
                "the run takes between 1m50s and 1h5m20s, and the undoing of its steps after that if it fails",
            ])
        #expect(timeline.earliestEnd == .seconds(60 + 50))
        #expect(timeline.latestEnd == .seconds(120 + 200 + 3600))
        #expect(timeline.lines.map(\.number) == ["1", "2", "2.1", "2.2", "2.1", "2.2", "2.1", "2.2", "3"])
        #expect(timeline.lines[6].earliest == .seconds(90))
        #expect(timeline.lines[6].latest == .seconds(220))
        #expect(timeline.lines[8].waitsForApproval)
    }

    @Test("the node in maintenance is told by its name, or by the seat it held") func drained() throws {
        let text = { (target: String) in
            """
            <playbook xmlns="urn:fsdns:playbook:1" name="p" summary="s">
              <drain target="\(target)"/><undrain node="${node}"/>
            </playbook>
            """
        }
        let told = { (target: String) in
            try desk.read(Array(text(target).utf8), [:]).playbook.timeline(.init(desk.cluster)).lines.last?
                .text
        }
        #expect(try told("fs3") == "undrain fs3")
        #expect(try told("master2") == "undrain the node drained of master2")
    }

    @Test("items that are not known yet are shown once") func unknownItems() throws {
        let text = goodPlaybook.replacing("<check options=\"alpha\"/>", with: "")
        let playbook = try desk.read(Array(text.utf8), knowsCluster: false).playbook
        let timeline = playbook.timeline(seats: nil, nodes: nil)
        #expect(
            timeline.lines.filter { $0.number == "3.1" }.map(\.text) == [
                "drain ${item}, calls have 20m, then handover (FreeSWITCH)"
            ])
        #expect(
            playbook.timeline(seats: nil, nodes: ["a", "b"]).lines.filter { $0.number == "3.1" }.count == 2)
    }
}

/// The playbooks that come with the program, held against the clusters that do.
@Suite struct ShippedPlaybookTests {
    static let parameters: [String: [String: String]] = [
        "drain-one": ["target": "master2"],
        "evacuate": ["nodes": "fs1 fs3"],
        "failover-drill": ["victim": "fs2"],
        "rolling-upgrade": ["version": "1.10.12"],
    ]

    private func read(_ name: String, _ parameters: [String: String], _ cluster: String?) throws
        -> PlaybookFile
    {
        try PlaybookFile.read(
            path: "\(repository)/playbooks/\(name).xml", parameters: parameters,
            cluster: try cluster.map { try ClusterFile.load(path: "\(repository)/config/\($0)").settings },
            zones: ZoneInfo(folder: "/none"))
    }

    @Test("each is valid for the example cluster, and without one", arguments: parameters)
    func valid(_ name: String, _ parameters: [String: String]) throws {
        let file = try read(name, parameters, "cluster.xml")
        #expect(file.playbook.name == name)
        #expect(file.warnings == [])
        #expect(try read(name, parameters, nil).warnings == [])
        // The loopback example has a TTL of its own of five seconds.
        #expect(try read(name, parameters, "loopback.xml").playbook == file.playbook)
    }

    @Test("the example of the language's reference is a playbook") func documented() throws {
        let page = try textOfFile(repository + "/docs/playbooks.md")
        let parts = page.split(separator: "```", omittingEmptySubsequences: false)
        let example = try #require(parts.first { $0.hasPrefix("xml\n<playbook") }).dropFirst(4)
        let text = example.replacing("Europe/Berlin", with: "UTC")
        let settings = try ClusterFile.load(path: "\(repository)/config/cluster.xml").settings
        let file = try PlaybookFile.read(
            text: Array(text.utf8), path: "docs/playbooks.md", cluster: settings,
            zones: ZoneInfo(folder: "/none"))
        #expect(file.warnings == [])
    }

    @Test("no playbook ships without this test") func complete() throws {
        let folder = try #require(opendir("\(repository)/playbooks"))
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".xml") { names.append(String(name.dropLast(4))) }
        }
        #expect(names.sorted() == Self.parameters.keys.sorted())
    }

    @Test("a rolling upgrade visits every node once, and is short of its window") func rolling() throws {
        let file = try read("rolling-upgrade", ["version": "2"], "cluster.xml")
        let settings = try ClusterFile.load(path: "\(repository)/config/cluster.xml").settings
        let timeline = file.playbook.timeline(.init(settings))
        let drains = timeline.lines.filter { $0.text.hasPrefix("drain ") }
        #expect(drains.compactMap(\.item) == ["fs1", "fs2", "fs3", "fs4", "fs5"])
        #expect(timeline.earliestEnd < .seconds(5 * 3600))
    }
}
