import Primitives
import Testing

@Suite("Places of a listener")
struct ConnectionSlotsTests {
    private func ip(_ last: Int) -> IPAddress? { IPAddress("10.0.0.\(last)") }

    @Test("the oldest stranger makes room, and whoever proved himself never does")
    func oldest() {
        var slots = ConnectionSlots(.init(strangers: 3, perSource: 3, proven: 2))
        let friend = slots.admit(source: ip(1)).id
        #expect(slots.prove(friend) == true)
        var evicted: [UInt64] = []
        for _ in 0..<1000 { evicted += slots.admit(source: ip(9)).evicted }
        #expect(evicted == Array(2...998))
        #expect(slots.strangerCount == 3)
        #expect(slots.provenCount == 1)
    }

    @Test("one address has its share only, and the address with most loses one to who comes from elsewhere")
    func sources() {
        var slots = ConnectionSlots(.init(strangers: 8, perSource: 6, proven: 2))
        var newest: UInt64 = 0
        for _ in 0..<100 { newest = slots.admit(source: ip(9)).id }
        #expect(slots.strangerCount == 6)
        let other = slots.admit(source: ip(2))
        #expect(other.evicted.isEmpty)
        _ = slots.admit(source: ip(3))
        let fourth = slots.admit(source: ip(4))
        #expect(fourth.evicted == [newest - 5], "the oldest of the address that has six")
        #expect(slots.admit(source: ip(9)).evicted == [newest - 4])
        #expect(slots.prove(other.id) == true)
    }

    @Test("a peer whose address is known is not driven out by strangers from many addresses")
    func expected() {
        var slots = ConnectionSlots(.init(strangers: 4, perSource: 2, proven: 2))
        let peer = slots.admit(source: ip(1), isExpected: true).id
        for last in 2..<250 { _ = slots.admit(source: ip(last)) }
        #expect(slots.prove(peer) == true)
        slots.leave(peer)
        slots.leave(peer)
        #expect(slots.provenCount == 0)
    }

    @Test("there is an end of places for the proven too, and one comes free when one leaves")
    func proven() {
        var slots = ConnectionSlots(.init(strangers: 4, perSource: 4, proven: 1))
        let first = slots.admit(source: nil).id
        let second = slots.admit(source: nil).id
        #expect(slots.prove(first) == true)
        #expect(slots.prove(second) == false)
        slots.leave(first)
        #expect(slots.prove(second) == true)
        #expect(slots.prove(second) == true, "twice is as once")
    }

    @Test("the addresses of one IPv6 network count as one")
    func network() throws {
        var slots = ConnectionSlots(.init(strangers: 8, perSource: 1, proven: 1))
        let first = slots.admit(source: IPAddress("2001:db8::1"))
        #expect(slots.admit(source: IPAddress("2001:db8::ffff:1")).evicted == [first.id])
        #expect(slots.admit(source: IPAddress("2001:db8:0:1::1")).evicted.isEmpty)
    }
}
