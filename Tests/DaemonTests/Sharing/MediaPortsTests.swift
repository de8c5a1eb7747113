import Testing

@testable import Daemon

/// RTP ports of the machines.
@Suite struct MediaPortsTests {
    private func problems(_ settings: [(String, String)]) -> [MediaPorts.Problem]? {
        let text = settings.map { "<param name=\"\($0.0)\" value=\"\($0.1)\"/>" }.joined()
        return MediaPorts.problems(
            answer: "<configuration name=\"switch.conf\"><settings>\(text)</settings></configuration>",
            node: "fs1", nodes: ["fs1", "fs2", "fs3"])
    }

    @Test("without robustness, or with a range of its own, a switch harms revived calls or is harmed by them")
    func missing() {
        let robust = [("rtp-port-usage-robustness", "true")]
        func range(_ first: Int, _ last: Int) -> [(String, String)] {
            [("rtp-start-port", "\(first)"), ("rtp-end-port", "\(last)")]
        }
        #expect(problems([]) == [.notRobust, .noRange])
        #expect(problems(range(16384, 32766)) == [.notRobust])
        #expect(problems(range(16384, 32766) + robust) == [])
        #expect(problems(range(16384, 32768) + robust) == [])
        // What fs1 was given before: the calls of fs2 have ports above it.
        #expect(problems(range(16384, 20478) + robust) == [.ownRange("16384-20478")])
        #expect(problems(range(40000, 41000) + robust)?.map(\.isBlocking) == [false])
        // A configuration from elsewhere is not told.
        #expect(MediaPorts.problems(answer: "can't find anything\n", node: "fs1", nodes: ["fs1"]) == nil)
    }
}
