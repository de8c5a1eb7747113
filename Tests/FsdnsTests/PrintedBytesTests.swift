import Cluster
import Config
import ControlProtocol
import FoundationEssentials
import PeerProtocol
import TestSupport
import Testing

@testable import fsdns

/// What `--format json` makes of answers that were recorded, as text that was recorded. When those answers are recorded anew
/// this must be done twice: the documents are made of what was recorded before.
@Suite("Recorded JSON of commands")
struct PrintedBytesTests {
    private let zones = ZoneInfo(folder: "/none")

    private func answer(_ name: String, version: Int = 1) throws -> ControlResponse {
        let recorded = try Golden("response", as: .json, version: version, of: "PeerProtocolTests").recorded(
            name)
        return try ControlJSON.decode(ControlResponse.self, recorded, field: "response")
    }

    private func printed(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("every document is the text that was recorded") func documents() throws {
        var documents: [(name: String, bytes: [UInt8])] = []
        for suffix in ["", "-plain"] {
            if case .reply(.status(let report)) = try answer("reply-status\(suffix)") {
                let document = StatusDocument(report, now: Date(timeIntervalSince1970: 1_795_485_600))
                documents.append(("status\(suffix)", printed(JSONText.pretty(document))))
            }
            if case .reply(.zone(let report)) = try answer("reply-zone\(suffix)") {
                documents.append(("zone\(suffix)", printed(JSONText.pretty(ZoneDocument(report)))))
            }
            if case .reply(.playbooks(let report)) = try answer("reply-playbooks\(suffix)") {
                let list = PlaybookListDocument(report, zones: zones)
                documents.append(("playbook-list\(suffix)", printed(JSONText.pretty(list))))
                let history = PlaybookHistoryDocument(report.finished)
                documents.append(("playbook-history\(suffix)", printed(JSONText.pretty(history))))
            }
        }
        #expect(documents.count == 8)
        documents += try shared()
        #expect(try Golden("document", as: .json).faults(documents) == [])
    }

    @Test("a status with releases and formats is the text that was recorded") func released() throws {
        guard case .reply(.status(let report)) = try answer("reply-status", version: 2) else {
            Issue.record("no status")
            return
        }
        let document = StatusDocument(report, now: Date(timeIntervalSince1970: 1_795_485_600))
        #expect(
            try Golden("document", as: .json, version: 2).faults([
                ("status", printed(JSONText.pretty(document)))
            ]) == [])
    }

    private func shared() throws -> [(name: String, bytes: [UInt8])] {
        var documents: [(name: String, bytes: [UInt8])] = []
        if case .shared(.calls(let lines)) = try answer("shared-calls") {
            documents.append(("calls", printed(JSONText.pretty(lines))))
        }
        if case .shared(.registrations(let lines)) = try answer("shared-registrations") {
            documents.append(("registrations", printed(JSONText.pretty(lines))))
        }
        if case .shared(.limits(let lines)) = try answer("shared-limits") {
            documents.append(("limits", printed(JSONText.pretty(lines))))
        }
        if case .shared(.deeds(let lines)) = try answer("shared-deeds"),
            case .shared(.recoveries(let recoveries)) = try answer("shared-recoveries")
        {
            let history = HistoryDocument(deeds: lines.map(HistoryDocument.Deed.init), recoveries: recoveries)
            documents.append(("history", printed(JSONText.pretty(history))))
            for (name, fault) in [("whole", nil), ("changed", "entry 1 is not what was written")] {
                let verdict = HistoryDocument.Verdict(lines, fault: fault)
                documents.append(("history-\(name)", printed(JSONText.pretty(verdict))))
            }
        }
        if case .event(let line) = try answer("event-takeover") {
            documents.append(("event", printed(EventText.json(line))))
        }
        #expect(documents.count == 7)
        return documents
    }
}
