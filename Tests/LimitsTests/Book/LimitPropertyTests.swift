import Limits
import Primitives
import Testing

/// Random histories of a node's limits beside a model, and beside a peer that only hears what is written.
@Suite("Limits under random histories")
struct LimitPropertyTests {
    private struct Run {
        var generator: SeededGenerator
        var book: LimitBook
        var peer: LimitBook
        var model = LimitModel()
        var now = 0.0
        let keys = [
            "a", "b", "trunk", "x_7", "cps_1795254941", "cps_1795254942", "cps_1795254945", "cpm_29920916",
        ]

        init(seed: UInt64) {
            generator = SeededGenerator(seed: seed)
            book = LimitBook(me: "me", seed: seed)
            peer = LimitBook(me: "peer", seed: seed &+ 1)
        }

        mutating func int(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &generator) }

        var moment: LimitMoment { .after(now) }

        mutating func step() throws {
            let key = keys.randomElement(using: &generator)!
            switch int(0...99) {
            case 0..<35:
                model.increment(key, now)
                #expect(book.incr(key, at: moment) == model.sum(key))
            case 35..<55:
                model.decrement(key)
                #expect(book.decr(key, at: moment) == model.sum(key) ?? 0)
            case 55..<60:
                let seconds = int(-1...4)
                let isUsed = model.sum(key) != nil
                model.expire(key, seconds, now)
                #expect(book.expire(key, Int64(seconds), at: moment) == isUsed)
            case 60..<68: try stepAdoption()
            case 68..<70:
                model.restart()
                book.switchRestarted()
            case 70..<88: try stepOther(key)
            case 88..<91:
                model.isSplit = int(0...1) == 0
                model.reachable = ["n1", "n2", "n3"].filter { _ in int(0...1) == 0 }
                book.setReach(LimitReach(reachable: model.reachable, nodes: 4, isSplit: model.isSplit))
            default:
                now += Double(int(1...8)) / 4
                if int(0...1) == 0 { book.sweep(at: moment) }
                model.pass(now)
            }
        }

        mutating func stepAdoption() throws {
            let leg = "leg\(int(0...5))"
            if int(0...2) == 0 {
                model.release(leg)
                book.releaseAdopted(leg)
            } else {
                let held = keys.filter { _ in int(0...3) == 0 }
                model.adopt(leg, held)
                try book.adopt(leg, held.map { LimitKey(.hiredis, $0) }, at: moment)
            }
        }

        mutating func stepOther(_ key: String) throws {
            let node = "n\(int(1...3))"
            let life = UInt64(int(1...3))
            switch int(0...9) {
            case 0:
                model.forget(node, life)
                book.forget(LimitOrigin(node: node, life: life))
            case 1:
                if model.hear(node, life) { model.nodes[node]?.parts = [:] }
                try book.reset(LimitOrigin(node: node, life: life))
            case 2...3:
                if model.hear(node, life) { model.nodes[node]?.parts[key] = nil }
                try book.apply(
                    .remove(LimitKey(.hiredis, key).record), of: LimitOrigin(node: node, life: life),
                    at: moment)
            default:
                let end = int(0...2) == 0 ? now + Double(int(0...6)) / 2 : nil
                let part = LimitModel.Part(counted: UInt64(int(1...5)), adopted: UInt64(int(0...2)), end: end)
                model.put(node, life, key, part, now)
                // As often as it likes: a record may come twice.
                for _ in 0...int(0...1) {
                    try book.put(
                        node, life: life, key, UInt32(part.counted), adopted: UInt32(part.adopted),
                        expires: end,
                        at: moment)
                }
            }
        }

        /// What we wrote is what a peer that heard only this sees of us.
        mutating func checkPeer() throws {
            let changes = book.takeChanges()
            #expect(Set(changes.map(\.key)).count == changes.count)
            for change in changes { try peer.apply(change, of: LimitOrigin(node: "me", life: 1), at: moment) }
            model.pass(now)
            for key in keys {
                #expect(peer.get(key, at: moment) == model.own[key]?.total, "\(key) at \(now)")
            }
        }

        mutating func check() {
            model.pass(now)
            for key in keys { #expect(book.get(key, at: moment) == model.sum(key), "\(key) at \(now)") }
        }
    }

    @Test(
        "sums are right after any history, and a peer that hears our records sees our usage",
        arguments: 1...40)
    func histories(seed: UInt64) throws {
        var run = Run(seed: seed)
        for step in 1...600 {
            try run.step()
            run.check()
            if step.isMultiple(of: 7) { try run.checkPeer() }
        }
    }

    @Test("all books agree on the sum once they have heard each other, in whatever order", arguments: 1...30)
    func convergence(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let names = ["fs1", "fs2", "fs3", "fs4"]
        var books = names.map { LimitBook(me: $0, seed: seed) }
        var queues = [[[LimitChange]]](repeating: Array(repeating: [], count: 4), count: 4)
        func deliver(_ from: Int, _ to: Int) throws {
            for change in queues[from][to] {
                try books[to].apply(change, of: LimitOrigin(node: names[from], life: 1), at: .after(0))
            }
            queues[from][to] = []
        }
        for _ in 1...2000 {
            let node = Int.random(in: 0...3, using: &generator)
            let key = ["a", "b", "c"].randomElement(using: &generator)!
            if Bool.random(using: &generator) { _ = books[node].incr(key) } else { _ = books[node].decr(key) }
            for change in books[node].takeChanges() {
                for to in 0...3 where to != node { queues[node][to].append(change) }
            }
            try deliver(.random(in: 0...3, using: &generator), .random(in: 0...3, using: &generator))
        }
        for from in 0...3 { for to in 0...3 { try deliver(from, to) } }
        for key in ["a", "b", "c"] {
            let sums = books.indices.map { books[$0].get(key) }
            #expect(Set(sums).count == 1)
        }
    }

    @Test("the same history gives the same records in the same order")
    func determinism() throws {
        func history() throws -> [LimitChange] {
            var run = Run(seed: 99)
            var changes: [LimitChange] = []
            for _ in 1...500 {
                try run.step()
                changes += run.book.takeChanges()
            }
            return changes + run.book.ownRecords()
        }
        #expect(try history() == history())
    }
}
