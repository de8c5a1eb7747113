import Testing

@testable import Daemon

/// RTP ports of a machine's own.
@Suite struct MediaPortsTests {
    @Test(
        "ranges of a cluster's machines do not overlap, whatever their number",
        arguments: [1, 3, 4, 5, 8, 9, 32])
    func ranges(count: Int) throws {
        let nodes = (0..<count).map { "fs\($0)" }
        let ranges = try nodes.map { node in
            let ports = try #require(MediaPorts(of: node, among: nodes.reversed()))
            #expect(ports.first % 2 == 0 && ports.last % 2 == 0 && ports.first >= 10_000)
            return ports.first...ports.last
        }.sorted { $0.lowerBound < $1.lowerBound }
        for (one, next) in zip(ranges, ranges.dropFirst()) { #expect(one.upperBound < next.lowerBound) }
        #expect(MediaPorts(of: "other", among: nodes) == nil)
    }

    @Test("one more machine does not move the others while there is room") func growth() {
        #expect(
            MediaPorts(of: "fs1", among: ["fs1", "fs2"])
                == MediaPorts(of: "fs1", among: ["fs1", "fs2", "fs3"]))
    }

    private func problems(_ settings: [(String, String)]) -> [MediaPorts.Problem]? {
        let text = settings.map { "<param name=\"\($0.0)\" value=\"\($0.1)\"/>" }.joined()
        return MediaPorts.problems(
            answer: "<configuration name=\"switch.conf\"><settings>\(text)</settings></configuration>",
            node: "fs1", nodes: ["fs1", "fs2", "fs3"])
    }

    @Test("without robustness or a range of its own a switch harms revived calls") func missing() {
        let range = [("rtp-start-port", "16384"), ("rtp-end-port", "20478")]
        #expect(problems([]) == [.notRobust, .noRange])
        #expect(problems(range) == [.notRobust])
        #expect(problems(range + [("rtp-port-usage-robustness", "true")]) == [])
        let other = problems([
            ("rtp-start-port", "40000"), ("rtp-end-port", "41000"), ("rtp-port-usage-robustness", "true"),
        ])
        #expect(other?.map(\.isBlocking) == [false])
        // A configuration from elsewhere is not told.
        #expect(MediaPorts.problems(answer: "can't find anything\n", node: "fs1", nodes: ["fs1"]) == nil)
    }
}
