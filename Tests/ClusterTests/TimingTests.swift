import Testing

@testable import Cluster

@Suite struct TimingTests {
    @Test("the clocks' rates are allowed for on both sides of a lease, and a takeover need not wait for it")
    func rates() {
        let timing = Timing()
        #expect(timing.holderLease == .microseconds(149_700))
        #expect(timing.leaseWait == .microseconds(150_300))
        #expect(timing.leaseWait < timing.deadAfter)
    }
}
