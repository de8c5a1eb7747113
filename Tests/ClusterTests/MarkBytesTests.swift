import Primitives
import TestSupport
import Testing

@testable import Cluster

/// The mark in the zone, as text that was recorded.
@Suite("Recorded text of the mark in the zone")
struct MarkBytesTests {
    private let settings = DNSSettings(
        zone: "voip.example.net", ttl: .seconds(60), floor: 1, servers: [], services: ["sip"],
        seatNames: false, srv: [])

    private func mark(_ text: String) -> ZoneRecord {
        ZoneRecord(name: "_fsdns.sip.voip.example.net", ttl: 60, content: .txt(text))
    }

    @Test("the mark is the text that was recorded, of the cluster by its name and id, and is known again")
    func text() throws {
        let desired = DesiredZone(
            settings: settings, writer: "pbx/d1d2d3d4d5d6d7d8", records: [], ours: [])
        let record = desired.epochRecord(Epoch(term: 3, index: 117))
        guard case .txt(let text) = record.content else { return }
        let golden = Golden("mark", as: .text)
        #expect(try golden.faults([("mark", Array(text.utf8)), ("name", Array(record.name.utf8))]) == [])
        let read = EpochMark(String(decoding: try golden.recorded("mark"), as: UTF8.self))
        #expect(read?.writer == desired.writer)
        #expect(read?.epoch == Epoch(term: 3, index: 117))
    }

    @Test("a mark of another version is somebody else's record, and stays")
    func newer() {
        let desired = DesiredZone(settings: settings, writer: "pbx/1f", records: [], ours: [])
        let newer = mark("v=2 cluster=pbx/1f epoch=3.12")
        let marks = desired.marks(in: [newer])
        #expect(marks.own.isEmpty)
        #expect(marks.foreign == [newer])
    }
}
