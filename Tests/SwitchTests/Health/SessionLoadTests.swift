import Switch
import Testing

/// Sessions and their rate, as `status` tells them.
@Suite struct SessionLoadTests {
    private func text(peak: Int, limit: Int, rate: Int, rateLimit: Int) -> String {
        """
        UP 0 years, 3 days, 0 hours, 1 minute, 15 seconds, 174 milliseconds, 926 microseconds
        FreeSWITCH (Version 1.11.3-dev  64bit) is ready
        97 session(s) since startup
        13 session(s) - peak 1500, last 5min \(peak)\u{20}
        2 session(s) per Sec out of max \(rateLimit), peak 600, last 5min \(rate)\u{20}
        \(limit) session(s) max
        min idle cpu 0.00/90.00

        """
    }

    @Test("a recorded answer is read") func recorded() throws {
        let status = try #require(
            try Recordings.answers("api_misc.txt").first { $0.command == SessionLoad.command })
        let load = try #require(SessionLoad(reading: String(decoding: status.answer, as: UTF8.self)))
        #expect(load == SessionLoad(peak: 3, limit: 2000, peakRate: 3, rateLimit: 500))
        #expect(load.troubles(sessions: 3) == [])
    }

    @Test("callers are refused while all sessions are in use") func full() throws {
        let load = try #require(SessionLoad(reading: text(peak: 20, limit: 20, rate: 4, rateLimit: 30)))
        let troubles = load.troubles(sessions: 20)
        #expect(troubles.count == 1)
        #expect(troubles[0].hasPrefix("FreeSWITCH refuses new calls: all 20 sessions"))
    }

    @Test("that they were all in use, or began too fast, is told for some minutes") func lately() throws {
        let load = try #require(SessionLoad(reading: text(peak: 20, limit: 20, rate: 30, rateLimit: 30)))
        let troubles = load.troubles(sessions: 7)
        #expect(troubles.count == 2)
        #expect(troubles[0].hasPrefix("within five minutes all 20 sessions"))
        #expect(troubles[1].hasPrefix("within five minutes FreeSWITCH began 30 sessions in one second"))
    }

    @Test("peaks of earlier times say nothing") func former() throws {
        let load = try #require(SessionLoad(reading: text(peak: 19, limit: 20, rate: 29, rateLimit: 30)))
        #expect(load.troubles(sessions: 7) == [])
    }

    @Test(
        "an answer without the figures tells nothing",
        arguments: ["", "-ERR no reply\n", "session(s)\n", "1 session(s) max\n"])
    func nonsense(_ text: String) {
        #expect(SessionLoad(reading: text) == nil)
    }
}
