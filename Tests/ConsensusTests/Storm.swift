import Consensus
import Primitives

/// A seeded run of several members over a bad network and crashing machines, then in calm.
struct Storm {
    private enum Happening {
        case delivery(Letter, from: MemberID, to: MemberID)
        /// Of the life of the member that began the write.
        case written(MemberID, life: Int)
    }

    private struct Scheduled {
        var at: Instant
        var order: Int
        var happening: Happening
    }

    /// Chances in a thousand, and delays; drawn once for each seed, so that seeds differ in kind.
    struct Weather {
        var loss = 0
        var repetition = 0
        var delay: ClosedRange<Int64> = 1...5
        var writing: ClosedRange<Int64> = 1...2
        var crash = 0
        /// Of a write to fail.
        var failure = 0
        var cut = 0
        var change = 0
        var transfer = 0
        var compaction = 5

        init() {}

        init(using generator: inout SeededGenerator) {
            func pick(_ values: [Int]) -> Int { values[Int.random(in: values.indices, using: &generator)] }
            loss = pick([0, 20, 150, 300])
            repetition = pick([0, 30, 150])
            delay = 1...Int64(pick([3, 20, 120]))
            writing = 1...Int64(pick([2, 20, 150]))
            crash = pick([0, 3, 15])
            failure = pick([0, 0, 2])
            cut = pick([0, 3, 10])
            change = pick([0, 4, 15])
            transfer = pick([0, 3])
            compaction = pick([0, 10, 60])
        }
    }

    private(set) var members: [Member] = []
    private(set) var judge: Judge
    private(set) var now = Instant.zero
    private var lives: [Int]
    /// Only members on the same side hear each other.
    private var sides: [Int]
    private var queue: [Scheduled] = []
    private var order = 0
    private var proposals = 0
    private var weather: Weather
    private var generator: SeededGenerator
    private var founders: Int
    private let settings = Machine.Settings(
        electionTimeout: .milliseconds(150) ... .milliseconds(300), heartbeatInterval: .milliseconds(40),
        idleInterval: .milliseconds(200), maxEntriesPerAppend: 4, maxInflight: 3, maxUncommitted: 40,
        entriesKept: 3)

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        weather = Weather(using: &generator)
        founders = Int.random(in: 1...5, using: &generator)
        lives = Array(repeating: 0, count: 6)
        sides = Array(repeating: 0, count: 6)
        let ids = (0..<6).map { MemberID(name: "m\($0)", birth: 1) }
        let membership = Membership(voters: Array(ids[..<founders]))
        let founding = Disk(founding: membership)
        judge = Judge(founding: membership)
        for (i, id) in ids.enumerated() {
            members.append(Member(id: id, disk: i < founders ? founding : Disk()))
            members[i].start(settings: settings, seed: generator.next(), at: now)
        }
    }

    // MARK: One moment after the other

    /// Runs until `condition` holds, at most for `duration`; returns whether it held or the judge objected.
    @discardableResult
    mutating func run(for duration: Duration, until condition: (Storm) -> Bool = { _ in false }) -> Bool {
        let end = now + duration
        while judge.violation == nil {
            if condition(self) { return true }
            var next = now + .milliseconds(10)
            for item in queue { next = min(next, item.at) }
            for member in members { next = min(next, member.raft?.nextDeadline ?? next) }
            now = max(now, next)
            if now > end { return false }
            happen()
            for i in members.indices where (members[i].raft?.nextDeadline).map({ $0 <= now }) ?? false {
                act(i, .tick)
            }
            stir()
        }
        return true
    }

    private mutating func happen() {
        var due = queue.filter { $0.at <= now }
        queue.removeAll { $0.at <= now }
        due.sort { $0.at == $1.at ? $0.order < $1.order : $0.at < $1.at }
        for item in due {
            switch item.happening {
            case .delivery(let message, let sender, let receiver):
                act(position(of: receiver), .message(message, from: sender))
            case .written(let id, let life):
                let i = position(of: id)
                guard lives[i] == life else { continue }
                if chance(weather.failure), let sequence = members[i].loseWrites() {
                    lives[i] += 1
                    act(i, .storeFailed(sequence: sequence))
                } else if let sequence = members[i].finishWrite() {
                    act(i, .stored(sequence: sequence))
                }
            }
        }
    }

    private func position(of id: MemberID) -> Int { members.firstIndex { $0.id == id }! }

    private mutating func act(_ i: Int, _ input: Machine.Input) {
        finish(i, members[i].handle(input, at: now))
    }

    private mutating func finish(_ i: Int, _ outputs: [Machine.Output]) {
        judge.watch(members[i], did: outputs)
        for output in outputs {
            switch output {
            case .store: schedule(.written(members[i].id, life: lives[i]), after: weather.writing)
            case .send(let message, let receiver): send(message, from: i, to: receiver)
            default: break
            }
        }
    }

    private mutating func send(_ message: Letter, from i: Int, to receiver: MemberID) {
        if sides[i] != sides[position(of: receiver)] || chance(weather.loss) { return }
        schedule(.delivery(message, from: members[i].id, to: receiver), after: weather.delay)
        if chance(weather.repetition) {
            schedule(.delivery(message, from: members[i].id, to: receiver), after: weather.delay)
        }
    }

    private mutating func schedule(_ happening: Happening, after delay: ClosedRange<Int64>) {
        order += 1
        var at = now + .milliseconds(Int64.random(in: delay, using: &generator))
        if case .written(let id, _) = happening {
            // Writes of one member end in the order they began.
            for item in queue {
                if case .written(id, _) = item.happening { at = max(at, item.at) }
            }
        }
        queue.append(Scheduled(at: at, order: order, happening: happening))
    }

    private mutating func chance(_ perMille: Int) -> Bool {
        Int.random(in: 0..<1000, using: &generator) < perMille
    }

    // MARK: What people and nature do

    private mutating func stir() {
        let i = Int.random(in: members.indices, using: &generator)
        if members[i].raft?.role == .broken, chance(100) { crash(i) }
        if chance(weather.crash) { members[i].raft == nil ? restart(i) : crash(i) }
        if chance(weather.cut) {
            let parts = Int.random(in: 1...3, using: &generator)
            for i in sides.indices { sides[i] = Int.random(in: 0..<parts, using: &generator) }
        }
        if chance(weather.compaction), members[i].raft != nil { finish(i, members[i].compact(at: now)) }
        listen(i)
        guard members[i].raft?.role == .leader else { return }
        if chance(300) { propose(i) }
        if chance(weather.change) { change(i) }
        if chance(weather.transfer) {
            act(i, .transferLeadership(to: members[Int.random(in: members.indices, using: &generator)].id))
        }
        if chance(20) { act(i, .remind) }
    }

    /// Hears of the others by other means than messages.
    private mutating func listen(_ i: Int) {
        for j in members.indices where j != i && sides[j] == sides[i] && !chance(weather.loss) {
            guard let mine = members[i].raft, let other = members[j].raft, mine.term == other.term,
                let leader = mine.leader, other.leader == leader, leader == mine.me || leader == other.me
            else { continue }
            members[i].hears(other.me, at: now)
        }
    }

    private mutating func crash(_ i: Int) {
        let surviving = Int.random(in: 0...members[i].writes.count, using: &generator)
        members[i].crash(writesSurviving: surviving)
        lives[i] += 1
    }

    private mutating func restart(_ i: Int) {
        members[i].start(settings: settings, seed: generator.next(), at: now)
    }

    @discardableResult
    mutating func propose(_ i: Int) -> String {
        proposals += 1
        act(i, .propose("c\(proposals)"))
        return "c\(proposals)"
    }

    /// Most wishes change one member; some change more voters than may change at once.
    private mutating func change(_ i: Int) {
        guard var wanted = members[i].raft?.membership else { return }
        repeat {
            let other = members[Int.random(in: members.indices, using: &generator)].id
            let wasVoter = wanted.voters.contains(other)
            wanted = wanted.without(other)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: wanted = wanted.with(learner: other)
            case 1 where !wasVoter: wanted = wanted.with(voter: other)
            default: break
            }
        } while chance(300)
        act(i, .changeMembership(wanted))
    }

    /// Nature rests: everyone runs, nothing is lost.
    mutating func calm() {
        weather = Weather()
        for i in members.indices {
            sides[i] = 0
            if members[i].raft?.role == .broken { crash(i) }
            if members[i].raft == nil { restart(i) }
        }
    }

    /// The one leader whose voters all follow it, if there is one.
    var settledLeader: Int? {
        let leading = members.indices.filter { members[$0].raft?.role == .leader }
        guard let i = leading.max(by: { members[$0].raft!.term < members[$1].raft!.term }),
            let raft = members[i].raft, raft.commitIndex >= raft.termBeginning ?? .max
        else { return nil }
        let everyoneFollows = raft.membership.voters.allSatisfy { voter in
            let other = members[position(of: voter)].raft
            return other?.leader == raft.me && other?.term == raft.term
        }
        return everyoneFollows ? i : nil
    }
}
