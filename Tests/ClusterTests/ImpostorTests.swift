import Primitives
import Testing

@testable import Cluster

/// Another machine has an address that is held here, as the keeper hears from the network.
@Suite("Impostors") struct ImpostorTests {
    private let impostor: UInt64 = 0x024C_0000_0063
    private let own: UInt64 = 0x024C_0000_0001

    private func formed() throws -> Stage {
        var stage = Stage(3, prefer: 1, seed: 7)
        try #require(stage.run(.seconds(4)) { $0.holders == [1] })
        for i in 0..<3 {
            let sight = NetworkSight(
                address: "alpha", condition: .well, hardware: own + UInt64(i), company: .heard)
            stage.happen(.networkSeen([sight]), at: i)
        }
        stage.run(.seconds(1))
        return stage
    }

    /// The nodes that name it now.
    private func tellers(_ stage: Stage) -> [Int] {
        stage.machines.indices.filter { i in
            let report = stage.machines[i].node?.statusReport(at: stage.now)
            return report?.warnings.contains { $0.contains("02:4c:00:00:00:63") } ?? false
        }
    }

    private func contest(_ stage: inout Stage) throws {
        let epoch = try #require(stage.machines[1].held["alpha"]?.epoch)
        stage.happen(.keeperContested(address: "alpha", epoch: epoch, hardware: impostor), at: 1)
    }

    @Test("one word is not believed: it may be from before the address moved") func once() throws {
        var stage = try formed()
        try contest(&stage)
        stage.run(.seconds(2))
        #expect(tellers(stage) == [])
        #expect(stage.announcements.isEmpty)
    }

    @Test("words that repeat are told on every node, and the address is announced again as long as they do")
    func lasting() throws {
        var stage = try formed()
        for _ in 0..<4 {
            try contest(&stage)
            stage.run(.seconds(2))
        }
        #expect(tellers(stage) == [0, 1, 2])
        #expect(stage.reports(.trouble, by: 1, about: "alpha") == 1)
        #expect((2...4).contains(stage.announcements.count { $0.by == 1 && $0.address == "alpha" }))
        let count = stage.announcements.count
        stage.run(.seconds(6))
        #expect(tellers(stage) == [])
        stage.run(.seconds(6))
        #expect(stage.announcements.count <= count + 2)
        #expect(stage.holders == [1])
    }

    @Test("what is said of another grant is not believed") func formerGrant() throws {
        var stage = try formed()
        let epoch = Epoch(term: 1, index: 1)
        for _ in 0..<4 {
            stage.happen(.keeperContested(address: "alpha", epoch: epoch, hardware: impostor), at: 1)
            stage.run(.seconds(2))
        }
        #expect(tellers(stage) == [])
    }
}
