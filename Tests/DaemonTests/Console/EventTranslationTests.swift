import Cluster
import EventSocket
import Primitives
import Testing

@testable import Daemon

@Suite("Cluster events as FreeSWITCH events")
struct EventTranslationTests {
    private var translation = EventTranslation(node: "fs2", nodes: ["fs1", "fs2"], seed: 7)
    private let epoch = Epoch(term: 3, index: 118)

    @Test("Each event has its subclass and says all it knows")
    mutating func own() throws {
        let events = translation.events(
            for: ClusterEvent(.seatMoving, "master1", "it moves\nby hand", epoch: epoch))
        #expect(events.count == 1)
        let event = try #require(events.first)
        #expect(event.name == "CUSTOM")
        #expect(event.subclass == "fsdns::seat")
        #expect(event["fsdns-Kind"] == "seat-moving")
        #expect(event["fsdns-Subject"] == "master1")
        #expect(event["fsdns-Text"] == "it moves by hand")
        #expect(event["fsdns-Epoch"] == "3.118")
        #expect(event["fsdns-Node"] == "fs2")
    }

    @Test(
        "Every kind has a subclass that is told to those who subscribe", arguments: ClusterEvent.Kind.allCases
    )
    mutating func kinds(_ kind: ClusterEvent.Kind) {
        for event in translation.events(for: ClusterEvent(kind, "fs1", "because", epoch: epoch)) {
            #expect(EventTranslation.subclasses.contains(event.subclass ?? ""))
        }
    }

    @Test("A node that is fenced is the plan's failure, told by all")
    mutating func failure() throws {
        let events = translation.events(for: ClusterEvent(.nodeFenced, "fs1", "fs1 is out", epoch: epoch))
        #expect(events.map(\.subclass) == ["fsdns::node", "ha_cluster::failure"])
        #expect(events[1]["HAC-Event-Type"] == "HAC_FAILURE")
        #expect(events[1]["HAC-Peer"] == "fs1")
        #expect(events[1]["HAC-Node-ID"] == "1")
        #expect(events[1]["HAC-Priority"] == nil)
        #expect(events[1]["State"] == "UNKNOWN")
        #expect(events[1]["HAC-Event-UUID"]?.utf8.count == 36)
    }

    @Test("A takeover of the plan is told by the node that takes over, once it has the address")
    mutating func takeover() {
        let first = translation.events(
            for: ClusterEvent(.takeover, "master1", "alpha goes from fs1 to fs2", epoch: epoch))
        #expect(first.map(\.subclass) == ["fsdns::failover"])
        let held = translation.events(
            for: ClusterEvent(.addressHeld, "alpha", "fs2 holds alpha", epoch: epoch))
        #expect(held.map(\.subclass) == ["fsdns::seat", "ha_cluster::takeover"])
        #expect(held[1]["HAC-Peer"] == "fs2")
        #expect(held[1]["HAC-Node-ID"] == "2")
        #expect(held[1]["State"] == "MASTER")
        let other = Epoch(term: 3, index: 119)
        #expect(translation.events(for: ClusterEvent(.addressHeld, "beta", "held", epoch: other)).count == 1)
    }

    @Test("Letting go and stopping are the plan's relinquish and shutdown")
    mutating func leaving() {
        let events = translation.events(for: ClusterEvent(.addressReleased, "alpha", "let go"))
        #expect(events.last?.subclass == "ha_cluster::relinquish")
        #expect(events.last?["fsdns-Epoch"] == nil)
        #expect(translation.shutdown().subclass == "ha_cluster::shutdown")
    }

    @Test("No two events of the plan have one UUID")
    mutating func uuids() {
        let event = ClusterEvent(.nodeFenced, "fs1", "out", epoch: epoch)
        let one = translation.events(for: event).last?["HAC-Event-UUID"]
        let other = translation.events(for: event).last?["HAC-Event-UUID"]
        #expect(one != nil && one != other)
    }

    @Test("Told to a FreeSWITCH, an event keeps its subclass and its headers")
    mutating func injection() throws {
        let event = try #require(
            translation.events(for: ClusterEvent(.drainFinished, "master1", "done: 100 %", epoch: epoch))
                .first)
        let text = String(decoding: try EventTranslation.injection(of: event).encoded(), as: UTF8.self)
        #expect(text.hasPrefix("sendevent CUSTOM\n"))
        #expect(text.contains("\nEvent-Subclass: fsdns::drain\n"))
        #expect(text.contains("\nfsdns-Text: done: 100 %\n"))
        #expect(text.hasSuffix("\n\n"))
    }
}
