import Limits
import Replication
import Testing

@Suite("Figures of mod_hash")
struct HashFiguresTests {
    @Test("our switch's remote is told the sum of all others, not its own")
    func sum() throws {
        var book = book()
        _ = book.observe("L/trunk_carrier1/9/0/0/0\n")
        try book.putHash("fs2", "trunk_carrier1", HashUsage(total: 2))
        try book.putHash("fs3", "trunk_carrier1", HashUsage(total: 1, adopted: 1))
        #expect(book.hash() == "L/trunk_carrier1/4/0/0/0\n")
    }

    @Test("a rate counts while its window lasts")
    func rates() throws {
        var book = book()
        let rate = HashUsage(rate: 3, interval: 5, lastCheck: wallStart)
        try book.putHash("fs2", "trunk_cps1", rate)
        try book.putHash("fs3", "trunk_cps1", HashUsage(rate: 1, interval: 5, lastCheck: wallStart + 2))
        #expect(book.hash(at: .after(4)) == "L/trunk_cps1/0/4/5/\(wallStart + 2)\n")
        #expect(book.hash(at: .after(5)) == "L/trunk_cps1/0/1/5/\(wallStart + 2)\n")
        #expect(book.hash(at: .after(7)) == "-ERR no reply\n")
    }

    @Test("nobody's usage is never an empty body, which would keep the old figures")
    func neverEmpty() {
        #expect(book().hash() == "-ERR no reply\n")
    }

    @Test("keys that leave the dump leave our stream; a stale rate is none")
    func dumps() {
        var book = book()
        #expect(book.observe("L/a_1/2/0/0/0\nL/a_2/0/3/1/\(wallStart)\nD/db/x\n").keys == 2)
        #expect(book.takeChanges().map(\.key) == [Array("ha_1".utf8), Array("ha_2".utf8)])
        #expect(book.observe("L/a_1/2/0/0/0\nL/a_2/0/3/1/\(wallStart)\n", at: .after(1)).keys == 1)
        #expect(book.takeChanges() == [.remove(Array("ha_2".utf8))])
        #expect(book.observe("-ERR no reply\n", at: .after(1)).keys == 0)
        #expect(book.takeChanges() == [.remove(Array("ha_1".utf8))])
    }

    @Test("an unchanged dump is not written again")
    func unchanged() {
        var book = book()
        for _ in 1...3 { _ = book.observe("L/a_1/2/0/0/0\n") }
        #expect(book.takeChanges().count == 1)
        _ = book.observe("L/a_1/2/0/0/0\n")
        #expect(book.takeChanges().isEmpty)
    }

    @Test(
        "a line that is none is named and the others count",
        arguments: [
            "L/a/b/1/0/0/0", "L//1/0/0/0", "L/a/1/0/0", "L/a/x/0/0/0", "L/a/1/0/0/99999999999999999999",
            "L/a/1/0/0/",
        ])
    func malformed(line: String) {
        var book = book()
        let (keys, faults) = book.observe("\(line)\nL/good/1/0/0/0\n")
        #expect(keys == 1)
        #expect(faults.count == 1)
        #expect(faults.first?.contains(line) == true)
    }

    @Test("a name that stays unreadable is said once")
    func once() {
        var book = book()
        #expect(book.observe("L/a/b/1/0/0/0\n").faults.count == 1)
        #expect(book.observe("L/a/b/1/0/0/0\n").faults.isEmpty)
        #expect(book.observe("L/a/c/1/0/0/0\nL/a/b/1/0/0/0\n").faults.count == 1)
    }

    /// What mod_hash prints while one call holds the limit `r` with an id that its caller made of line ends.
    @Test(
        "lines that a caller writes into the dump count for no more than calls account for",
        arguments: [
            "L/r_y\nL/r_trunk/77/0/0/0\n/1/0/0/0\nL/r_trunk/2/0/0/0\n",
            "L/r_y/1/0/0/0\nL/r_trunk/77/0/0/0\nL/r_z/1/0/0/0\nL/r_trunk/2/0/0/0\n",
            "L/r_trunk/2/0/0/0\nL/r_y/1/0/0/0\nL/r_trunk/0/0/0/0\nL/r_z/1/0/0/0\n",
            "L/r_trunk/2/0/0/0\nL/r_y\nL/r_trunk/1/0/0/0\n/1/0/0/0\n",
            "L/r_trunk/2/0/0/0\nL/r_y\nL/r_trunk/2/500/60/99999999999\n/1/0/0/0\n",
            "L/r_trunk/2/0/0/0\nL/r_y\nL/r_other/99/0/0/0\n/1/0/0/0\n",
        ])
    func forged(dump: String) {
        var book = book()
        let bytes = Array(dump.utf8)
        // Two calls hold the trunk, and the caller's own holds nothing that could be read.
        let allowances = ["r_trunk": LimitAllowance(total: 2)]
        #expect(book.observe(dump: bytes, allowances: allowances, at: .after(0)).keys == 1)
        let report = book.report(at: .after(0))
        #expect(report.map(\.key.name) == ["r_trunk"])
        #expect(report.map(\.total) == [2])
    }

    /// mod_hash would read `r_trunk` with 77 calls of `L/r_trunk/77/0/0/0/1/0/0/0`.
    @Test("a key with a slash comes in by no way: not by a revived call, nor from another node")
    func slash() throws {
        let name = "r_trunk/77/0/0/0"
        let variables = [CallLeg.Field("limit_usage_\(name)", "1"), CallLeg.Field("limit_backend", "hash")]
        #expect(LimitKey.held(byVariables: variables).isEmpty)
        #expect(LimitKey.taken(byLimit: "hash r trunk/77/0/0/0 5") == nil)
        #expect(LimitKey.taken(byLimit: "hiredis r a/b 5") == LimitKey(.hiredis, "a/b"))
        var book = book()
        #expect(throws: LimitRefusal.self) { try book.adopt("leg", [LimitKey(.hash, name)], at: .after(0)) }
        #expect(throws: LimitRefusal.self) { try book.putHash("fs2", name, HashUsage(total: 1)) }
        #expect(book.hash() == "-ERR no reply\n")
    }

    @Test("a rate counts as far as calls attempted it")
    func attempts() {
        var book = book()
        let dump = Array("L/r_cps/0/900/10/\(wallStart)\n".utf8)
        _ = book.observe(dump: dump, allowances: ["r_cps": LimitAllowance(rate: 4)], at: .after(0))
        let believed = HashUsage(rate: 4, interval: 10, lastCheck: wallStart)
        #expect(book.takeChanges().map { LimitUsage(bytes: $0.payload) } == [.hash(believed)])
        _ = book.observe(dump: dump, allowances: [:], at: .after(0))
        #expect(book.takeChanges().map(\.kind) == [.remove])
    }

    @Test("a count that went below zero in the switch is none")
    func negative() {
        var book = book()
        #expect(book.observe("L/a/-1/0/0/0\nL/b/2/-3/0/0\n").keys == 1)
        #expect(book.report(at: .after(0)).map(\.key.name) == ["b"])
    }

    @Test("what real FreeSWITCH dumps on one node is what it reads of us on another, byte for byte")
    func recording() throws {
        let chunks = try chunks(of: fixture("hash_remote_real.txt")).filter {
            $0.contains("Content-Length: 55")
        }
        let dump = try #require(chunks.first?.split(separator: "\n\n").last.map { String($0) })
        var there = book("fsA")
        let checked = LimitMoment(boot: LimitMoment.after(0).boot, wall: 1_795_254_950)
        #expect(there.observe(dump, at: checked).keys == 2)
        var here = book("fsB")
        for change in there.takeChanges() {
            try here.apply(change, of: LimitOrigin(node: "fsA", life: 1), at: checked)
        }
        let answer = String(decoding: here.hashAnswer(at: checked), as: UTF8.self)
        #expect(answer.count == 55)
        #expect(answer == dump)
    }

    @Test("the empty answer is the one that clears mod_hash's figures")
    func clearing() throws {
        let lines = try fixture("api_limits.txt").split(separator: "\n").map(String.init)
        let stale = try #require(lines.firstIndex { $0.contains("stale!") })
        #expect(lines[stale + 1] == "3")
        let cleared = try #require(lines.firstIndex { $0.contains("'-ERR no reply'") })
        #expect(lines[cleared + 1] == "0")
        let poll = try fixture("hash_remote_poll.txt")
        #expect(poll.contains("Content-Length: 14\n\n" + book().hash()))
    }

    /// The bytes of every chunk, without the lines that introduce them.
    private func chunks(of recording: String) -> [String] {
        var chunks: [String] = []
        for line in recording.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("[") {
                chunks.append("")
            } else if !chunks.isEmpty {
                chunks[chunks.count - 1] += line + "\n"
            }
        }
        return chunks
    }
}
