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
        holdings.keeperReady()
        #expect(holdings.lostAt == nil)
    }
}
