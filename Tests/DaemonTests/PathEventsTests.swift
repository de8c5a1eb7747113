import Cluster
import Primitives
import Testing

@testable import Daemon

@Suite("Troubles that become events")
struct PathEventsTests {
    private func at(_ second: Int64) -> Instant { Instant(nanoseconds: second * 1_000_000_000) }

    private static let all: [PathTrouble] = [
        PathTrouble(.plainLink, detail: "", peers: ["fs2"]),
        PathTrouble(.certificate, detail: "the certificate ends on 2027-01-01", peers: []),
        PathTrouble(.clock, detail: "4 s ahead of the others", peers: ["fs3"]),
        PathTrouble(.forged, detail: "10.0.0.66", peers: ["fs3"]),
        PathTrouble(.unproven, detail: "10.0.0.66", peers: ["fs3"]),
        PathTrouble(.otherKey, detail: "10.0.0.66", peers: []),
        PathTrouble(.replayed, detail: "10.0.0.66", peers: ["fs3"]),
    ]

    @Test(
        "each that neither a ring nor a link tells of is an event when it begins and when it ends, once",
        arguments: all)
    func each(_ trouble: PathTrouble) {
        var events = PathEvents()
        let told = events.news([trouble], of: "fs1", at: at(100))
        #expect(told.map(\.text) == PathTrouble.sentences([.init(node: "fs1", trouble: trouble)]))
        #expect(told.allSatisfy { $0.kind == .trouble && $0.subject == "fs1" })
        #expect(events.news([trouble], of: "fs1", at: at(101)).isEmpty)
        #expect(events.news([], of: "fs1", at: at(102)).count == 1)
        #expect(events.news([], of: "fs1", at: at(103)).isEmpty)
    }

    @Test("rings and links are told of by others", arguments: PathTrouble.Kind.allCases)
    func others(_ kind: PathTrouble.Kind) {
        var events = PathEvents()
        let isTold = !events.news([PathTrouble(kind, peers: ["fs2"])], of: "fs1", at: at(100)).isEmpty
        #expect(isTold == Self.all.contains { $0.kind == kind })
    }

    @Test(
        "ever new names make few events, and what a pause kept untold is told when it is over, if it is still there"
    )
    func paused() {
        var events = PathEvents()
        var count = 0
        for second in Int64(100)..<3700 {
            let trouble = PathTrouble(.unproven, detail: "10.0.0.66", peers: ["x\(second)"])
            count += events.news(second % 2 == 0 ? [trouble] : [], of: "fs1", at: at(second)).count
        }
        #expect(count <= 14, "six begin and six end in an hour")
        let stays = PathTrouble(.unproven, detail: "10.0.0.66", peers: ["fs3"])
        let later = (Int64(3700)..<8000).first { !events.news([stays], of: "fs1", at: at($0)).isEmpty }
        #expect(later != nil)
    }

    @Test("by how much a clock differs is no news; whose it is, is")
    func clock() {
        var events = PathEvents()
        func clock(_ seconds: Int, _ peer: String) -> [PathTrouble] {
            [PathTrouble(.clock, detail: "\(seconds) s ahead of the others", peers: [peer])]
        }
        #expect(events.news(clock(4, "fs3"), of: "fs1", at: at(100)).count == 1)
        #expect(events.news(clock(5, "fs3"), of: "fs1", at: at(300)).isEmpty)
        #expect(events.news(clock(5, "fs2"), of: "fs1", at: at(301)).count == 1)
    }
}
