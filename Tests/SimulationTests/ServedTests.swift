import Simulation
import Testing

/// A seat is where callers are served: stories about the network of the service addresses, judged by what they expect.
@Suite("A seat is where callers are served") struct ServedTests {
    @Test(
        "the cable of the service network is out at a holder whom all others hear: its seat goes to a slave that stands ready"
    )
    func cutServiceNetworkMoves() throws {
        let story = """
            nodes fs1 fs2 fs3 fs4
            seats 2
            rest
            unplug fs1
            run 150ms
            expect holder master1 fs3
            expect holder master2 fs2
            expect moves 1
            run 5s
            expect moves 1
            plug fs1
            run 5s
            expect holder master1 fs3
            expect moves 1
            """
        _ = try Scenario(story).play()
    }

    @Test("the first slave's service cable is out: a dead master's address goes to the second")
    func slaveWithoutCarrierIs() throws {
        let story = """
            nodes fs1 fs2 fs3
            seats 1
            rest
            expect slaves fs2 fs3
            unplug fs2
            run 100ms
            crash fs1
            run 1s
            expect holder master1 fs3
            """
        _ = try Scenario(story).play()
    }

    @Test("the service network itself is gone, everywhere: the seat stays where it is")
    func movesWhenNobodyWould() throws {
        let story = """
            nodes fs1 fs2 fs3
            seats 1
            rest
            unplug fs1
            unplug fs2
            unplug fs3
            run 5s
            expect holder master1 fs1
            expect moves 0
            """
        _ = try Scenario(story).play()
    }

    @Test("a link that comes and goes every second costs one move: its node is not trusted again so soon")
    func flappingLinkMovesIts() throws {
        let story = """
            nodes fs1 fs2 fs3
            seats 1
            rest
            unplug fs1
            run 1s
            plug fs1
            run 1s
            unplug fs1
            run 1s
            plug fs1
            run 1s
            unplug fs2
            run 1s
            expect holder master1 fs3
            plug fs2
            run 1s
            unplug fs3
            run 1s
            expect holder master1 fs3
            plug fs3
            run 5s
            expect moves 2
            """
        _ = try Scenario(story).play()
    }

    @Test(
        "no node has an interface in the address's network: it is not handed round, and is held again when there is one"
    )
    func addressNobodyCanHold() throws {
        let story = """
            nodes fs1 fs2 fs3
            seats 1
            rest
            no-network alpha
            run 30s
            expect nobody-holds alpha
            expect moves 0
            network alpha
            run 40s
            expect held master1
            """
        _ = try Scenario(story).play()
    }

    @Test("sIP to a holder is filtered on the way: those who ask it tell, and the seat moves after a second")
    func holderNobodyReachesGives() throws {
        let story = """
            nodes fs1 fs2 fs3 fs4
            seats 1
            rest
            switches
            run 500ms
            filter fs1
            run 700ms
            expect holder master1 fs1
            run 1s
            expect holder master1 fs2
            expect moves 1
            run 10s
            expect moves 1
            """
        _ = try Scenario(story).play()
    }
}
