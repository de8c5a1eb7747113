import Calendar
import Config
@preconcurrency import Glibc
import Testing

@testable import fsdns

@Suite struct PlaybookCommandTests {
    private static let repository = #filePath.split(separator: "/").dropLast(3).reduce(into: "") {
        $0 += "/" + $1
    }

    private func read(_ text: String) throws -> PlaybookText {
        let file = try PlaybookFile.read(
            text: Array(text.utf8), path: "p.xml", cluster: nil, zones: ZoneInfo(folder: "/none"))
        return PlaybookText(file: file, facts: .init(), zones: ZoneInfo(folder: "/none"))
    }

    private let nightly = """
        <playbook xmlns="urn:fsdns:playbook:1" name="night" summary="Says hello.">
          <schedule cron="0 2 * * mon-tue" zone="UTC"/>
          <window from="01:00" to="03:00" days="tue" zone="Etc/UTC"/>
          <wait for="5s"/>
        </playbook>
        """
    /// 2026-11-24, a Tuesday.
    private let tuesday = WallTime(seconds: 1_795_478_400)

    @Test("the timeline is followed by the next three due times, and whether a run starts then") func lines()
        throws
    {
        #expect(
            try read(nightly).lines(at: tuesday).suffix(5) == [
                "the run takes between 5s and 1m5s, and the undoing of its steps after that if it fails",
                "next due:",
                "  2026-11-24 02:00 UTC, 2026-11-24T02:00:00Z",
                "  2026-11-30 02:00 UTC, 2026-11-30T02:00:00Z: outside the window, does not start",
                "  2026-12-01 02:00 UTC, 2026-12-01T02:00:00Z",
            ])
    }

    @Test("the document has the same, in milliseconds") func document() throws {
        let document = try read(nightly).document(at: tuesday)
        #expect(document.due.map(\.starts) == [true, false, true])
        #expect(document.steps.map(\.timeoutMs) == [65_000])
        #expect(document.latestEndMs == 65_000)
        #expect(JSONText.compact(document).contains("\"undo\":null"))
    }

    @Test("a time that has passed is due no more, and a playbook without a schedule never") func passed()
        throws
    {
        let once = nightly.replacing("cron=\"0 2 * * mon-tue\"", with: "at=\"2026-11-24T02:00\"")
        #expect(
            try read(once).lines(at: tuesday).last
                == "  2026-11-24T02:00:00Z".replacing("  ", with: "  2026-11-24 02:00 UTC, "))
        #expect(
            try read(once).lines(at: WallTime(seconds: tuesday.seconds + 7200)).last == "not due any more")
        let never = nightly.replacing("<schedule cron=\"0 2 * * mon-tue\" zone=\"UTC\"/>", with: "")
        #expect(try read(never).lines(at: tuesday).last?.hasPrefix("the run takes") == true)
    }

    @Test("a shipped playbook is checked with exit code 0, a slip with 2") func exitCodes() {
        let file = Self.repository + "/playbooks/drain-one.xml"
        let config = Self.repository + "/config/cluster.xml"
        let check = ["playbook", "check", file, "--config", config]
        #expect(Program.status(of: check + ["--parameter", "target=master2"]) == 0)
        #expect(Program.status(of: check + ["--parameter", "target=master2", "--format", "json"]) == 0)
        #expect(Program.status(of: check) == 2)
        #expect(Program.status(of: check + ["--parameter", "target=master9"]) == 2)
        #expect(Program.status(of: check + ["--parameter", "target"]) == 2)
        #expect(Program.status(of: check + ["--parameter", "target=a", "--parameter", "target=b"]) == 2)
        #expect(Program.status(of: ["playbook", "check", "/none.xml"]) == 2)
    }
}
