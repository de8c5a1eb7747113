import EventSocket
import Glibc
import Primitives
import Switch
import Testing

/// Feeds the readers of the switch's answers and events what no switch says: each for `FSDNS_FUZZ_SECONDS`, on
/// the seed `FSDNS_SEED`.
@Suite struct SwitchFuzzTests {
    @Test("damaged listings of registrations never trap, and never read as empty") func registrations() throws
    {
        let whole = try Recordings.bytes("api_sofia_xmlstatus_reg.xml")
        let rounds = fuzz { samples in
            let bytes = samples.damaged(whole)
            if let listing = try? RegistrationListing(
                reading: bytes, profile: "svcA", at: .zero, lateMargin: .seconds(60))
            {
                #expect(listing.registrations.count <= 10)
            }
        }
        #expect(rounds >= 200)
    }

    @Test("damaged listings of channels never trap") func channels() throws {
        let whole = try Recordings.bytes("api_show_channels.json")
        let rounds = fuzz { samples in
            _ = try? ChannelListing(reading: samples.damaged(whole))
            _ = try? ChannelListing(reading: Array("{\"row_count\":1,\"rows\":[{".utf8) + samples.noise())
        }
        #expect(rounds >= 200)
    }

    @Test("damaged dumps and the events of them never trap, nor upset the tracker") func dumps() throws {
        let dumps = try Recordings.dumpAnswers()
        let names = CallTracker.eventNames + ["CHANNEL_DATA"]
        var tracker = CallTracker()
        let rounds = fuzz { samples in
            guard var event = try? ChannelDump.read(samples.damaged(samples.pick(dumps))) else { return }
            event.headers["Event-Name"] = samples.pick(names)
            if samples.int(0...3) == 0 { event.headers["Event-Sequence"] = "\(samples.int(0...2000))" }
            if samples.int(0...3) == 0 {
                event.headers["Old-Unique-ID"] = samples.pick([Recordings.parked, "x"])
            }
            tracker.handle(event, at: .zero + .milliseconds(samples.int(0...100_000)))
            _ = tracker.takeChanges(limit: samples.int(0...3))
            _ = tracker.counts
        }
        #expect(rounds >= 200)
    }

    @Test("damaged rows never trap; rows made of any leg can be read again") func rows() throws {
        let rows = try Recordings.rows("recovery_rows.json")
        let legs = RecoveryRowTests.legs(of: try Recordings.dumps())
        let rounds = fuzz { samples in
            var row = samples.pick(rows)
            row.metadata = String(decoding: samples.damaged(Array(row.metadata.utf8)), as: UTF8.self)
            _ = row.flags
            _ = try? RecoveryMetadata(reading: row)
            var leg = samples.pick(legs)
            for _ in 0..<10 {
                let at = samples.int(0...leg.variables.count - 1)
                let noise = String(decoding: samples.noise(), as: UTF8.self)
                if samples.int(0...1) == 0 {
                    leg.variables[at].name = noise
                } else {
                    leg.variables[at].value = noise
                }
                leg.caller[samples.int(0...leg.caller.count - 1)].value = noise
            }
            leg.switchname = String(decoding: samples.noise(), as: UTF8.self)
            for made in RecoverableCall(legs: [leg]).rows(for: "slave", sequence: .some) {
                #expect(throws: Never.self) { try RecoveryMetadata(reading: made) }
            }
        }
        #expect(rounds >= 200)
    }

    @Test("damaged events of registrations never trap") func events() throws {
        let events = try Recordings.events("events_registration_plain.raw").map {
            EventCodec.encode($0, as: .plain)
        }
        var books = RegistrationMode.allCases.map {
            RegistrationBook(profile: "svcA", settings: .init(mode: $0))
        }
        let rounds = fuzz { samples in
            guard let event = try? EventCodec.decode(samples.damaged(samples.pick(events)), as: .plain) else {
                return
            }
            for index in books.indices { _ = try? books[index].handle(event, at: .zero + .seconds(1)) }
        }
        #expect(rounds >= 200)
    }

    @Test("damaged statuses never trap") func statuses() throws {
        let status = try #require(
            try Recordings.answers("api_misc.txt").first { $0.command == "sofia status" }
        ).answer
        let rounds = fuzz { samples in
            _ = try? SofiaProfile.list(reading: samples.damaged(status))
            _ = try? LocalSwitch.isTrue(samples.noise(), of: "fsctl pause_check")
        }
        #expect(rounds >= 200)
    }

    /// Runs rounds until the time is over, at least two hundred of them; returns how many.
    private func fuzz(_ round: (inout Samples) -> Void) -> Int {
        var samples = Samples(seed: environment("FSDNS_SEED").flatMap { UInt64($0) } ?? 20_261_121)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(environment("FSDNS_FUZZ_SECONDS").flatMap { Double($0) } ?? 0.5)
        var rounds = 0
        while rounds < 200 || clock.now < end {
            round(&samples)
            rounds += 1
        }
        return rounds
    }

    private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// Seeded damage.
private struct Samples {
    private var chance: SeededGenerator

    init(seed: UInt64) { chance = SeededGenerator(seed: seed) }

    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &chance) }
    mutating func pick<Value>(_ values: [Value]) -> Value { values[int(0...values.count - 1)] }
    mutating func noise() -> [UInt8] { (0..<int(0...60)).map { _ in UInt8(int(0...255)) } }

    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<int(1...6) where !bytes.isEmpty {
            let at = int(0...bytes.count - 1)
            switch int(0...5) {
            case 0: bytes[at] = UInt8(int(0...255))
            case 1: bytes[at] ^= 1 << UInt8(int(0...7))
            case 2: bytes.removeSubrange(at..<min(bytes.count, at + int(1...40)))
            case 3: bytes.insert(contentsOf: noise(), at: at)
            case 4:
                bytes.insert(
                    contentsOf: bytes[at..<min(bytes.count, at + int(1...400))], at: int(0...bytes.count))
            default: if int(0...4) == 0 { bytes.removeSubrange(at...) }
            }
        }
        return bytes
    }
}
