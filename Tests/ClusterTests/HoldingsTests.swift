import Primitives
import Testing

@testable import Cluster

/// What the node has on record of its keeper.
@Suite struct HoldingsTests {
    private let alpha = ServiceAddress(name: "alpha", ip: IPAddress("10.77.0.11")!, prefixLength: 24)
    private let older = Epoch(term: 2, index: 5)
    private let newer = Epoch(term: 2, index: 9)
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    private func holding(_ epoch: Epoch) -> Holdings {
        var holdings = Holdings()
        holdings.keeperReady()
        _ = holdings.want(alpha, epoch: epoch, until: at(100), step: .milliseconds(10))
        _ = holdings.held("alpha", epoch: epoch)
        return holdings
    }

    @Test("a late word about an older hold changes nothing about the present one")
    func late() {
        var holdings = holding(newer)
        check(!holdings.released("alpha", epoch: older))
        holdings.failed("alpha", epoch: older, "the kernel says no", at: at(50))
        check(!holdings.held("alpha", epoch: older))
        #expect(holdings["alpha"]?.condition == .held)
        #expect(holdings["alpha"]?.trouble == nil)
        check(holdings.released("alpha", epoch: newer))
        #expect(holdings.isEmpty)
    }

    @Test("what a lost keeper held is over once the kernel has dropped it and its hold has ended, not before")
    func outlived() {
        var holdings = holding(newer)
        holdings.keeperLost(endsByItself: true, at: at(90))
        check(holdings.outlived(at: at(2589)).isEmpty)
        check(holdings.outlived(at: at(2590)).map(\.address.name) == ["alpha"])
        check(!holdings.isGone("alpha", at: at(2590)))
        check(holdings.released("alpha", epoch: newer))
        check(!holdings.isGone("alpha", at: at(2589)) && holdings.isGone("alpha", at: at(2590)))

        var slept = holding(newer)
        slept.keeperLost(endsByItself: true, at: at(90))
        slept.excuse(.milliseconds(400))
        check(slept.outlived(at: at(2989)).isEmpty && !slept.outlived(at: at(2990)).isEmpty)

        var long = Holdings()
        long.keeperReady()
        _ = long.want(alpha, epoch: newer, until: at(5000), step: .milliseconds(10))
        long.keeperLost(endsByItself: true, at: at(90))
        check(long.outlived(at: at(5000)).isEmpty)
        check(!long.outlived(at: at(5001)).isEmpty)
    }

    @Test(
        "what has no lifetime in the kernel is never over by itself, and nothing is once another keeper is there"
    )
    func noLifetime() {
        var holdings = holding(newer)
        holdings.keeperLost(endsByItself: false, at: at(90))
        check(holdings.outlived(at: at(60_000)).isEmpty)
        check(holdings.released("alpha", epoch: newer))
        check(!holdings.isGone("alpha", at: at(60_000)))
        holdings.keeperReady()
        check(holdings.isGone("alpha", at: at(60_000)))
        #expect(holdings.lostAt == nil)
    }

    /// The node service lives and says when it is over; nobody waits until it ends too.
    @Test(
        "where the keeper is lost and none can follow, the seat moves as soon as the kernel must have dropped the address"
    )
    func withoutKeeper() throws {
        var seed: UInt64 = 3
        var stage = Stage(3, prefer: 0, seed: seed)
        while !stage.run(.seconds(4), until: { $0.holders == [0] && $0.leader != nil }) {
            seed += 1
            stage = Stage(3, prefer: 0, seed: seed)
        }
        stage.run(.seconds(1))
        stage.loseKeeper(0)
        let lost = stage.now
        check(stage.run(.seconds(4)) { !$0.holders.isEmpty && !$0.holders.contains(0) })
        let after = stage.now - lost
        #expect(after >= Holdings.afterlife && after < Holdings.afterlife + .milliseconds(200), "\(after)")
        #expect(stage.violations.isEmpty)
    }
}
