import Testing

@testable import Config

@Suite struct DurationTextTests {
    @Test(
        "a number with a unit is a duration",
        arguments: [
            ("25ms", Duration.milliseconds(25)), ("250us", .microseconds(250)), ("5s", .seconds(5)),
            ("45m", .seconds(2700)), ("2h", .seconds(7200)), ("1d", .seconds(86_400)),
            ("1.5s", .milliseconds(1500)), ("0.25m", .seconds(15)), ("0.001us", .nanoseconds(1)),
            ("0.5d", .seconds(43_200)), ("0s", .zero), ("007ms", .milliseconds(7)),
            ("365d", .seconds(31_536_000)),
        ])
    func parsed(text: String, duration: Duration) throws {
        #expect(try DurationText.parse(text) == duration)
    }

    @Test(
        "anything else is refused with what to write",
        arguments: [
            ("25", "has no unit; the units are us, ms, s, m, h, d"),
            ("1.5", "has no unit; the units are us, ms, s, m, h, d"),
            ("25ns", "has an unknown unit; the units are us, ms, s, m, h, d"),
            ("25 ms", "has an unknown unit; the units are us, ms, s, m, h, d"),
            ("25MS", "has an unknown unit; the units are us, ms, s, m, h, d"),
            ("1h30m", "has an unknown unit; the units are us, ms, s, m, h, d"),
            ("", "is no duration; write a number and a unit (us, ms, s, m, h, d), like 25ms"),
            ("ms", "is no duration; write a number and a unit (us, ms, s, m, h, d), like 25ms"),
            ("-5s", "is no duration; write a number and a unit (us, ms, s, m, h, d), like 25ms"),
            (".5s", "is no duration; write a number and a unit (us, ms, s, m, h, d), like 25ms"),
            ("5.s", "is no duration; write a number and a unit (us, ms, s, m, h, d), like 25ms"),
            ("1.2.3s", "is no duration; write a number and a unit (us, ms, s, m, h, d), like 25ms"),
            ("366d", "is too long or too fine; at most 365d, at least whole nanoseconds"),
            ("0.0001us", "is too long or too fine; at most 365d, at least whole nanoseconds"),
            ("9223372036854775807d", "is too long or too fine; at most 365d, at least whole nanoseconds"),
            ("0.9999999999999d", "is too long or too fine; at most 365d, at least whole nanoseconds"),
        ])
    func refused(text: String, reason: String) {
        #expect { try DurationText.parse(text) } throws: { ($0 as? DurationText.Refusal)?.reason == reason }
    }

    @Test(
        "a duration is written in the largest unit that fits", arguments: ["25ms", "90s", "45m", "1d", "7us"])
    func written(text: String) throws {
        #expect(DurationText.text(try DurationText.parse(text)) == text)
    }
}
