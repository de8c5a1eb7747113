import Limits
import Replication
import Testing

@Suite("Limits of revived calls")
struct LimitAdoptionTests {
    private let keys = [LimitKey(.hiredis, "carrier1"), LimitKey(.hash, "trunk_carrier1")]

    @Test("a revived leg's keys count until it hangs up, for us and for our own switch's remote")
    func adoption() throws {
        var book = book()
        try book.adopt("leg-1", keys, at: .after(0))
        try book.adopt("leg-2", keys, at: .after(0))
        #expect(book.get("carrier1") == 2)
        #expect(book.incr("carrier1") == 3)
        #expect(book.hash() == "L/trunk_carrier1/2/0/0/0\n")
        #expect(book.releaseAdopted("leg-1") == true)
        #expect(book.releaseAdopted("leg-1") == false)
        #expect(book.get("carrier1") == 2)
        #expect(book.hash() == "L/trunk_carrier1/1/0/0/0\n")
        #expect(book.adoptedLegs == 1)
    }

    @Test("the sum is the same after a takeover, and never dips when adopted first")
    func takeover() throws {
        var book = book()
        try book.put("fs2", "carrier1", 2)
        let before = book.get("carrier1")
        try book.adopt("leg-1", keys, at: .after(0))
        try book.adopt("leg-2", keys, at: .after(0))
        book.forget(LimitOrigin(node: "fs2", life: 1))
        #expect(book.get("carrier1") == before)
    }

    @Test("adopting a leg again replaces what was said before")
    func again() throws {
        var book = book()
        try book.adopt("leg", keys, at: .after(0))
        try book.adopt("leg", [keys[0], keys[0]], at: .after(0))
        #expect(book.get("carrier1") == 1)
        #expect(book.hash() == "-ERR no reply\n")
    }

    @Test("a revived leg's count is not taken by the hangup of another call")
    func separate() throws {
        var book = book()
        try book.adopt("leg", keys, at: .after(0))
        #expect(book.decr("carrier1") == 1)
        book.releaseAdopted("leg")
        #expect(book.get("carrier1") == nil)
    }

    @Test("when our switch starts anew nothing of it is left, and all of it is written")
    func restart() throws {
        var book = book()
        _ = book.incr("carrier1")
        _ = book.observe("L/trunk_carrier1/2/0/0/0\n")
        try book.adopt("leg", keys, at: .after(0))
        try book.put("fs2", "carrier1", 1)
        _ = book.takeChanges()
        book.switchRestarted()
        #expect(book.get("carrier1") == 1)
        #expect(book.adoptedLegs == 0)
        #expect(book.takeChanges() == [.remove(keys[0].record), .remove(keys[1].record)])
        #expect(book.ownRecords().isEmpty)
    }

    @Test(
        "after a restart of the service alone, what a peer kept is taken back, and calls end as they should")
    func restore() throws {
        var before = book()
        _ = before.incr("carrier1")
        _ = before.incr("carrier1")
        _ = before.incr("rate")
        _ = before.expire("rate", 2)
        try before.adopt("leg", keys, at: .after(0))
        var after = book()
        for record in before.ownRecords() { try after.restore(record, at: .after(2)) }
        #expect(after.get("carrier1", at: .after(2)) == 2)
        #expect(after.get("rate", at: .after(2)) == nil)
        #expect(after.decr("carrier1", at: .after(2)) == 1)
        for record in before.ownRecords() { try after.restore(record, at: .after(2)) }
        #expect(after.get("carrier1", at: .after(2)) == 1)
    }

    @Test("what cannot be adopted is named, the rest is")
    func refusal() throws {
        var book = book()
        let refusal = #expect(throws: LimitRefusal.self) {
            try book.adopt("leg", [keys[0], LimitKey(.hash, "a\nb")], at: .after(0))
        }
        #expect(refusal?.subject == "leg")
        #expect(book.get("carrier1") == 1)
        #expect(throws: LimitRefusal.self) { try book.adopt("", keys, at: .after(0)) }
        let many = (0...LimitBounds.keysPerLeg).map { LimitKey(.hiredis, "k\($0)") }
        #expect(throws: LimitRefusal.self) { try book.adopt("leg", many, at: .after(0)) }
    }

    @Test("a leg's variables say which keys of mod_hash it holds")
    func variables() {
        let variables: [CallLeg.Field] = [
            .init("limit_usage", "2"), .init("limit_usage_trunk_carrier1", "2"),
            .init("limit_rate_trunk_cps", "3"),
            .init("limit_usage_trunk_cps", "1"), .init("limit_backend", "hash"), .init("other", "x"),
        ]
        #expect(
            LimitKey.held(byVariables: variables) == [
                LimitKey(.hash, "trunk_carrier1"), LimitKey(.hash, "trunk_cps"),
            ])
        #expect(
            LimitKey.held(byVariables: [.init("limit_usage_a_b", "1"), .init("limit_backend", "db")]).isEmpty)
    }

    @Test("the data of a limit that ran says what it takes")
    func applications() {
        #expect(
            LimitKey.taken(byLimit: "hiredis default carrier1 5 !CALL_REJECTED")
                == LimitKey(.hiredis, "carrier1"))
        #expect(LimitKey.taken(byLimit: "hiredis default cps1 2/1") == nil)
        #expect(LimitKey.taken(byLimit: "hash trunk carrier1 5") == LimitKey(.hash, "trunk_carrier1"))
        #expect(LimitKey.taken(byLimit: "hash trunk cps1 5/1") == LimitKey(.hash, "trunk_cps1"))
        #expect(LimitKey.taken(byLimit: "db trunk a 5") == nil)
        #expect(LimitKey.taken(byLimit: "hash trunk") == nil)
    }
}
