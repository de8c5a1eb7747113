import Primitives
import Testing

@testable import Daemon

@Suite("The turn of the limit service")
struct LimitTurnTests {
    private static let clock = Instant.zero + .seconds(1)

    /// What so many clients in each window change.
    private func changes(_ loads: [Int]) -> [Bool?] {
        var turn = LimitTurn()
        var clients = Array(repeating: UInt64(0), count: 100)
        _ = turn.next(at: Self.clock)
        return loads.enumerated().map { window, load in
            for place in clients.indices.prefix(load) {
                turn.heard(&clients[place])
                turn.heard(&clients[place])
            }
            return turn.next(at: Self.clock + LimitTurn.window * (window + 1))
        }
    }

    @Test("is before ordinary work for few clients, and an ordinary one for many") func follows() {
        #expect(changes([1, 8, 9, 50, 5, 4, 1]) == [nil, nil, false, nil, nil, true, nil])
    }

    @Test("is before ordinary work again after silence") func silence() {
        #expect(changes([50, 0]) == [false, true])
    }

    @Test("does not change within a window") func window() {
        var turn = LimitTurn()
        _ = turn.next(at: Self.clock)
        for _ in 0..<50 {
            var client: UInt64 = 0
            turn.heard(&client)
            #expect(turn.next(at: Self.clock + .milliseconds(9)) == nil)
        }
        #expect(turn.isFirst)
    }
}
