import Limits
import Testing

@Suite("Audit of limits")
struct LimitAuditTests {
    private let carrier = LimitKey(.hiredis, "carrier1")

    @Test("what agrees needs no correction")
    func agreement() throws {
        var book = book()
        _ = book.incr("carrier1")
        _ = book.incr("cps1_1795254940")
        _ = book.observe("L/t_a/1/0/0/0\n")
        try book.adopt("revived", [carrier], at: .after(0))
        let live = [
            LimitHolder(uuid: "one", keys: [carrier, LimitKey(.hash, "t_a")]),
            LimitHolder(uuid: "revived", keys: [carrier]),
        ]
        #expect(book.audit(live: live, backends: LimitKey.Backend.allCases).isEmpty)
    }

    @Test("lost and left-over counts are named with their reasons, and mended")
    func differences() throws {
        var book = book()
        for _ in 1...3 { _ = book.incr("carrier1") }
        _ = book.observe("L/t_a/2/0/0/0\n")
        try book.adopt("gone", [carrier], at: .after(0))
        let missing = LimitKey(.hiredis, "missing")
        let live = [LimitHolder(uuid: "one", keys: [carrier, missing])]
        let corrections = book.audit(live: live, backends: LimitKey.Backend.allCases)
        #expect(
            corrections.map(\.action) == [
                .release(leg: "gone", keys: [carrier]), .told(LimitKey(.hash, "t_a"), counted: 2, held: 0),
                .count(carrier, from: 3, to: 1), .count(missing, from: 0, to: 1),
            ])
        #expect(corrections.allSatisfy { !$0.reason.isEmpty })
        #expect(book.correct(corrections, at: .after(0)) == 3)
        #expect(book.get("carrier1") == 1)
        #expect(book.get("missing") == 1)
        #expect(
            book.audit(live: live, backends: [.hiredis]).isEmpty)
    }

    @Test("a count that has changed since the audit is left alone")
    func stale() {
        var book = book()
        _ = book.incr("carrier1")
        let corrections = book.audit(live: [], backends: [.hiredis])
        _ = book.incr("carrier1")
        #expect(book.correct(corrections, at: .after(0)) == 0)
        #expect(book.get("carrier1") == 2)
    }

    @Test("a backend whose holders are not known is not judged")
    func unknown() {
        var book = book()
        _ = book.incr("carrier1")
        #expect(book.audit(live: [], backends: [.hash]).isEmpty)
    }

    @Test("the report says who uses what, by key and by node")
    func report() throws {
        var book = book("fs1", [.init("t_*", .share)])
        _ = book.incr("b")
        _ = book.expire("b", 10)
        _ = book.incr("a")
        _ = book.observe("L/t_a/1/2/9/\(wallStart)\n")
        try book.put("fs3", "a", 4)
        try book.put("fs2", "a", 2)
        let lines = book.report(at: .after(4))
        #expect(lines.map(\.key.description) == ["hash t_a", "hiredis a", "hiredis b"])
        #expect(lines.map(\.total) == [1, 7, 1])
        #expect(lines.map(\.endsIn) == [nil, nil, .seconds(6)])
        #expect(lines[0].policy == .share)
        #expect(lines[0].shares.first?.rate == 2)
        #expect(lines[1].shares.map(\.node) == ["fs1", "fs2", "fs3"])
        #expect(book.report(at: .after(4), limit: 1).count == 2)
    }
}
