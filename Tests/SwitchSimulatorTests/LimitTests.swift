import Foundation
import SwitchSimulator
import Testing

/// Limits count, refuse and are shared as mod_hash and mod_hiredis do it.
@Suite struct LimitTests {
    private func bench(_ rules: [LimitRule]) -> Bench {
        var settings = Bench.settings()
        settings.limits = rules
        settings.carrier = nil
        return Bench(settings)
    }

    /// Status of the final answer to a call that is acknowledged.
    private func call(_ number: String, _ id: String, on bench: inout Bench) -> String {
        bench.receive(SIPRecording.invite(to: number, call: id), from: SIPRecording.phone)
        let sent = bench.takeDatagrams().filter { $0.text.contains("Call-ID: \(id)\r\n") }
        guard let last = sent.last else { return "nothing" }
        bench.receive(
            SIPRecording.request(
                "ACK", to: number, call: id, toTag: SIPRecording.toTag(last.text)), from: SIPRecording.phone)
        return SIPRecording.status(last.text)
    }

    private func bye(_ number: String, _ id: String, on bench: inout Bench) throws {
        let dump = bench.api("show channels as json")
        let uuid = try #require(
            dump.components(separatedBy: "\"uuid\":\"").dropFirst().map { String($0.prefix(36)) }.first {
                bench.api("uuid_dump \($0)").contains("variable_sip_call_id: \(id)\n")
            })
        _ = bench.api("uuid_kill \(uuid)")
        bench.advance(by: .seconds(1))
    }

    private static let total = LimitRule(
        prefix: "lim-", backend: .hash, realm: "trunk", id: "carrier1", max: 5)
    private static let rate = LimitRule(
        prefix: "cps-", backend: .hash, realm: "trunk", id: "cps1", max: 2, interval: 1)

    @Test("Remote and local usage together are limited, and read as recorded")
    func shared() throws {
        var bench = bench([Self.total, Self.rate])
        let recorded = try Recording.commands("api_limits.txt")
        func expect(_ index: Int, sourceLocation: SourceLocation = #_sourceLocation) {
            let (command, output) = recorded[index]
            let said = bench.api(String(command.split(separator: " (")[0]))
            #expect(
                Volatile.marked(said.trimmingCharacters(in: .newlines))
                    == Volatile.marked(output.trimmingCharacters(in: .newlines)), "\(command)",
                sourceLocation: sourceLocation)
        }
        bench.core.configureRemotes(["fsdns"])
        bench.core.remoteAnswered(
            "L/trunk_carrier1/3/0/0/0\nL/trunk_cps1/0/4/1/1795254942\n", name: "fsdns", at: bench.now)
        for index in 0..<5 { expect(index) }
        #expect(call("lim-5", "a", on: &bench) == "200 OK")
        #expect(call("lim-5", "b", on: &bench) == "200 OK")
        #expect(call("lim-5", "c", on: &bench) == "603 Decline")
        expect(5)
        expect(6)
        for id in ["a", "b"] { try bye("lim-5", id, on: &bench) }
        // Remote rates are not looked at: two a second pass here.
        #expect(
            ["d", "e", "f"].map { call("cps-2", $0, on: &bench) } == ["200 OK", "200 OK", "603 Decline"])
        for id in ["d", "e"] { try bye("cps-2", id, on: &bench) }
        expect(7)
        expect(8)
        // An empty body leaves the old figures, `-ERR no reply` clears them.
        bench.core.remoteAnswered("", name: "fsdns", at: bench.now)
        #expect(bench.api("limit_usage hash trunk carrier1") == "3")
        bench.core.remoteAnswered("-ERR no reply\n", name: "fsdns", at: bench.now)
        #expect(bench.api("limit_usage hash trunk carrier1") == "0")
        #expect(recorded.count == 9)
    }

    @Test("A lost remote counts nothing: more calls pass than there should be")
    func lost() {
        var bench = bench([Self.total])
        bench.core.configureRemotes(["fsdns"])
        bench.core.remoteAnswered("L/trunk_carrier1/5/0/0/0\n", name: "fsdns", at: bench.now)
        #expect(call("lim-5", "a", on: &bench) == "603 Decline")
        bench.core.remoteLost("fsdns", at: bench.now)
        #expect(
            bench.api("hash_remote list") == "Remote connections:\nName\t\t\tState\nfsdns\t\t\tDown\n+OK\n")
        #expect(call("lim-5", "b", on: &bench) == "200 OK")
    }

    @Test("A limit service is asked in mod_hiredis's words, refuses, and gets back what a call held")
    func service() throws {
        var bench = bench([
            LimitRule(prefix: "lim-", backend: .hiredis, realm: "default", id: "carrier1", max: 5),
            LimitRule(prefix: "cps-", backend: .hiredis, realm: "default", id: "cps1", max: 2, interval: 1),
        ])
        let counts = Counts()
        bench.limitService = { counts.answer($0) }
        counts.set("carrier1", 3)
        #expect(
            ["a", "b", "c"].map { call("lim-5", $0, on: &bench) } == ["200 OK", "200 OK", "603 Decline"])
        for id in ["a", "b"] { try bye("lim-5", id, on: &bench) }
        #expect(bench.api("limit_usage hiredis default carrier1") == "3")
        #expect(
            ["d", "e", "f"].map { call("cps-2", $0, on: &bench) } == ["200 OK", "200 OK", "603 Decline"])
        let window = "cps1_\(bench.now.seconds)"
        #expect(
            bench.limitCommands == [
                ["incr", "carrier1"], ["incr", "carrier1"], ["incr", "carrier1"], ["decr", "carrier1"],
                ["decr", "carrier1"], ["decr", "carrier1"], ["get", "carrier1"], ["incr", window],
                ["expire", window, "1"], ["incr", window], ["incr", window],
            ])
        // Down: calls pass.
        bench.limitService = nil
        #expect(call("cps-2", "g", on: &bench) == "200 OK")
    }

    /// What the service counts.
    private final class Counts: @unchecked Sendable {
        private var values: [String: Int] = [:]

        func set(_ key: String, _ value: Int) { values[key] = value }

        func answer(_ command: [String]) -> Int? {
            switch command[0] {
            case "incr": values[command[1], default: 0] += 1
            case "decr": values[command[1], default: 0] -= 1
            default: break
            }
            return values[command[1], default: 0]
        }
    }

    @Test("A revived parked call is counted again, and leaks unless limit_backend was taken out")
    func leak() throws {
        var master = bench([Self.total])
        #expect(call("lim-5", "a", on: &master) == "200 OK")
        master.advance(by: .seconds(1))
        let row = try #require(master.rows.first)
        #expect(row.metadata.contains("<limit_backend>hash</limit_backend>"))
        for (metadata, left) in [
            (row.metadata, "1"),
            (
                row.metadata.replacingOccurrences(of: "    <limit_backend>hash</limit_backend>\n", with: ""),
                "0"
            ),
        ] {
            var settings = Bench.settings("fsB")
            settings.limits = [Self.total]
            settings.carrier = nil
            var slave = Bench(settings, seed: 9)
            slave.rows = [row]
            slave.rows[0].metadata = metadata
            let phones = try Phones()
            slave.peers = { phones.answers($0, to: $1 == SIPRecording.phone ? Phones.parked : $1) }
            #expect(slave.api("sofia profile svcA recover") == "Recovered 1 session(s)\n")
            slave.advance(by: .seconds(1))
            #expect(slave.api("limit_usage hash trunk carrier1") == "1")
            _ = slave.api("uuid_kill \(row.uuid)")
            slave.advance(by: .seconds(1))
            #expect(slave.api("limit_usage hash trunk carrier1") == left)
        }
    }

    @Test("hash keeps what it is told")
    func data() {
        var bench = bench([])
        #expect(bench.api("hash insert/fsdns/cps2/3") == "+OK\n")
        #expect(bench.api("hash select/fsdns/cps2") == "3")
        #expect(bench.api("hash delete/fsdns/cps2") == "+OK\n")
        #expect(bench.api("hash delete/fsdns/cps2") == "-ERR Not found\n")
    }
}
