import Lab
import Testing

extension LabSuites {
    @Suite("Phones of a drained address")
    struct DrainPhoneTests {
        private static let makes = [
            "Yealink SIP-T46S 66.86.0.15", "PolycomVVX-VVX_411-UA/5.9.0.9373", "Cisco/SPA504G-7.6.2c",
            "sipp", "Zoiper rv2.10.20.4",
        ]
        /// What each of them is told; nil is nothing.
        private static let events: [String?] = [
            "check-sync;reboot=false", "check-sync", "resync", nil, nil,
        ]

        @Test("those that understand are told once each, some a second; the others are left alone")
        func told() throws {
            let drains = try DrainSite { $0.promptsPerSecond = 10 }
            defer { drains.close() }
            let site = drains.site
            try site.register(100, at: ["beta"], makes: Self.makes)
            try site.lab.startPhones(port: Phones.port("beta"))
            try site.waitForPhones(100, at: ["beta"])
            let old = try site.host(of: "beta")
            try old.command("drain", "master2")
            try drains.waitFor(phase: "moving-registrations")
            let start = BootTime.now
            #expect(try drains.drain()?.registrationsLeft == 100)
            try drains.waitUntilOver()

            let requests = site.lab.requests(toPhonesAt: Phones.port("beta"))
            let expected = (0..<100).compactMap { index in
                Self.events[index % 5].map { "beta-\(index) NOTIFY \($0)" }
            }
            #expect(
                requests.map { "\($0.user) \($0.method) \($0.event)" }.sorted() == expected.sorted(),
                "each once, and nobody else")
            let times = requests.map(\.at).sorted()
            let span = try #require(times.last).milliseconds(since: try #require(times.first))
            #expect(span > 5000 && span < 9000, "60 at ten a second take six seconds")
            for (index, time) in times.enumerated() {
                let crowd = times[index...].prefix { $0.milliseconds(since: time) < 1000 }.count
                #expect(crowd <= 14, "\(crowd) within a second")
            }
            print(
                "phones: \(times.count) of 100 told within \(Int(span)) ms, the first "
                    + "\(Int(times[0].milliseconds(since: start))) ms into the phase")
            // What stays is said.
            #expect(old.log.contains("100 phones are registered; 60 understand a word of ours"))
            #expect(old.log.contains("60 phones were told to register again; 40 come by themselves"))
            try site.cluster.checkNoOverlap()
        }
    }
}
