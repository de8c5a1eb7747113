import Consensus
import PeerProtocol
import Primitives

@testable import Cluster

// What nodes and operators ask of each other.

extension Sample {
    static var requests: [(name: String, value: OperatorRequest)] {
        let drain = DrainRequest(
            target: "master1", deadline: .seconds(3600), onDeadline: .handover, reason: "kernel update",
            dryRun: true, who: "ann@ops", force: true, returnAfter: .seconds(7200))
        let plain = DrainRequest(
            target: "fs1", deadline: nil, onDeadline: .wait, reason: "", dryRun: false, who: "")
        let playbooks: [(name: String, value: PlaybookRequest)] = [
            ("run", .run(playbook, who: "ann@ops", dryRun: true, ignoresWindow: true)),
            ("schedule", .schedule(playbook, who: "ann@ops")),
            ("unschedule", .unschedule(name: "upgrade", who: "ann@ops")),
            ("cancel", .cancel(who: "ann@ops")), ("approve", .approve(who: "ann@ops")), ("list", .list),
            ("history", .history),
        ]
        return [
            ("status", .status), ("drain", .drain(drain)), ("drain-plain", .drain(plain)),
            ("abort-drain", .abortDrain(who: "ann@ops")),
            ("undrain", .undrain(node: "fs1", who: "ann@ops")),
            ("switchover", .switchover(seat: "master1", to: "fs2", dryRun: true, who: "ann@ops")),
            ("switchover-plain", .switchover(seat: "master1", to: nil, dryRun: false, who: "ann@ops")),
            ("zone", .zone), ("zone-apply", .zoneApply(adopt: true, who: "ann@ops")),
            ("forget", .forget(node: "fs3", who: "ann@ops")),
            ("revoke", .revoke(node: "fs3", who: "ann@ops")),
            ("vacate", .vacate(who: "root@fs1")),
            ("recover-quorum", .recoverQuorum(lost: ["fs2", "fs3"], dryRun: true, who: "ann@ops")),
        ] + playbooks.map { ("playbook-\($0.name)", .playbook($0.value)) }
    }

    static var replies: [(name: String, value: OperatorReply)] {
        [
            ("status", .status(status)), ("status-plain", .status(plainStatus)),
            ("accepted", .accepted(epoch(41), ["fs2 takes 10.77.0.19", "calls end"])),
            ("plan", .plan(["fs2 takes 10.77.0.19"])), ("refused", .refused(["no spare", "no quorum"])),
            ("zone", .zone(zone)), ("zone-plain", .zone(plainZone)),
            ("unavailable", .unavailable("no leader")), ("playbooks", .playbooks(playbookReport)),
            (
                "playbooks-plain",
                .playbooks(PlaybookReport(schedules: [], run: nil, finished: [], audit: []))
            ),
        ]
    }
}

// MARK: - Reports

extension Sample {
    static var status: StatusReport {
        StatusReport(
            cluster: "pbx", node: "fs1", leader: "fs1", term: 3, epoch: "3.117",
            quorum: StatusReport.Quorum(votes: 5, needed: 3, have: 4), nodes: [node], seats: seats,
            maintenance: StatusReport.MaintenanceLine(
                addresses: ["10.77.0.19"], drain: drainLine, names: ["spare"]),
            dns: StatusReport.DNSLine(
                zone: "voip.example.net", converged: true, epoch: "3.117",
                servers: [
                    StatusReport.DNSLine.Server(
                        address: "10.77.0.2:53", serial: 2_026_112_101, converged: true,
                        problem: "no answer")
                ], problem: "REFUSED", ttl: 60),
            warnings: ["no slave is left"], forming: "2 of 3 nodes are heard",
            playbook: StatusReport.PlaybookLine(
                name: "upgrade", step: 2, of: 3, title: "run /bin/up on fs2", phase: "running",
                waitingFor: "approval", who: "ann@ops"),
            paths: [
                StatusReport.PathLine(node: "fs1", kind: "multicast", ring: "10.77.0.0/24", peers: ["fs2"])
            ])
    }

    static var plainStatus: StatusReport {
        StatusReport(
            cluster: "pbx", node: "fs1", leader: nil, term: 0, epoch: "0.0",
            quorum: StatusReport.Quorum(votes: 0, needed: 0, have: 0), nodes: [], seats: [],
            maintenance: StatusReport.MaintenanceLine(addresses: [], drain: nil, names: nil), dns: nil,
            warnings: [], forming: nil, playbook: nil, paths: nil)
    }

    private static var node: StatusReport.NodeLine {
        StatusReport.NodeLine(
            name: "fs1", role: .master, position: 1, seat: "master1", addresses: ["10.77.0.11"],
            lease: "valid", freeswitch: .healthy, calls: 412, registrations: 824, lastHeardMs: 12,
            voter: true, incarnation: "3-0badcafe", configurationDiffers: true,
            note: "no real-time scheduling", ready: true, blockers: ["eth1 has no carrier"],
            heardBy: [StatusReport.HearingLine(node: "fs2", ms: 9)])
    }

    private static var seats: [StatusReport.SeatLine] {
        let states: [StatusReport.SeatLine.State] = [.active, .draining, .moving, .uncovered]
        let verdicts: [StatusReport.SightLine.Verdict] = [.served, .silent, .refused]
        return states.map { state in
            StatusReport.SeatLine(
                name: "master1", address: "10.77.0.11", addressName: "alpha", holder: "fs1", state: state,
                published: true, isPublicationKnown: true, epoch: "3.9", trouble: "no slave is ready",
                seen: verdicts.map {
                    StatusReport.SightLine(node: "fs2", verdict: $0, station: "02:00:5e:10:00:01")
                }, heardBy: ["fs2"], unheardBy: "fs3", isStateKnown: true)
        }
    }

    private static var drainLine: StatusReport.DrainLine {
        StatusReport.DrainLine(
            seat: "master1", from: "fs1", to: "fs2", phase: .waitingForCalls, oldAddress: "10.77.0.11",
            newAddress: "10.77.0.19", callsLeft: 371, registrationsLeft: 12, deadlineSeconds: 2530,
            onDeadline: .handover, owner: "ann@ops", reason: "kernel update",
            waitingFor: "371 calls on 10.77.0.11", recoverable: 360, callsPerMinute: 12.5,
            estimateSeconds: 1780, standstillSeconds: 3, phaseSeconds: 90, returnAfterSeconds: 7200,
            drain: "3.40")
    }

    private static var playbookReport: PlaybookReport {
        let outcomes: [FinishedRun.Outcome] = [
            .done, .rolledBack("no"), .rolledBackPartly("no"), .failed("no"), .skipped("late"),
        ]
        return PlaybookReport(
            schedules: [
                PlaybookReport.Schedule(
                    name: "upgrade", summary: "To 6.12.", who: "ann@ops", schedule: cron,
                    window: playbook.window, next: wall(3600), note: "the clock was set back"),
                PlaybookReport.Schedule(
                    name: "once", summary: "", who: "", schedule: .once(wall(60)), window: nil),
            ],
            run: PlaybookReport.Run(
                id: epoch(50), name: "upgrade", summary: "To 6.12.", who: "ann@ops", due: wall(0),
                wall: wall(2), age: 75, remaining: 600, phase: "undoing", trouble: "step 3 failed",
                steps: [
                    PlaybookReport.Step(
                        line: 4, title: "drain master1", outcome: "done", waitingFor: "calls",
                        undone: "fs1 is back", node: "fs1", output: "ok\n")
                ]), finished: outcomes.enumerated().map { finished($1, number: UInt64($0)) },
            audit: [deed, numbered])
    }

    private static var numbered: AuditEntry {
        var entry = deed
        entry.number = 7
        return entry
    }
}

// MARK: - The zone

extension Sample {
    static let mark = ZoneRecord(
        name: "_fsdns.sip.voip.example.net", ttl: 60,
        content: .txt("v=1 cluster=pbx/d1d2d3d4d5d6d7d8 epoch=3.117"))

    private static var records: [ZoneRecord] {
        [
            ZoneRecord(name: "sip.voip.example.net", ttl: 60, content: .address(ip("10.77.0.11"))),
            ZoneRecord(name: "sip.voip.example.net", ttl: 60, content: .address(ip("2001:db8::12"))),
            ZoneRecord(
                name: "_sip._udp.voip.example.net", ttl: 60,
                content: .srv(priority: 20, weight: 30, port: 5060, target: "master1.voip.example.net")),
            mark,
        ]
    }

    static var zone: ZoneReport {
        ZoneReport(
            zone: "voip.example.net", questions: [ZoneQuestion(name: "sip.voip.example.net", type: "A")],
            desired: records,
            readings: [
                ServerReading(
                    endpoint: endpoint("10.77.0.2:53"), outcome: .read(serial: 7, records: [mark]),
                    aliases: [ZoneAlias(name: "sip.voip.example.net", target: "old.example.net")],
                    isUnsigned: true),
                ServerReading(endpoint: endpoint("[2001:db8::2]:53"), outcome: .failed("no answer")),
            ], steps: ["add 10.77.0.11"],
            update: ZoneUpdate(
                zone: "voip.example.net", expected: mark, required: [mark],
                epochName: "_fsdns.sip.voip.example.net", delete: [mark], add: records),
            held: "the zone is another cluster's", troubles: ["REFUSED"], notices: ["a foreign record"])
    }

    static var plainZone: ZoneReport {
        ZoneReport(
            zone: "voip.example.net", questions: [], desired: [], readings: [], steps: [], update: nil,
            held: nil)
    }
}
