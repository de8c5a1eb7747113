import Cluster
import Consensus
import Testing

@testable import Daemon

@Suite("What counts of a network's condition")
struct SettlingConditionTests {
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    @Test("an address that is back after some milliseconds was never gone; one that stays away is")
    func renewed() {
        var condition = SettlingCondition()
        #expect(condition.settle(.well, at: at(0)) == .well)
        #expect(condition.settle(.noInterface, at: at(1000)) == .well)
        // The address is back before its route is.
        #expect(condition.settle(.noRoute(interface: "eth0"), at: at(1010)) == .well)
        #expect(condition.settle(.well, at: at(1015)) == .well)
        #expect(condition.settle(.noRoute(interface: "eth0"), at: at(2000)) == .well)
        #expect(condition.settle(.noRoute(interface: "eth0"), at: at(2059)) == .well)
        #expect(condition.settle(.noRoute(interface: "eth0"), at: at(2060)) == .noRoute(interface: "eth0"))
        #expect(condition.settle(.well, at: at(2061)) == .well)
    }

    @Test("a cable that is out counts at once") func carrier() {
        var condition = SettlingCondition()
        #expect(condition.settle(.well, at: at(0)) == .well)
        #expect(condition.settle(.noCarrier(interface: "eth0"), at: at(1)) == .noCarrier(interface: "eth0"))
    }

    @Test("a network without an interface at the start is one at once") func start() {
        var condition = SettlingCondition()
        #expect(condition.settle(.noInterface, at: at(0)) == .noInterface)
    }
}
