import Cluster
import Primitives
import Testing

@testable import fsdns

@Suite struct ZoneRenderingTests {
    private static func address(_ name: String, _ ip: String) throws -> ZoneRecord {
        ZoneRecord(name: name, ttl: 60, content: .address(try #require(IPAddress(ip))))
    }

    private static func endpoint(_ text: String) throws -> Endpoint { try #require(Endpoint(text)) }

    /// master1 is to leave the zone, master2 to enter it; the second server cannot be read.
    private static func report() throws -> ZoneReport {
        let old = try address("sip.voip.example.net", "10.77.0.11")
        let new = try address("sip.voip.example.net", "10.77.0.19")
        let epoch = ZoneRecord(name: "_fsdns.sip.voip.example.net", ttl: 60, content: .txt("3.117"))
        let next = ZoneRecord(name: "_fsdns.sip.voip.example.net", ttl: 60, content: .txt("3.118"))
        return ZoneReport(
            zone: "voip.example.net", questions: [], desired: [new],
            readings: [
                .init(
                    endpoint: try endpoint("127.0.0.1:5353"),
                    outcome: .read(serial: 7, records: [epoch, old])),
                .init(endpoint: try endpoint("127.0.0.2:5353"), outcome: .failed("no answer in 1s")),
            ], steps: ["add 10.77.0.19: master1 moved there"],
            update: ZoneUpdate(
                zone: "voip.example.net", expected: epoch, epochName: "_fsdns.sip.voip.example.net",
                delete: [epoch, old], add: [next, new]), held: nil)
    }

    @Test("show marks what is to come and what is to go, server by server")
    func show() throws {
        let text = ZoneReportText(paint: .off, width: nil).show(try Self.report())
        #expect(
            text.joined(separator: "\n") == """
                Zone voip.example.net

                Server 127.0.0.1:5353, serial 7
                  _fsdns.sip.voip.example.net. 60 IN TXT "3.117"
                - sip.voip.example.net. 60 IN A 10.77.0.11
                + sip.voip.example.net. 60 IN A 10.77.0.19

                Server 127.0.0.2:5353: not read: no answer in 1s
                """)
    }

    @Test("check names every server that does not answer what it should")
    func faults() throws {
        #expect(
            ZoneReportText.faults(try Self.report()) == [
                "to do: add 10.77.0.19: master1 moved there",
                "127.0.0.1:5353 lacks sip.voip.example.net. 60 IN A 10.77.0.19",
                "127.0.0.1:5353 still serves sip.voip.example.net. 60 IN A 10.77.0.11",
                "127.0.0.2:5353 was not read: no answer in 1s",
            ])
    }

    @Test("a zone that is as it should be has no faults and nothing planned")
    func converged() throws {
        var report = try Self.report()
        report.readings = [
            .init(
                endpoint: try Self.endpoint("127.0.0.1:5353"),
                outcome: .read(serial: 8, records: report.desired))
        ]
        report.steps = []
        report.update = nil
        #expect(ZoneReportText.faults(report).isEmpty)
        #expect(
            ZoneReportText(paint: .off, width: nil).plan(report)
                == ["Nothing to do: voip.example.net is as it should be."])
        #expect(try NSUpdateScript.lines(report) == ["; nothing to do: the zone is as it should be"])
    }

    @Test("the script for nsupdate holds the epoch's prerequisite and exactly the planned records")
    func script() throws {
        #expect(
            try NSUpdateScript.lines(try Self.report()).joined(separator: "\n") == """
                ; add 10.77.0.19: master1 moved there
                server 127.0.0.1 5353
                zone voip.example.net.
                prereq yxrrset _fsdns.sip.voip.example.net. IN TXT "3.117"
                update delete _fsdns.sip.voip.example.net. IN TXT "3.117"
                update delete sip.voip.example.net. IN A 10.77.0.11
                update add _fsdns.sip.voip.example.net. 60 IN TXT "3.118"
                update add sip.voip.example.net. 60 IN A 10.77.0.19
                send
                """)
    }

    @Test("without an epoch record the script demands that there is none")
    func firstScript() throws {
        var report = try Self.report()
        report.update?.expected = nil
        #expect(
            try NSUpdateScript.lines(report).contains("prereq nxrrset _fsdns.sip.voip.example.net. IN TXT"))
    }
}
