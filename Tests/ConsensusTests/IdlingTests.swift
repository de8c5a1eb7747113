import Consensus
import Primitives
import Testing

/// Quiet times: who is heard by other means needs no empty appends, but not for ever.
@Suite struct IdlingTests {
    private static let settings = Machine.Settings(
        electionTimeout: .milliseconds(120) ... .milliseconds(180), heartbeatInterval: .milliseconds(60),
        idleInterval: .milliseconds(360))

    /// Two members whose messages arrive at once, with every write durable at once.
    private struct Pair {
        var members: [Member]
        var now = Instant.zero
        /// Messages the leader sent.
        var sent = 0
        var linkIsBroken = false

        init() {
            let ids = ["a", "b"].map { MemberID(name: $0, birth: 1) }
            members = ids.map { Member(id: $0, disk: Disk(founding: Membership(voters: ids))) }
            for i in members.indices {
                members[i].start(settings: IdlingTests.settings, seed: UInt64(i + 1), at: now)
            }
        }

        mutating func act(_ i: Int, _ input: Machine.Input) {
            for output in members[i].handle(input, at: now) {
                switch output {
                case .store:
                    if let sequence = members[i].finishWrite() { act(i, .stored(sequence: sequence)) }
                case .send(let message, _):
                    if members[i].raft?.role == .leader { sent += 1 }
                    if !linkIsBroken { act(1 - i, .message(message, from: members[i].id)) }
                default: break
                }
            }
        }

        /// Lets time pass in steps of 20 ms; with `hearing` each hears the other at every step.
        mutating func pass(_ duration: Duration, hearing: Bool) {
            let end = now + duration
            while now < end {
                now = now + .milliseconds(20)
                for i in members.indices {
                    let other = members[1 - i]
                    if hearing, let mine = members[i].raft, let theirs = other.raft, mine.term == theirs.term,
                        mine.leader != nil, mine.leader == theirs.leader
                    {
                        members[i].hears(other.id, at: now)
                    }
                    if let due = members[i].raft?.nextDeadline, due <= now { act(i, .tick) }
                }
            }
        }

        var leaders: [String] { members.filter { $0.raft?.role == .leader }.map(\.id.name) }

        /// A leader everybody knows, with nothing left to say.
        static func settled() -> Pair {
            var pair = Pair()
            pair.pass(.milliseconds(600), hearing: false)
            return pair
        }
    }

    @Test("who is heard and has everything gets an append now and then only")
    func quiet() {
        var heard = Pair.settled()
        var unheard = heard
        #expect(heard.leaders.count == 1)
        (heard.sent, unheard.sent) = (0, 0)
        heard.pass(.seconds(36), hearing: true)
        unheard.pass(.seconds(36), hearing: false)
        #expect((90...110).contains(heard.sent))
        #expect(unheard.sent >= 590)
        #expect(heard.leaders == unheard.leaders)
    }

    @Test("a proposal is sent at once, also in quiet times")
    func proposal() {
        var pair = Pair.settled()
        pair.pass(.seconds(1), hearing: true)
        let leader = pair.members.firstIndex { $0.raft?.role == .leader }!
        pair.act(leader, .propose("now"))
        #expect(pair.members.allSatisfy { $0.raft?.commitIndex == pair.members[leader].raft?.lastIndex })
    }

    @Test("hearing a leader whose appends do not arrive keeps it in office for a while only")
    func brokenLink() {
        var pair = Pair.settled()
        pair.pass(.seconds(1), hearing: true)
        pair.linkIsBroken = true
        pair.pass(.milliseconds(600), hearing: true)
        #expect(pair.leaders.count == 1)
        pair.pass(.milliseconds(1200), hearing: true)
        #expect(pair.leaders == [])
    }

    @Test("a reminder goes to everyone at once")
    func reminder() {
        var pair = Pair.settled()
        pair.pass(.seconds(1), hearing: true)
        let leader = pair.members.firstIndex { $0.raft?.role == .leader }!
        pair.sent = 0
        pair.act(leader, .remind)
        #expect(pair.sent == 1)
        pair.act(1 - leader, .remind)
        #expect(pair.sent == 1)
    }
}
