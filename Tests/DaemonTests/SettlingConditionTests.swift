import Cluster
import Primitives
import Testing

@testable import Daemon

private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

@Suite("What counts of a network's condition")
struct SettlingConditionTests {
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

@Suite("Whether others are heard in a network")
struct NetworkVoicesTests {
    @Test("a network that is silent for a moment is trusted only when it was not for some seconds")
    func quiet() {
        var voices = NetworkVoices()
        func company(_ time: Int64) -> NetworkSight.Company {
            voices.company(at: at(time), interval: .milliseconds(25))
        }
        #expect(company(0) == .missing && !voices.hasBegun)
        for time in stride(from: Int64(1000), through: 2000, by: 25) {
            voices.heard(at: at(time), interval: .milliseconds(25))
        }
        #expect(company(2200) == .heard)
        #expect(company(2201) == .quiet)
        #expect(company(3999) == .quiet)
        #expect(company(4000) == .missing)
        for time in stride(from: Int64(4500), through: 7500, by: 25) {
            voices.heard(at: at(time), interval: .milliseconds(25))
            #expect(company(time) == (time < 7500 ? .quiet : .heard), "\(time) ms")
        }
    }
}
