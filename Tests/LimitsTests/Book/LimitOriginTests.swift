import Limits
import Primitives
import Testing

@Suite("Usage of other nodes")
struct LimitOriginTests {
    @Test("a record that comes twice changes nothing")
    func idempotence() throws {
        var book = book()
        for _ in 1...3 { try book.put("fs2", "a", 2) }
        #expect(book.get("a") == 2)
        for _ in 1...3 {
            try book.apply(.remove(Array("ra".utf8)), of: LimitOrigin(node: "fs2", life: 1), at: .after(0))
        }
        #expect(book.get("a") == nil)
    }

    @Test("a dead node's usage leaves with it, and its late records change nothing")
    func forget() throws {
        var book = book()
        try book.put("fs2", "a", 2)
        try book.putHash("fs2", "trunk_a", HashUsage(total: 2))
        book.forget(LimitOrigin(node: "fs2", life: 1))
        #expect(book.get("a") == nil)
        #expect(book.hash() == "-ERR no reply\n")
        try book.put("fs2", "a", 5)
        #expect(book.get("a") == nil)
        try book.put("fs2", life: 2, "a", 1)
        #expect(book.get("a") == 1)
        book.forget(LimitOrigin(node: "fs3", life: 4))
        try book.put("fs3", life: 4, "a", 7)
        #expect(book.get("a") == 1)
    }

    @Test("a new life ends all of the old one; the old one's late words change nothing")
    func lives() throws {
        var book = book()
        try book.put("fs2", life: 5, "a", 2)
        try book.put("fs2", life: 6, "b", 1)
        #expect(book.get("a") == nil)
        try book.put("fs2", life: 5, "a", 2)
        book.forget(LimitOrigin(node: "fs2", life: 5))
        #expect(book.get("a") == nil)
        #expect(book.get("b") == 1)
    }

    @Test("a new copy of a node's stream begins with nothing")
    func reset() throws {
        var book = book()
        try book.put("fs2", "a", 2)
        try book.put("fs3", "a", 1)
        try book.reset(LimitOrigin(node: "fs2", life: 1))
        #expect(book.get("a") == 1)
        try book.put("fs2", "a", 4)
        #expect(book.get("a") == 5)
    }

    @Test("malformed records are refused by the name of the node")
    func malformed() {
        var book = book()
        let origin = LimitOrigin(node: "fs2", life: 1)
        let counter = LimitUsage.counter(CounterUsage(counted: 1)).bytes
        let hash = LimitUsage.hash(HashUsage(total: 1)).bytes
        let wrong: [LimitChange] = [
            .put([], counter), .put(Array("xa".utf8), counter), .put(Array("r".utf8), counter),
            .put(Array("ra\n".utf8), counter), .put([0x72, 0xFF], counter), .put(Array("ra".utf8), []),
            .put(Array("ra".utf8), [1, 1]), .put(Array("ra".utf8), counter + [0]),
            .put(Array("ra".utf8), [9, 1, 1]),
            .put(Array("ra".utf8), [1, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0]), .put(Array("ra".utf8), hash),
            .put(Array("ha".utf8), counter), .remove(Array("q".utf8)),
        ]
        for change in wrong {
            let refusal = #expect(throws: LimitRefusal.self) {
                try book.apply(change, of: origin, at: .after(0))
            }
            #expect(refusal?.subject == "fs2")
        }
        #expect(throws: LimitRefusal.self) { try book.put("fs1", "a", 1) }
        #expect(book.get("a") == nil)
    }

    @Test("what a node says of a key that has ended already is not kept")
    func endedRecord() throws {
        var book = book()
        try book.put("fs2", "a", 1, expires: 5)
        try book.put("fs2", "a", 1, expires: 2, at: .after(2))
        #expect(book.get("a", at: .after(2)) == nil)
    }

    @Test("usage of so many nodes is kept; one that is out makes room")
    func origins() throws {
        var book = book()
        for node in 1...LimitBounds.origins { try book.put("other\(node)", "a", 1) }
        #expect(throws: LimitRefusal.self) { try book.put("another", "a", 1) }
        book.forget(LimitOrigin(node: "other7", life: 1))
        try book.put("another", "a", 5)
        #expect(book.get("a") == UInt64(LimitBounds.origins) + 4)
    }

    @Test("payloads read back as they were written")
    func codec() {
        var generator = SeededGenerator(seed: 3)
        func count() -> UInt32 {
            let shift = UInt32.random(in: 0...31, using: &generator)
            return min(UInt32.random(in: 0...UInt32.max, using: &generator) >> shift, LimitBounds.count)
        }
        for _ in 0..<2000 {
            let counter = LimitUsage.counter(CounterUsage(counted: count(), adopted: count()))
            let hash = LimitUsage.hash(
                HashUsage(
                    total: count(), adopted: count(), rate: count(), interval: count(),
                    lastCheck: .random(in: 0...(1 << 40), using: &generator)))
            for usage in [counter, hash] {
                let bytes = usage.bytes
                #expect(LimitUsage(bytes: bytes) == usage)
                #expect(bytes.count <= 28)
                for end in bytes.indices { #expect(LimitUsage(bytes: Array(bytes[..<end])) == nil) }
            }
        }
    }

    @Test("a record's key says its backend and its name")
    func recordKeys() {
        for key in [LimitKey(.hash, "trunk_a"), LimitKey(.hiredis, "ä b"), LimitKey(.hiredis, "h")] {
            #expect(LimitKey(record: key.record) == key)
        }
        #expect(LimitKey(.hash, "b") < LimitKey(.hiredis, "a"))
    }
}
