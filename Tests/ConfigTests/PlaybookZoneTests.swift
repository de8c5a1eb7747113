import Calendar
@preconcurrency import Glibc
import Testing

@testable import Config

/// Builds TZif as RFC 8536 §3 lays it out.
struct ZoneBytes {
    struct Kind {
        var offset: Int32
        var isDaylight: UInt8
        var name: UInt8
    }

    var version: UInt8 = UInt8(ascii: "2")
    var kinds: [Kind]
    var names: String
    var transitions: [(at: Int64, kind: UInt8)]
    var leaps: [(at: Int64, correction: Int32)] = []
    var footer: String

    /// Europe/Berlin as of 1980 and later, two transitions and the rule.
    static let berlin = ZoneBytes(
        kinds: [
            Kind(offset: 3208, isDaylight: 0, name: 0), Kind(offset: 7200, isDaylight: 1, name: 4),
            Kind(offset: 3600, isDaylight: 0, name: 9),
        ], names: "LMT\0CEST\0CET\0",
        transitions: [(-2_422_054_408, 2), (323_830_800, 1), (338_950_800, 2)],
        footer: "CET-1CEST,M3.5.0,M10.5.0/3")

    private static func big<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    private func header(_ transitionCount: Int, _ leapCount: Int) -> [UInt8] {
        let counts = [kinds.count, kinds.count, leapCount, transitionCount, kinds.count, names.utf8.count]
        return Array("TZif".utf8) + [version] + [UInt8](repeating: 0, count: 15)
            + counts.flatMap { Self.big(UInt32($0)) }
    }

    private func block<Number: FixedWidthInteger>(_ type: Number.Type) -> [UInt8] {
        let kept = transitions.filter { Number(exactly: $0.at) != nil }
        var bytes = header(kept.count, leaps.count)
        bytes += kept.flatMap { Self.big(Number(truncatingIfNeeded: $0.at)) }
        bytes += kept.map(\.kind)
        bytes += kinds.flatMap { Self.big($0.offset) + [$0.isDaylight, $0.name] }
        bytes += Array(names.utf8)
        bytes += leaps.flatMap { Self.big(Number(truncatingIfNeeded: $0.at)) + Self.big($0.correction) }
        return bytes + [UInt8](repeating: 0, count: 2 * kinds.count)
    }

    var bytes: [UInt8] {
        version == 0
            ? block(Int32.self) : block(Int32.self) + block(Int64.self) + Array("\n\(footer)\n".utf8)
    }
}

@Suite struct PlaybookZoneTests {
    private func rules(_ bytes: [UInt8]) throws -> TimeZoneRules { try TimeZoneFile.rules(of: bytes) }

    private func refusal(_ bytes: [UInt8]) -> String? {
        do throws(TimeZoneFile.Refusal) {
            _ = try TimeZoneFile.rules(of: bytes)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test("a zone file's transitions hold up to the last, its rule after it") func berlin() throws {
        let rules = try rules(ZoneBytes.berlin.bytes)
        #expect(rules.period(at: WallTime(seconds: -3_000_000_000)).abbreviation == "LMT")
        #expect(rules.period(at: WallTime(seconds: 323_830_800)).offset == 7200)
        #expect(rules.period(at: WallTime(seconds: 323_830_799)).offset == 3600)
        // 2026-07-01 and 2226-01-01.
        #expect(rules.period(at: WallTime(seconds: 1_782_864_000)).abbreviation == "CEST")
        #expect(rules.period(at: WallTime(seconds: 8_078_659_200)).abbreviation == "CET")
    }

    @Test("versions 1 to 4 are read", arguments: ["\0", "2", "3", "4"]) func versions(_ version: String)
        throws
    {
        var zone = ZoneBytes.berlin
        zone.version = version.utf8.first ?? 0
        let rules = try rules(zone.bytes)
        #expect(rules.transitions.count == (version == "\0" ? 2 : 3))
        #expect((rules.footer == nil) == (version == "\0"))
    }

    @Test("leap seconds are passed over") func leaps() throws {
        var zone = ZoneBytes.berlin
        zone.leaps = [(78_796_800, 1), (94_694_401, 2)]
        #expect(try rules(zone.bytes) == rules(ZoneBytes.berlin.bytes))
    }

    @Test("transitions since ever become one at the edge of arithmetic") func sinceEver() throws {
        var zone = ZoneBytes.berlin
        zone.transitions = [(.min, 0), (-1 << 60, 1), (0, 2)]
        let rules = try rules(zone.bytes)
        #expect(rules.transitions.map(\.at.seconds) == [-1 << 59, 0])
        #expect(rules.transitions[0].period.abbreviation == "CEST")
    }

    @Test(
        "rules of POSIX and of RFC 8536 are read",
        arguments: [
            ("UTC0", 0, 0), ("<+0330>-3:30", 12_600, 12_600), ("EST5EDT,M3.2.0,M11.1.0", -18_000, -14_400),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", 0, 3600), ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", -10_800, -7200),
            ("EST5EDT,0/0,J365/25", -14_400, -14_400), ("ABC-2DEF-3:30:15,J60/2:30,J300/167", 7200, 12_615),
        ])
    func ruleTexts(_ text: String, _ winter: Int, _ summer: Int) throws {
        var zone = ZoneBytes.berlin
        zone.transitions = []
        zone.footer = text
        let rules = try rules(zone.bytes)
        #expect(rules.period(at: WallTime(seconds: 1_768_435_200)).offset == winter)
        #expect(rules.period(at: WallTime(seconds: 1_784_073_600)).offset == summer)
    }

    @Test(
        "what is no rule is refused",
        arguments: [
            "C-1", "CET", "CET-25", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J1", "CET-1CEST,366,1",
            "CET-1CEST,J1/168,J2", "CET-1x", "CET-1CEST,M3.5.0,M10.5.0,", "<C>-1", "<CET-1", "CET-1:60",
            ":Europe/Berlin",
        ])
    func badRules(_ text: String) {
        #expect(DaylightRuleText.parse(text) == nil)
    }

    @Test("a file that ends early is refused at every length") func cut() {
        let bytes = ZoneBytes.berlin.bytes
        for count in 0..<bytes.count where refusal(Array(bytes.prefix(count))) == nil {
            Issue.record("\(count) bytes were enough")
        }
    }

    @Test("what no zone has is refused with its reason") func damaged() {
        func told(_ change: (inout ZoneBytes) -> Void) -> String? {
            var zone = ZoneBytes.berlin
            change(&zone)
            return refusal(zone.bytes)
        }
        #expect(refusal(Array("TZjf".utf8) + [UInt8](repeating: 0, count: 99)) == "is no time zone file")
        #expect(told { $0.version = 53 } == "has the unknown version byte 53")
        #expect(told { $0.kinds = [] } == "has counts no time zone has")
        #expect(told { $0.kinds[1].offset = 100_000 } == "has an offset of 100000 s, beyond all time zones")
        #expect(told { $0.kinds[1].offset = .min } == "has an offset of -2147483648 s, beyond all time zones")
        #expect(told { $0.kinds[1].name = 200 } == "has a damaged type of time")
        #expect(told { $0.names = "LMT" } == "has a damaged type of time")
        #expect(told { $0.transitions[1].kind = 3 } == "names a type of time it does not have")
        #expect(
            told { $0.transitions[2].at = $0.transitions[1].at }
                == "has transitions that are not in the order of time")
        #expect(told { $0.footer = "CET" } == "has the unknown rule \"CET\"")
        #expect(told { $0.footer = "" } == nil)
    }
}

@Suite struct PlaybookZoneInfoTests {
    private let scratch = Scratch()

    private func refusal(_ zone: String, in folder: String? = nil) -> String? {
        do throws(ZoneInfo.Refusal) {
            _ = try ZoneInfo(folder: folder ?? scratch.path).rules(of: zone)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test("an unknown zone is told with names that are near") func near() {
        for name in ["Berlin", "Bern", "London", "Tokyo"] { scratch.write(name, ZoneBytes.berlin.bytes) }
        #expect(refusal("Berlin") == nil)
        #expect(refusal("berlin") == "is an unknown time zone; did you mean Berlin?")
        #expect(refusal("Europe/Berlin") == "is an unknown time zone; did you mean Berlin?")
        #expect(refusal("Lodnon") == "is an unknown time zone; did you mean London?")
        #expect(refusal("Europe/Atlantis") == "is an unknown time zone")
    }

    @Test("a machine without zone data is told what to install, and knows UTC all the same") func nothing() {
        #expect(
            refusal("Europe/Berlin", in: "/none")
                == "is unknown: there is no time zone data in /none; install the package tzdata")
        #expect(refusal("UTC", in: "/none") == nil)
        #expect(refusal("Etc/UTC", in: "/none") == nil)
    }

    @Test(
        "no name leads out of the folder",
        arguments: ["../etc/passwd", "/etc/passwd", "", "a//b", "Europe/../Berlin", "a/b/c/d", "a\0b", "."])
    func names(_ name: String) {
        #expect(refusal(name) == "is no name of a time zone, like Europe/Berlin or UTC")
    }

    @Test("what is no zone file is told with its path") func damaged() {
        scratch.write("Broken", "TZif?")
        scratch.write("Huge", [UInt8](repeating: 0, count: TimeZoneFile.byteLimit + 1))
        #expect(
            refusal("Broken") == "cannot be used: \(scratch.path)/Broken ends before its data does")
        #expect(refusal("Huge") == "cannot be used: \(scratch.path)/Huge is larger than 262144 bytes")
    }

    /// Whatever the machine has.
    @Test("every zone of this machine is read, and its clocks lead back to what they show") func machine()
        throws
    {
        let zones = ZoneInfo(folder: ZoneInfo.systemFolder)
        for name in zones.zones where !["Factory", "localtime"].contains(name) {
            let rules = try zones.rules(of: name)
            #expect(rules.transitions.count < 1000, "\(name)")
            for time in stride(from: Int64(1_600_000_000), to: 2_500_000_000, by: 86_400 * 97) {
                let at = WallTime(seconds: time)
                #expect(rules.local(rules.instant(of: rules.local(at))) == rules.local(at), "\(name)")
            }
        }
    }
}
