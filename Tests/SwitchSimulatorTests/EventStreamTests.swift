import EventSocket
import Foundation
import SwitchSimulator
import Testing

/// Makes happen what was recorded as events, and compares every header: names, order and values but for `Volatile`.
@Suite struct EventStreamTests {
    private static let callEvents =
        "CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE CALL_UPDATE CHANNEL_HANGUP "
        + "CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY"

    private func said(_ bench: Bench, _ client: Int) -> String {
        String(decoding: bench.clients[client].sent, as: UTF8.self)
    }

    /// A stream in json, with each event written in plain form: for marks that go by lines.
    private func plain(_ stream: String) throws -> String {
        var decoder = FrameDecoder()
        decoder.append(Array(stream.utf8))
        var text = ""
        while let frame = try decoder.next() {
            switch try ServerMessage(frame) {
            case .event(let event):
                text += String(decoding: EventCodec.encode(event, as: .plain), as: UTF8.self)
            default: text += String(decoding: frame.encoded(), as: UTF8.self)
            }
        }
        return text
    }

    /// The recorded calls: one that is killed after a second and a half, then one more and a parked one.
    static func recordedCalls(_ bench: inout Bench) throws {
        var first = try Phones()
        first.renames = [
            ("28668", "28598"), ("28658", "28588"), ("28671", "28601"),
        ]
        bench.advance(to: Timestamp(microseconds: 1_795_255_378_431_424))
        bench.peers = { [first] in first.answers($0, to: $1) }
        bench.receive(first.invite(first.uac), from: Phones.caller)
        bench.advance(to: Timestamp(microseconds: 1_795_255_379_931_382))
        let called = try #require(bench.events.last { $0["Call-Direction"] == "outbound" }?.channel)
        _ = bench.api("uuid_kill \(called)")
        bench.advance(to: Timestamp(microseconds: 1_795_255_385_611_379))
        try bridgedAndParked(&bench)
    }

    /// The second call and the parked caller, whose SIP was recorded.
    static func bridgedAndParked(_ bench: inout Bench) throws {
        let phones = try Phones()
        bench.peers = { phones.answers($0, to: $1) }
        bench.receive(phones.invite(phones.uac), from: Phones.caller)
        bench.advance(by: .milliseconds(10))
        bench.receive(phones.invite(phones.park), from: Phones.parked)
        bench.advance(by: .seconds(1))
    }

    @Test("The life of a bridged call is told as recorded", arguments: ["plain", "json"])
    func calls(format: String) throws {
        var bench = Bench()
        let client = bench.listener(Self.callEvents, format: format == "plain" ? .plain : .json)
        try Self.recordedCalls(&bench)
        let recorded = try Recording.text("events_call_bridge_\(format).raw")
        let mark: (String) throws -> String = { text in
            let lines = format == "plain" ? text : try plain(text)
            return Volatile.lengths(Volatile.markedCall(Volatile.marked(lines)))
        }
        expectSame(try mark(said(bench, client)), try mark(recorded), "events_call_bridge_\(format).raw")
    }

    @Test("Heartbeats are as recorded", arguments: ["plain", "json"])
    func heartbeats(format: String) throws {
        let recorded = try Recording.text("events_heartbeat_\(format).raw")
        var settings = Bench.settings()
        settings.heartbeat = .seconds(3)
        var bench = Bench(settings)
        _ = bench.api("simulator load bridged 1")
        bench.advance(by: .seconds(31))
        let client = bench.listener("HEARTBEAT", format: format == "plain" ? .plain : .json)
        bench.advance(by: .seconds(9))
        let mark: (String) -> String = { Volatile.lengths(Volatile.load(Volatile.marked($0))) }
        expectSame(mark(said(bench, client)), mark(recorded), "events_heartbeat_\(format).raw")
    }

    @Test("Registrations, a removal and an expiry are told as recorded", arguments: ["plain", "json"])
    func registrations(format: String) throws {
        var settings = Bench.settings()
        settings.sweep = .seconds(5)
        var bench = Bench(settings)
        let client = bench.listener(
            "CUSTOM sofia::register sofia::unregister sofia::expire",
            format: format == "plain" ? .plain : .json)
        bench.advance(to: Timestamp(microseconds: 1_795_255_356_371_388))
        for exchange in try SIPRecording.exchanges("sip_register_trace.txt") {
            bench.receive(exchange.request, from: exchange.source)
            bench.advance(by: .milliseconds(140))
        }
        bench.advance(by: .seconds(5))
        let recorded = try Recording.text("events_registration_\(format).raw")
        let mark: (String) -> String = { Volatile.lengths(Volatile.marked($0)) }
        expectSame(mark(said(bench, client)), mark(recorded), "events_registration_\(format).raw")
    }

    @Test("Limits that are taken are told as recorded")
    func limits() throws {
        var settings = Bench.settings()
        settings.limits = [
            LimitRule(prefix: "lim-5", backend: .hash, realm: "trunk", id: "carrier1", max: 5),
            LimitRule(prefix: "cps-2", backend: .hash, realm: "trunk", id: "cps1", max: 2, interval: 1),
        ]
        settings.carrier = nil
        var bench = Bench(settings)
        let client = bench.listener("CUSTOM limit::usage")
        for (index, number) in ["lim-5", "lim-5", "cps-2", "cps-2", "cps-2"].enumerated() {
            bench.receive(SIPRecording.invite(to: number, call: "c\(index)"), from: SIPRecording.phone)
        }
        let recorded = try Recording.text("events_limit_usage_plain.raw")
        let mark: (String) -> String = { Volatile.lengths(Volatile.marked($0)) }
        expectSame(mark(said(bench, client)), mark(recorded), "events_limit_usage_plain.raw")
    }

    @Test("A recovery is told as recorded: channels, bridge, count, and the parked caller's end")
    func recovery() throws {
        var bench = Bench(Bench.settings("fsB"), at: Timestamp(microseconds: 1_795_255_385_000_000))
        bench.rows = try RecordedRows.table()
        let phones = try Phones()
        bench.peers = { phones.answers($0, to: $1) }
        let client = bench.listener(
            "CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_HANGUP_COMPLETE CUSTOM sofia::recovery_recovered"
        )
        bench.advance(to: Timestamp(microseconds: 1_795_255_391_662_548))
        #expect(bench.api("sofia recover") == "Recovered 3 call(s)\n")
        bench.advance(by: .seconds(3))
        #expect(bench.api("sofia recover") == "No calls to recover.\n")
        let trace = try Recording.text("sip_takeover_park.log")
        let bye = Recording.wire(String(trace.components(separatedBy: "its answer ====\n")[1]))
        bench.receive(bye, from: SIPEndpoint(ip: "10.77.0.100", port: 46264))
        bench.advance(by: .seconds(1))
        let recorded = try Recording.text("events_recover_plain.raw")
        let mark: (String) -> String = { Volatile.lengths(Volatile.markedCall(Volatile.marked($0))) }
        expectSame(mark(said(bench, client)), mark(recorded), "events_recover_plain.raw")
    }
}
