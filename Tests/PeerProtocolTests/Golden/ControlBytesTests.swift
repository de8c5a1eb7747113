import ControlProtocol
import PeerProtocol
import Primitives
import TestSupport
import Testing

@testable import Cluster

/// What commands and the node service say to each other, as JSON that was recorded.
@Suite("Recorded bytes of the control socket")
struct ControlBytesTests {
    private let requests: [(name: String, value: ControlRequest)] =
        Sample.requests.map { ("ask-\($0.name)", ControlRequest(.ask($0.value), until: 5_000_000_000)) }
        + SharedKind.allCases.map { ("shared-\($0.rawValue)", ControlRequest(.shared($0))) } + [
            ("rings", ControlRequest(.rings)),
            ("events", ControlRequest(.events(follow: true, after: 300))),
        ]

    private let responses: [(name: String, value: ControlResponse)] =
        Sample.replies.map { ("reply-\($0.name)", .reply($0.value)) }
        + ClusterEvent.Kind.allCases.map { ("event-\($0.rawValue)", .event(Self.event($0))) }
        + Self.parts.map { ("shared-\($0.name)", .shared($0.value)) } + [
            ("rings", .rings(Self.rings)), ("end", .end), ("failure", .failure("the request is malformed")),
        ]

    @Test("every request is the line that was recorded, and is read from it")
    func asked() throws {
        #expect(
            try Golden("request", as: .json).faults(
                requests, write: ControlJSON.encode,
                read: { try ControlJSON.decode(ControlRequest.self, $0, field: "request") }) == [])
    }

    @Test("every answer is the line that was recorded, and is read from it")
    func answered() throws {
        #expect(
            try Golden("response", as: .json).faults(
                responses, write: ControlJSON.encode,
                read: { try ControlJSON.decode(ControlResponse.self, $0, field: "response") }) == [])
    }

    @Test("what was added to answers with format 2 is the line that was recorded, and is read from it")
    func second() throws {
        let answers: [(name: String, value: ControlResponse)] = [
            ("reply-status", .reply(.status(Sample.statusOfSecond))),
            ("reply-zone", .reply(.zone(Sample.zoneOfSecond))),
        ]
        #expect(
            try Golden("response", as: .json, version: 2).faults(
                answers, write: ControlJSON.encode,
                read: { try ControlJSON.decode(ControlResponse.self, $0, field: "response") }) == [])
    }

    @Test("no case, and no field, is without recorded bytes")
    func coverage() {
        let samples: [Any] =
            requests.map(\.value) + responses.map(\.value) + Sample.laterRequests + [
                Sample.statusOfSecond, Sample.zoneOfSecond,
            ]
            + [Drain.Phase.allCases, Drain.OnDeadline.allCases]
            + [Role.allCases, SwitchReport.Health.allCases]
        #expect(Coverage(samples, leaves: [IPAddress.self]).gaps == [])
    }

    @Test("roles and conditions of a switch are the words that were recorded")
    func words() throws {
        let words: [(name: String, bytes: [UInt8])] = [
            ("roles", ControlJSON.encode(Role.allCases)),
            ("freeswitch", ControlJSON.encode(SwitchReport.Health.allCases)),
        ]
        #expect(try Golden("status", as: .json).faults(words) == [])
    }

    private static func event(_ kind: ClusterEvent.Kind) -> EventLine {
        EventLine(
            sequence: 300, time: "2026-11-21T12:00:00.000Z", node: "fs1",
            event: ClusterEvent(kind, "master1", "fs1 → fs2", epoch: Sample.epoch(41)))
    }

    private static var rings: RingsReport {
        var path = RingsReport.Path(
            peer: "fs2", network: "10.77.0.0/24", local: "10.77.0.1:5405", remote: "10.77.0.2:5405",
            lossPerMille: 3, gapMedianMs: 24.5, gapMaxMs: 30.25, lastHeardMs: 12, condition: "ok")
        path.multicastMs = 12
        path.unicastMs = 13
        path.speaksMulticast = true
        var report = RingsReport(
            node: "fs1", paths: [path], dropped: [RingsReport.Count(reason: "version", count: 2)],
            warnings: ["no multicast"])
        report.links = [RingsReport.Link(peer: "fs2", agreement: "fsdns/1.1", replica: "fsdns/1")]
        report.faults = ["fs2 has no certificate"]
        return report
    }

    private static var parts: [(name: String, value: SharedPart)] {
        let line = AuditLine(Sample.deed, after: nil)
        var second = Sample.deed
        second.number = 2
        return [
            (
                "registrations",
                .registrations([
                    RegistrationLine(
                        user: "1001@voice.example.net", contact: "sip:1001@10.0.0.9", address: "alpha",
                        node: "fs1", expiresSeconds: 300, transport: "udp", survivesTakeover: true,
                        userAgent: "Yealink")
                ])
            ),
            (
                "calls",
                .calls([
                    CallLine(
                        uuid: "0bf2d8e5", otherUUID: "1bf2d8e5", address: "alpha", node: "fs1",
                        from: "1001", to: "1002", phase: "answered", seconds: 75, isRecoverable: true,
                        reason: "its media are secured")
                ])
            ),
            (
                "limits",
                .limits([
                    LimitUseLine(
                        kind: "hash", key: "outbound_trunk", total: 3, nodes: [.init(node: "fs1", count: 3)])
                ])
            ),
            (
                "recoveries",
                .recoveries([
                    RecoveryLine(
                        time: "2026-11-21T12:00:00.000Z", address: "alpha", node: "fs2", epoch: "3.41",
                        legs: 4, recovered: 3, lost: [.init(uuid: "0bf2d8e5", reason: "no media")],
                        left: .init(
                            why: "alpha went to fs3", legs: 1,
                            open: [.init(uuid: "3c11a0b2", reason: "not back yet")]), stayed: 1,
                        milliseconds: 420)
                ])
            ), ("audit", .audit([LimitCorrectionLine(node: "fs1", text: "one leg counts no more")])),
            ("deeds", .deeds([line, AuditLine(second, after: line)])),
            ("deeds-fault", .deedsFault("entry 3 does not follow entry 1")),
        ]
    }
}
