import Cluster
import Consensus
import ControlProtocol
import FoundationEssentials
import Primitives
import Testing

@testable import fsdns

@Suite struct RenderingTests {
    @Test("status shows nodes, seats, the drain, the zone and what needs attention")
    func status() throws {
        let text = StatusText(paint: .off, width: nil).lines(try StatusFixture.report())
        #expect(
            text.joined(separator: "\n") == """
                Cluster pbx · seen by fs1 · leader fs1 · term 3 · epoch 3.117
                Quorum 4/5, 3 needed: quorate

                NODE  ROLE    SEAT     ADDRESSES   LEASE    SWITCH   CALLS  REGS  HEARD  NOTE
                fs1   master  master1  10.77.0.11  valid    healthy    412   824   self
                fs2   master  master2  10.77.0.12  valid    healthy    371   742   12ms
                fs3   failed  -        -           expired  healthy      0     0  1m30s  no vote
                fs4   slave   #1       10.77.0.19  valid    healthy      0     0    8ms
                fs5   slave   #2       -           valid    healthy      0     0  never  no real-time scheduling

                SEAT     ADDRESS     NAME   HOLDER  STATE      DNS            EPOCH
                master1  10.77.0.11  alpha  fs1     active     published      3.9
                master2  10.77.0.12  beta   fs2     draining   not published  3.10
                master3  10.77.0.13  gamma  -       uncovered  not published  -

                Maintenance address: 10.77.0.19
                Drain of master2: fs2 → fs4, 10.77.0.12 → 10.77.0.19, waiting-for-calls
                  371 calls and 12 registrations left, 42m10s to the deadline (then handover); by ann@ops: kernel update
                  waits for 371 calls on 10.77.0.12
                DNS voip.example.net: NOT converged on 1 of 2 servers, epoch 3.117
                  127.0.0.1:5353 serial 2026112101
                  127.0.0.2:5353 not read: no answer
                ! master3 is uncovered: no slave is left
                """)
    }

    @Test("what the deadline of a drain does, or did, is said in plain words") func deadlines() throws {
        func text(_ phase: Drain.Phase, _ seconds: Int?, _ then: Drain.OnDeadline) throws -> String? {
            var report = try StatusFixture.report()
            report.maintenance.drain?.phase = phase
            report.maintenance.drain?.deadlineSeconds = seconds
            report.maintenance.drain?.onDeadline = then
            return report.maintenance.drain?.deadlineText
        }
        #expect(try text(.waitingForCalls, nil, .wait) == nil)
        #expect(try text(.waitingForCalls, 90, .hangup) == "1m30s to the deadline (then hangup)")
        #expect(
            try text(.waitingForCalls, -90, .wait)
                == "the deadline passed 1m30s ago: calls are waited for all the same")
        #expect(
            try text(.publishing, 0, .handover)
                == "the deadline is now (then handover)")
        #expect(try text(.lingering, -90, .handover) == "handed over: those left end by themselves at fs4")
        #expect(try text(.hangingUp, -1, .hangup) == "the deadline has passed: they are hung up")
        for phase in [Drain.Phase.rotating, .restoring, .retreating, .emptying, .aborting] {
            #expect(try text(phase, -90, .abort) == nil)
        }
    }

    @Test("calls of a switch that is not reached are marked as old in the drain's line too") func oldFigures()
        throws
    {
        var report = try StatusFixture.report()
        let at = try #require(report.nodes.firstIndex { $0.name == "fs2" })
        report.nodes[at].freeswitch = .unhealthy
        let text = StatusText(paint: .off, width: nil).lines(report)
        #expect(text.contains { $0.hasPrefix("  371? calls and 12 registrations left") }, "\(text)")
        #expect(text.contains { $0.hasPrefix("fs2") && $0.contains("371?") })
    }

    @Test("a move that left nothing to bring back is told as that") func nothingRecovered() {
        var line = RecoveryLine(
            time: "2026-11-21T10:00:00Z", address: "alpha", node: "fs1", epoch: "3.9", legs: 0, recovered: 0,
            lost: [],
            stayed: 8, milliseconds: 12)
        func text(_ line: RecoveryLine) -> String? {
            HistoryText(paint: .off, width: nil).lines([line]).first?.split(separator: ": ", maxSplits: 1)
                .last.map(String.init)
        }
        #expect(text(line) == "nothing to recover: 8 legs stayed up")
        line.stayed = 0
        #expect(text(line) == "nothing to recover: no call was left")
        line.stayed = nil
        #expect(text(line) == "nothing to recover", "of an earlier release")
        line.legs = 4
        line.recovered = 4
        line.stayed = 1
        #expect(text(line) == "4 of 4 legs recovered in 12 ms, 1 leg stayed up")
    }

    @Test("a recovery that ended as the address went on tells what is left, and calls nothing of it lost")
    func cutShort() throws {
        let line = RecoveryLine(
            time: "2026-11-21T10:00:00Z", address: "alpha", node: "fs2", epoch: "3.9", legs: 3, recovered: 1,
            lost: [],
            left: .init(
                why: "alpha went to fs3", legs: 2,
                open: ["a", "b"].map { .init(uuid: $0, reason: "it was not back yet") }),
            stayed: 0, milliseconds: 12)
        #expect(
            HistoryText(paint: .off, width: nil).lines([line]) == [
                "2026-11-21T10:00:00Z  alpha on fs2 at epoch 3.9: 1 of 3 legs recovered "
                    + "before alpha went to fs3, 2 left to the next holder",
                "    left a: it was not back yet", "    left b: it was not back yet",
            ])
        let json = JSONText.pretty(line)
        #expect(json.contains("\"why\" : \"alpha went to fs3\"") && json.contains("\"lost\" : ["))
        let former = json.replacing("\"left\"", with: "\"unknown\"")
        #expect(try JSONDecoder().decode(RecoveryLine.self, from: Data(former.utf8)).left == nil)
    }

    @Test("status shows who stands ready, who does not and why, and who reaches whom") func readiness() throws
    {
        var report = try StatusFixture.report()
        report.nodes[3].ready = true
        report.nodes[4].ready = false
        report.nodes[4].blockers = ["eth1 has no carrier"]
        report.seats[0].trouble = "fs2 and fs4 cannot reach alpha at fs1"
        report.seats[0].seen = [.init(node: "fs2", verdict: .silent), .init(node: "fs4", verdict: .served)]
        let text = StatusText(paint: .off, width: nil).lines(report)
        #expect(text.contains { $0.hasPrefix("fs4") && $0.contains("yes") })
        #expect(text.contains { $0.hasPrefix("fs5") && $0.contains("no: eth1 has no carrier") })
        #expect(text.contains { $0.hasPrefix("master1") && $0.contains("unserved") })
        #expect(text.contains { $0.hasPrefix("master1") && $0.hasSuffix("fs2 silent, fs4 yes") })
        let json = JSONText.pretty(StatusDocument(report, now: Date(timeIntervalSince1970: 0)))
        #expect(json.contains("\"ready\" : false") && json.contains("\"trouble\" : null"))
        #expect(json.contains("\"verdict\" : \"silent\""))
    }

    @Test("of what the leader does not hear, status says who does, and what is known by their words")
    func hearsay() throws {
        var report = try StatusFixture.report()
        report.nodes[1].heardBy = [.init(node: "fs4", ms: 20)]
        report.nodes[1].lastHeardMs = 12_000
        report.nodes[1].lease = "unknown"
        report.nodes[1].freeswitch = .unknown
        report.nodes[1].registrations = 0
        report.seats[0].heardBy = ["fs4", "fs5"]
        report.seats[0].unheardBy = "fs2"
        report.seats[2].unheardBy = "fs2"
        report.seats[2].isStateKnown = false
        let text = StatusText(paint: .off, width: nil).lines(report)
        let line = try #require(text.first { $0.hasPrefix("fs2") })
        #expect(line.contains("  unknown  unknown   371?     ?  12s; fs4 20ms"), "\(line)")
        #expect(text.contains { $0.contains("  held, as fs4, fs5 hear; not heard by fs2  ") })
        #expect(text.contains { $0.hasPrefix("master3") && $0.contains("  unknown to fs2  ") })
        let members = MembersText(paint: .off, width: nil).lines(report)
        #expect(members.contains { $0.hasPrefix("fs2 ") && $0.hasSuffix("12000 ms ago; fs4 20 ms ago") })
        let json = JSONText.pretty(StatusDocument(report, now: Date(timeIntervalSince1970: 0)))
        #expect(json.contains("\"stateKnown\" : false") && json.contains("\"unheardBy\" : \"fs2\""))
    }

    @Test("no line of status is wider than the terminal", arguments: [20, 40, 61])
    func narrow(width: Int) throws {
        let text = StatusText(paint: .off, width: width).lines(try StatusFixture.report())
        // The quorum and zone verdicts are the two lines that are never cut.
        let long = text.filter { $0.count > width }
        #expect(
            long.allSatisfy { $0.hasPrefix("Quorum") || $0.hasPrefix("DNS") || $0.hasPrefix("Maintenance") })
        #expect(text.contains { $0.hasSuffix("…") })
    }

    @Test("colours add nothing but escape sequences")
    func colours() throws {
        let report = try StatusFixture.report()
        let plain = StatusText(paint: .off, width: nil).lines(report).joined(separator: "\n")
        let painted = StatusText(paint: Paint(isOn: true), width: nil).lines(report).joined(separator: "\n")
        #expect(painted != plain)
        #expect(painted.replacing(/\u{1B}\[[0-9]*m/, with: "") == plain)
    }

    @Test("the status document has the promised keys, nulls included, and the deadline as wall time")
    func document() throws {
        let now = Date(timeIntervalSince1970: 1_795_000_000)
        let text = JSONText.pretty(StatusDocument(try StatusFixture.report(), now: now))
        let drain = try #require(text.firstRange(of: "\"drain\""))
        #expect(text[drain.lowerBound...].contains("\"deadline\" : \"2026-11-18T11:48:50Z\""))
        #expect(!text.contains("deadlineSeconds"))
        #expect(text.contains("\"position\" : null"))
        #expect(text.contains("\"position\" : 1"))
        #expect(text.contains("\"seat\" : null"))
        #expect(text.contains("\"forming\" : null"))
        #expect(text.contains("\"lastHeardMs\" : 12"))
        #expect(text.contains("\"address\" : \"127.0.0.1:5353\""))
        #expect(text == JSONText.pretty(StatusDocument(try StatusFixture.report(), now: now)))
    }

    @Test("a cluster without a drain says null, not nothing")
    func withoutDrain() throws {
        let report = try StatusFixture.report(drain: "")
        let text = JSONText.pretty(StatusDocument(report, now: Date()))
        #expect(text.contains("\"drain\" : null"))
    }

    @Test("members are listed as corosync-quorumtool does")
    func members() throws {
        let text = MembersText(paint: .off, width: nil).lines(try StatusFixture.report())
        #expect(
            text.joined(separator: "\n") == """
                Quorum information
                ------------------
                Cluster:          pbx
                Leader:           fs1
                Term:             3
                Nodes:            5
                Quorate:          Yes

                Vote information
                ----------------
                Expected votes:   5
                Total votes:      4
                Quorum:           3

                Membership information
                ----------------------
                NAME          VOTES  ROLE    INCARNATION  HEARD
                fs1 (leader)      1  master  1-0badcafe   (local)
                fs2               1  master  1-0badcafe   12 ms ago
                fs3               0  failed  1-0badcafe   90500 ms ago
                fs4               1  slave   1-0badcafe   8 ms ago
                fs5               1  slave   1-0badcafe   never
                """)
    }

    @Test("rings group the paths by network and end with what was dropped")
    func rings() {
        let report = RingsReport(
            node: "fs1",
            paths: [
                .init(
                    peer: "fs2", network: "ring0", local: "10.77.0.1", remote: "10.77.0.2", lossPerMille: 0,
                    gapMedianMs: 25.04, gapMaxMs: 31.26, lastHeardMs: 12, condition: "no faults"),
                .init(
                    peer: "fs2", network: "ring1", local: "10.78.0.1", remote: "10.78.0.2",
                    lossPerMille: 1000,
                    gapMedianMs: nil, gapMaxMs: nil, lastHeardMs: nil, condition: "nothing heard"),
            ], dropped: [.init(reason: "replayed", count: 3), .init(reason: "wrong key", count: 41)],
            warnings: ["SCHED_RR is not permitted"])
        let text = RingsText(paint: .off, width: nil).lines(report)
        #expect(
            text.joined(separator: "\n") == """
                Local node fs1

                Ring ring0
                PEER  LOCAL      REMOTE      LOSS      GAP      MAX  HEARD  STATUS
                fs2   10.77.0.1  10.77.0.2  0.0 %  25.0 ms  31.3 ms  12 ms  no faults

                Ring ring1
                PEER  LOCAL      REMOTE        LOSS  GAP  MAX  HEARD  STATUS
                fs2   10.78.0.1  10.78.0.2  100.0 %    -    -  never  nothing heard

                Dropped frames: replayed 3, wrong key 41

                ! SCHED_RR is not permitted
                """)
    }

    @Test("rings show each way by itself, and the links to each peer") func ways() {
        var path = RingsReport.Path(
            peer: "fs2", network: "lan", local: "10.77.0.1", remote: "10.77.0.2", lossPerMille: 0,
            gapMedianMs: 25, gapMaxMs: 31, lastHeardMs: 12, condition: "no faults")
        (path.multicastMs, path.unicastMs, path.speaksMulticast) = (4012, 12, true)
        var report = RingsReport(node: "fs1", paths: [path], dropped: [], warnings: [])
        report.links = [
            .init(peer: "fs2", agreement: "stands", replica: nil),
            .init(
                peer: "fs3", agreement: "missing since 12 s: TCP 5405 of 10.77.0.3 refuses", replica: "stands"
            ),
        ]
        #expect(
            RingsText(paint: .off, width: nil).lines(report).joined(separator: "\n") == """
                Local node fs1

                Ring lan
                PEER  LOCAL      REMOTE      LOSS      GAP      MAX  HEARD  MULTICAST  UNICAST  STATUS
                fs2   10.77.0.1  10.77.0.2  0.0 %  25.0 ms  31.0 ms  12 ms    4012 ms    12 ms  no faults

                Links
                PEER  DECISIONS                                          COPIES
                fs2   stands                                             -
                fs3   missing since 12 s: TCP 5405 of 10.77.0.3 refuses  stands
                """)
    }

    @Test("an event is a line for people and an object for programs")
    func events() {
        let event = EventLine(
            sequence: 7, time: "2026-11-21T04:00:00.125Z", node: "fs1",
            event: ClusterEvent(
                .takeover, "master3", "fs3 silent for 204 ms, fs5 takes 10.77.0.13",
                epoch: Epoch(term: 3, index: 118)))
        #expect(
            EventText.line(event, paint: .off)
                == "2026-11-21T04:00:00.125Z fs1 takeover master3: "
                + "fs3 silent for 204 ms, fs5 takes 10.77.0.13 [3.118]")
        #expect(
            EventText.json(event) == """
                {"epoch":"3.118","kind":"takeover","node":"fs1","sequence":7,"subject":"master3",\
                "text":"fs3 silent for 204 ms, fs5 takes 10.77.0.13","time":"2026-11-21T04:00:00.125Z"}
                """)
    }

    @Test("a frame wipes what it does not overwrite and fits the rows")
    func frame() {
        #expect(Screen.frame(["a", "b", "c"], rows: 3) == "\u{1B}[Ha\u{1B}[K\r\nb\u{1B}[K\r\n\u{1B}[J")
    }
}
