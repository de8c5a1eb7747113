import Cluster
import Testing

@testable import fsdns

/// What `fsdns status` shows of releases and of the format that is agreed on.
@Suite("Releases in status") struct ReleaseRenderingTests {
    private func lines(_ change: (inout StatusReport) -> Void) throws -> [String] {
        var report = try StatusFixture.report()
        report.format = 1
        for place in report.nodes.indices {
            report.nodes[place].release = "0.2.0"
            report.nodes[place].newestFormat = 1
        }
        change(&report)
        return StatusText(paint: .off, width: nil).lines(report)
    }

    @Test("nothing is said where all nodes have one release and read what is agreed on") func same() throws {
        let text = try lines { _ in }.joined()
        #expect(!text.contains("release") && !text.contains("Format"))
    }

    @Test("where they differ, each node's is its note, and so is that one does not tell") func different()
        throws
    {
        let lines = try lines {
            $0.nodes[0].release = "0.3.0"
            $0.nodes[0].newestFormat = 2
            $0.nodes[1].release = nil
        }
        #expect(lines.contains("Format 1 is agreed on; some releases read another"))
        #expect(lines.contains { $0.contains("fs1") && $0.contains("release 0.3.0") })
        #expect(lines.contains { $0.contains("fs2") && $0.contains("an earlier release") })
        #expect(lines.contains { $0.contains("no real-time scheduling; release 0.2.0") })
    }
}
