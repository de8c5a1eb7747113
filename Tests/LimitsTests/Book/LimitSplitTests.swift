import Limits
import Testing

@Suite("Limits in a split cluster")
struct LimitSplitTests {
    private func split(_ policy: LimitPolicy) throws -> LimitBook {
        var book = book("fs1", [.init("*", policy)])
        try book.put("fs2", "a", 3)
        try book.put("fs3", "a", 4)
        try book.putHash("fs2", "t_a", HashUsage(total: 3))
        try book.putHash("fs3", "t_a", HashUsage(total: 4))
        book.setReach(LimitReach(reachable: ["fs2"], nodes: 5, isSplit: true))
        return book
    }

    @Test("open counts what can be seen")
    func open() throws {
        var book = try split(.open)
        #expect(book.incr("a") == 4)
        #expect(book.hash() == "L/t_a/3/0/0/0\n")
    }

    @Test("closed answers more than any MAX, and counts go on")
    func closed() throws {
        var book = try split(.closed)
        #expect(book.incr("a") == LimitBounds.refusal)
        #expect(book.get("a") == 4)
        #expect(book.decr("a") == 3)
        #expect(book.incr("never seen") == LimitBounds.refusal)
        #expect(book.hash() == "L/t_a/\(LimitBounds.refusal)/0/0/0\n")
    }

    @Test("share scales what this side uses to the whole cluster, rounded up", arguments: [4, 5, 10, 100])
    func share(maximum: UInt64) throws {
        var book = try split(.share)
        var admitted: UInt64 = 3
        while let sum = book.incr("a"), sum <= maximum { admitted += 1 }
        // Two of five nodes: their part, and not one call more; what was there before stays.
        #expect(admitted == max(3, maximum * 2 / 5))
    }

    @Test("share tells mod_hash so much that it stops at this side's part", arguments: [4, 5, 10, 100])
    func shareOfHash(maximum: UInt64) throws {
        var book = try split(.share)
        var local: UInt64 = 0
        while true {
            _ = book.observe(local == 0 ? "" : "L/t_a/\(local)/0/0/0\n")
            let told = try #require(UInt64(book.hash().split(separator: "/")[2]))
            // mod_hash.c, limit_incr_hash: refused when this is so.
            if local + 1 + told > maximum { break }
            local += 1
        }
        #expect(3 + local == max(3, maximum * 2 / 5))
    }

    @Test(
        "when the cluster is whole again all count again, whatever the policy",
        arguments: LimitPolicy.allCases)
    func heal(policy: LimitPolicy) throws {
        var book = try split(policy)
        book.setReach(LimitReach(reachable: ["fs2", "fs3"], nodes: 5, isSplit: false))
        #expect(book.incr("a") == 8)
        #expect(book.hash() == "L/t_a/7/0/0/0\n")
    }

    @Test("a node out of reach still counts while the cluster is not split")
    func suspected() throws {
        var book = try split(.closed)
        book.setReach(LimitReach(reachable: [], nodes: 3, isSplit: false))
        #expect(book.incr("a") == 8)
    }

    @Test("each key has the policy of the first pattern that fits")
    func patterns() throws {
        var book = book("fs1", [.init("gold*", .open), .init("*_rate_*", .share), .init("car", .closed)])
        book.setReach(LimitReach(reachable: [], nodes: 3, isSplit: true))
        #expect(book.incr("gold_rate_1") == 1)
        #expect(book.incr("x_rate_1") == 3)
        #expect(book.incr("car") == LimitBounds.refusal)
        #expect(book.incr("caar") == 1)
        book.setPolicies(LimitPolicies(otherwise: .closed))
        #expect(book.incr("caar") == LimitBounds.refusal)
    }

    @Test("a pattern of many stars costs no more than its length times the key's")
    func stars() {
        let pattern = String(repeating: "*a", count: 100) + "b"
        var book = book("fs1", [.init(pattern, .closed)])
        #expect(book.incr(String(repeating: "a", count: 250)) == 1)
    }
}
