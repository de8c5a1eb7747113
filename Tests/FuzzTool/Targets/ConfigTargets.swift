import Calendar
import Primitives
import XML

@testable import Calendar
@testable import Cluster
@testable import Config

/// Files that people write, and those of time zones.
extension FuzzTarget {
    static let files: [FuzzTarget] = [clusterFile, playbook, timeZone, clockTexts, xmlText]

    private static func read(_ text: [UInt8]) -> ClusterFile? {
        try? ClusterFile.load(text: text, path: "c.xml")
    }

    static let clusterFile = FuzzTarget(
        "cluster-file", "the cluster file: refused in words of ours, or sound", maximumLength: 8192,
        seeds: { ["cluster", "two-node", "loopback"].map { Recordings.file("config/\($0).xml") } }
    ) { input in
        do throws(ConfigFailure) {
            let file = try ClusterFile.load(text: input.rest(), path: "c.xml")
            let timing = file.settings.timing
            expect(
                timing.interval > .zero && timing.lease > timing.interval * 2
                    && timing.deadAfter > timing.lease,
                "unsound times: \(timing)")
            let names = file.settings.addresses.map(\.name)
            expect(Set(names).count == names.count, "an address twice: \(names)")
            expect(file.differences(from: file).isEmpty, "it differs from itself")
            _ = file.secretFiles(of: nil)
        } catch { check(error) }
    }

    /// The reader has to notice everything itself, or its messages are not the ones that are seen.
    private static func check(_ failure: ConfigFailure) {
        expect(!failure.problems.isEmpty, "refused without a word")
        for problem in failure.problems {
            expect(problem.line >= 1 && !problem.message.isEmpty, "no words: \(problem)")
            expect(!problem.message.hasPrefix("schema:"), "only the schema noticed: \(problem)")
        }
    }

    private static let cluster: ClusterSettings? =
        read(
            Array(
                """
                <cluster xmlns="urn:fsdns:cluster:1" name="office">
                  <key file="cluster.key"/>
                  <heartbeat interval="25ms" lease="150ms" dead-after="200ms" discovery="5s">
                    <peer address="192.0.2.1"/><peer address="192.0.2.2"/><peer address="198.51.100.7"/>
                  </heartbeat>
                  <nodes expect="3">
                    <node name="fs1" address="192.0.2.1"/><node name="fs2" address="192.0.2.2"/>
                    <witness name="dns1" address="198.51.100.7"/>
                  </nodes>
                  <addresses>
                    <address name="alpha" ip="192.0.2.11/24"/><address name="beta" ip="192.0.2.19/24"/>
                  </addresses>
                  <seats><seat name="master1" address="alpha" prefer="fs1"/></seats>
                  <policy no-quorum="release" on-exhaustion="withdraw" takeovers-per-hour="10"/>
                  <freeswitch socket="127.0.0.1:8021" password-file="event_socket.secret"/>
                </cluster>
                """.utf8))?.settings

    static let playbook = FuzzTarget(
        "playbook", "a playbook: refused in words of ours, or one whose times can be told",
        maximumLength: 8192,
        seeds: {
            ["drain-one", "evacuate", "failover-drill", "rolling-upgrade"].map {
                Recordings.file("playbooks/\($0).xml")
            }
        }
    ) { input in
        let knowsCluster = input.flag()
        do throws(ConfigFailure) {
            let file = try PlaybookFile.read(
                text: input.rest(), path: "p.xml", parameters: ["unit": "freeswitch", "node": "fs1"],
                cluster: knowsCluster ? cluster : nil)
            guard let cluster else { return }
            let timeline = file.playbook.timeline(.init(cluster))
            expect(timeline.earliestEnd <= timeline.latestEnd, "it ends before it can: \(timeline)")
            _ = timeline.texts(of: file.playbook)
            _ = file.playbook.implausibility
        } catch { check(error) }
    }

    static let timeZone = FuzzTarget(
        "time-zone", "a compiled time zone: refused, or its clocks can be asked anything",
        maximumLength: 4096,
        seeds: {
            ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC", "Pacific/Apia"].map {
                Recordings.file("/usr/share/zoneinfo/\($0)")
            }
        }
    ) { input in
        let near: [Int64] = [
            -(1 << 59), -2_422_054_408, 323_830_800, 338_950_800, 1_800_000_000, 1 << 50, 1 << 59,
        ]
        let from = WallTime(seconds: input.pick(near) + Int64(input.choice(1 << 16)) * 7)
        guard let rules = try? TimeZoneFile.rules(of: input.rest()) else { return }
        let local = rules.local(from)
        let instant = rules.instant(of: local)
        expect(instant <= from && rules.local(instant) >= local, "\(local) is not \(from)")
        _ = (
            rules.secondInstant(of: local), rules.text(from), rules.exists(local),
            rules.transition(after: from)
        )
        if let line = try? CronLine(parsing: "*/20 1-4 * * *") {
            let through = WallTime(seconds: from.seconds + 400_000)
            let found = PlaybookSchedule.cron(line, zone: "x").dues(
                after: from, through: through, rules: rules, limit: 50)
            expect(zip(found, found.dropFirst()).allSatisfy { $0 < $1 }, "not in order: \(found)")
            expect(found.allSatisfy { from < $0 && $0 <= through }, "not in the time asked for: \(found)")
        }
        let window = PlaybookWindow(from: 1380, to: 61, weekdays: 0x55, zone: "x")
        if let opening = window.nextOpening(after: from, rules: rules) {
            expect(opening.begins > from && opening.ends > opening.begins, "\(opening)")
        }
    }

    static let clockTexts = FuzzTarget(
        "short-texts", "durations, lines of cron, addresses, names of zones, rules of daylight saving",
        maximumLength: 256,
        seeds: {
            [
                "25ms", "1.5s", "365d", "0.000001h", "*/20 1-4 * * mon-fri", "0 2 29 2 *", "@daily",
                "192.0.2.1",
                "2001:db8::9%eth0", "::ffff:192.0.2.1", "Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3",
                "<+0330>-3:30", "[::1]:5060", "192.0.2.1:53", "192.0.2.1/24",
            ].map { Array($0.utf8) }
        }
    ) { input in
        let text = input.text()
        if let duration = try? DurationText.parse(text), duration > .zero {
            expect((try? DurationText.parse(DurationText.text(duration))) == duration, "\(duration)")
        }
        if let address = IPAddress(text) { expect(IPAddress("\(address)") == address, "\(address)") }
        if let line = try? CronLine(parsing: text) {
            let start = WallTime(seconds: 1_800_000_000)
            _ = PlaybookSchedule.cron(line, zone: "x").nextDue(after: start, rules: .utc)
        }
        if let rule = DaylightRuleText.parse(text) {
            let rules = TimeZoneRules(
                first: rule.period(at: .init(seconds: 0)), transitions: [], footer: rule)
            for seconds in [0, 1_800_000_000, -(1 << 59), 1 << 59] as [Int64] {
                _ = rules.text(WallTime(seconds: seconds))
                _ = rules.transition(after: WallTime(seconds: seconds))
            }
        }
    }

    static let xmlText = FuzzTarget(
        "xml", "any XML document", maximumLength: 4096,
        seeds: {
            [
                "<a xmlns=\"urn:x\" b='1'>t<![CDATA[x]]>&amp;&#65;<c/></a>",
                "<?xml version=\"1.0\"?><!-- c --><a/>",
                "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            ].map { Array($0.utf8) }
        }
    ) { input in
        let (root, problems) = XMLText.parse(input.rest(), file: "x.xml")
        expect(root != nil || !problems.isEmpty, "refused without a word")
        _ = root?.text
    }
}
