import Limits
import Testing

@Suite("Limit counters")
struct LimitCounterTests {
    @Test("a check is answered with what all nodes use")
    func sum() throws {
        var book = book()
        try book.put("fs2", "carrier1", 3)
        try book.put("fs3", "carrier1", 4, adopted: 2)
        #expect(book.incr("carrier1") == 10)
        #expect(book.incr("carrier1") == 11)
        #expect(book.decr("carrier1") == 10)
        #expect(book.get("carrier1") == 10)
        #expect(book.get("carrier2") == nil)
    }

    @Test("what was not counted here cannot be given back")
    func floor() throws {
        var book = book()
        #expect(book.decr("a") == 0)
        try book.put("fs2", "a", 2)
        #expect(book.decr("a") == 2)
        #expect(book.incr("a") == 3)
        #expect(book.decr("a") == 2)
        #expect(book.decr("a") == 2)
    }

    @Test("counts saturate and never wrap")
    func saturation() throws {
        var book = book()
        try book.restore(
            .put(
                LimitKey(.hiredis, "a").record,
                LimitUsage.counter(CounterUsage(counted: LimitBounds.count)).bytes), at: .after(0))
        #expect(book.incr("a") == LimitBounds.answer)
        for node in 2...9 { try book.put("fs\(node)", "a", LimitBounds.count, adopted: LimitBounds.count) }
        #expect(book.incr("a") == LimitBounds.answer)
        #expect(book.decr("a") == LimitBounds.answer)
    }

    @Test("a rate's key ends after its seconds, and its record says when")
    func expiry() {
        var book = book()
        #expect(book.incr("calls") == 1)
        #expect(book.expire("calls", 3) == true)
        let change = book.takeChanges().first
        #expect(change?.expires == LimitMoment.after(3).boot)
        #expect(book.get("calls", at: .after(2.9)) == 1)
        #expect(book.get("calls", at: .after(3)) == nil)
        #expect(book.incr("calls", at: .after(4)) == 1)
        #expect(book.expire("nobody", 3) == false)
    }

    @Test("zero seconds or less end a key at once")
    func expireNow() {
        var book = book()
        _ = book.incr("a")
        #expect(book.expire("a", 0) == true)
        #expect(book.get("a") == nil)
        _ = book.incr("a")
        #expect(book.expire("a", .min) == true)
        #expect(book.get("a") == nil)
    }

    @Test("only the first node of a window sets its end: the others learn it, in either order")
    func inheritedExpiry() throws {
        var first = book()
        try first.put("fs2", "cps1_1", 1, expires: 1)
        #expect(first.incr("cps1_1") == 2)
        #expect(first.takeChanges().first?.expires == LimitMoment.after(1).boot)
        #expect(first.get("cps1_1", at: .after(1)) == nil)

        var second = book()
        try second.put("fs2", "cps1_1", 1)
        #expect(second.incr("cps1_1") == 2)
        try second.put("fs2", "cps1_1", 1, expires: 1)
        #expect(second.get("cps1_1", at: .after(1)) == nil)
    }

    @Test("the key of this moment's window ends with it, though nobody said so")
    func window() {
        var book = book()
        for (key, seconds) in [("cps1_1795254940", 1.0), ("cps1_1795254939", 1), ("cpm_29920915", 60)] {
            #expect(book.incr(key) == 1)
            #expect(book.get(key, at: .after(seconds - 0.01)) == 1)
            #expect(book.get(key, at: .after(seconds)) == nil)
        }
    }

    @Test(
        "a customer's number is no window",
        arguments: [
            "cust_1795254", "cust_4711", "cust_29920999", "1795254940", "x_", "_", "x_0", "x_99999999999999",
        ])
    func noWindow(key: String) {
        var book = book()
        #expect(book.incr(key) == 1)
        book.sweep(at: .after(100_000))
        #expect(book.get(key, at: .after(100_000)) == 1)
    }

    @Test(
        "a change is written once for all that happened to a key, and not at all when nothing is left of it")
    func changes() {
        var book = book()
        for _ in 1...5 { _ = book.incr("a") }
        _ = book.incr("b")
        _ = book.decr("b")
        let changes = book.takeChanges()
        #expect(changes == [.put(Array("ra".utf8), LimitUsage.counter(CounterUsage(counted: 5)).bytes)])
        #expect(book.takeChanges().isEmpty)
        for _ in 1...5 { _ = book.decr("a") }
        #expect(book.takeChanges() == [.remove(Array("ra".utf8))])
    }

    @Test("an unfit key is refused", arguments: ["", "a\nb", "\u{7F}", String(repeating: "x", count: 256)])
    func unfit(key: String) {
        var book = book()
        #expect(book.incr(key) == nil)
        #expect(book.takeChanges().isEmpty)
    }

    @Test("there is room for so many keys, and again when they are given back")
    func room() {
        var book = book()
        #expect(book.fullness(at: .after(0)) == 0)
        for number in 0..<LimitBounds.keysPerOrigin { #expect(book.incr("key\(number)") == 1) }
        #expect(book.fullness(at: .after(0)) == 1)
        #expect(book.incr("one more") == nil)
        #expect(book.incr("key0") == 2)
        _ = book.decr("key1")
        #expect(book.incr("one more") == 1)
        #expect(book.takeChanges().count == LimitBounds.keysPerOrigin)
    }

    @Test("keys that ended make room")
    func sweptRoom() {
        var book = book()
        for number in 0..<LimitBounds.keysPerOrigin {
            _ = book.incr("key\(number)")
            _ = book.expire("key\(number)", 1)
        }
        #expect(book.incr("one more") == nil)
        #expect(book.fullness(at: .after(1)) < 0.9)
        #expect(book.incr("one more", at: .after(1)) == 1)
    }
}
