import Consensus
import Primitives

/// A text of commands, run over pretend machines; its trace is everything they did.
///
/// ```
/// found a b c         founding members            join d          an empty node starts
/// tick a [N]          the clock goes to a's next deadline, and only a notices (N times)
/// run MS              time passes for everyone, messages and writes arrive at once
/// await a             the same for all but a, until a's next deadline
/// settle              messages and writes arrive until nothing is left
/// deliver a b [N]     messages from a to b arrive (N of them)     lose a b        they do not
/// write a             a's writes become durable                   slow a/fast a   settle leaves a's writes
/// cut a / heal a      nothing reaches or leaves a                 crash a / start a
/// fail a              a's oldest write fails
/// propose a TEXT   change a VOTERS [LEARNERS]   transfer a b   compact a
/// say a b TERM commit N       b hears a heartbeat from a after nothing
/// show                every member in one line                    quiet / loud    leave out the trace
/// ```
struct Story {
    struct Mistake: Error, CustomStringConvertible {
        var description: String
    }

    private struct Envelope {
        var message: Letter
        var sender: Int
        var receiver: Int
    }

    private(set) var trace: [String] = []
    private var members: [Member] = []
    private var queue: [Envelope] = []
    private var cut: Set<Int> = []
    private var slow: Set<Int> = []
    private var now = Instant.zero
    private var isQuiet = false
    private let settings = Machine.Settings(
        electionTimeout: .milliseconds(200) ... .milliseconds(400), heartbeatInterval: .milliseconds(50),
        maxEntriesPerAppend: 2, maxInflight: 2, maxUncommitted: 8, entriesKept: 2)

    static func trace(of commands: [Substring]) throws -> [String] {
        var story = Story()
        for command in commands where !command.isEmpty && !command.hasPrefix("#") {
            try story.perform(command)
        }
        return story.trace
    }

    private mutating func perform(_ command: Substring) throws {
        let words = command.split(separator: " ").map(String.init)
        let wasQuiet = isQuiet
        isQuiet = words[0] == "quiet" || (isQuiet && words[0] != "loud")
        if !(wasQuiet && isQuiet) || words[0] == "show" { trace.append("> \(command)") }
        switch words[0] {
        case "quiet", "loud": break
        case "found": found(Array(words.dropFirst()))
        case "join": join(words[1])
        case "run": try run(until: now + .milliseconds(number(words, 1)))
        case "settle": settle()
        case "show": members.indices.forEach { trace.append(summary($0)) }
        case "deliver": try deliver(words, arriving: true)
        case "lose": try deliver(words, arriving: false)
        default: try perform(words, on: index(words, 1))
        }
    }

    private mutating func perform(_ words: [String], on i: Int) throws {
        switch words[0] {
        case "tick":
            for _ in 0..<(words.count > 2 ? try number(words, 2) : 1) { tick(i) }
        case "await": run(until: deadline(i), without: i)
        case "write": write(i)
        case "slow": slow.insert(i)
        case "fast": slow.remove(i)
        case "cut": cut.insert(i)
        case "heal": cut.remove(i)
        case "crash":
            members[i].crash()
            queue.removeAll { $0.sender == i || $0.receiver == i }
        case "start": members[i].start(settings: settings, seed: seed(i), at: now)
        case "fail":
            let sequence = members[i].writes.first?.sequence ?? 0
            act(i, .storeFailed(sequence: sequence))
        case "propose": act(i, .propose(words.dropFirst(2).joined(separator: " ")))
        case "change":
            let voters = try ids(words[2])
            let learners = words.count > 3 ? try ids(words[3]) : []
            act(i, .changeMembership(Membership(voters: voters, learners: learners)))
        case "transfer": act(i, .transferLeadership(to: members[try index(words, 2)].id))
        case "recover":
            act(i, .recover(["give up"], as: Membership(voters: try ids(words[2]))))
        case "compact": finish(i, members[i].compact(at: now))
        case "say":
            let body = Letter.Body.append(
                previous: .zero, entries: [], commit: Index(try number(words, 5)))
            let message = Letter(term: Term(try number(words, 3)), body: body)
            act(try index(words, 2), .message(message, from: members[i].id))
        default: throw Mistake(description: "unknown command: \(words.joined(separator: " "))")
        }
    }

    // MARK: Words

    private func number(_ words: [String], _ place: Int) throws -> Int {
        guard words.indices.contains(place), let number = Int(words[place]) else {
            throw Mistake(description: "word \(place) is no number: \(words.joined(separator: " "))")
        }
        return number
    }

    private func index(_ words: [String], _ place: Int) throws -> Int {
        guard words.indices.contains(place),
            let i = members.firstIndex(where: { $0.id.name == words[place] })
        else { throw Mistake(description: "word \(place) is no member: \(words.joined(separator: " "))") }
        return i
    }

    private func ids(_ list: String) throws -> [MemberID] {
        try list.split(separator: ",").map { members[try index([String($0)], 0)].id }
    }

    private func summary(_ i: Int) -> String {
        let name = "  \(members[i].id.name): "
        guard let raft = members[i].raft else { return name + "crashed" }
        return name
            + "\(raft.role) term \(raft.term), leader \(raft.leader?.name ?? "unknown"), "
            + "log \(raft.firstIndex)...\(raft.lastEpoch.text), durable \(raft.durableIndex), "
            + "commit \(raft.commitIndex), members \(raft.membership.text)"
    }

    // MARK: Machines

    private func seed(_ i: Int) -> UInt64 { UInt64(i) + 7 }

    private mutating func found(_ names: [String]) {
        let ids = names.map { MemberID(name: $0, birth: 1) }
        for id in ids { add(Member(id: id, disk: Disk(founding: Membership(voters: ids)))) }
    }

    private mutating func join(_ name: String) {
        add(Member(id: MemberID(name: name, birth: 1), disk: Disk()))
    }

    private mutating func add(_ member: Member) {
        members.append(member)
        members[members.count - 1].start(settings: settings, seed: seed(members.count - 1), at: now)
    }

    private mutating func act(_ i: Int, _ input: Machine.Input) {
        finish(i, members[i].handle(input, at: now))
    }

    private mutating func finish(_ i: Int, _ outputs: [Machine.Output]) {
        for output in outputs {
            if !isQuiet { trace.append("  \(members[i].id.name): \(output.text)") }
            guard case .send(let message, let receiver) = output,
                let to = members.firstIndex(where: { $0.id == receiver })
            else { continue }
            if !cut.contains(i), !cut.contains(to) {
                queue.append(Envelope(message: message, sender: i, receiver: to))
            }
        }
    }

    private mutating func tick(_ i: Int) {
        guard let deadline = members[i].raft?.nextDeadline else { return }
        now = max(now, deadline)
        act(i, .tick)
    }

    private mutating func write(_ i: Int) {
        while let sequence = members[i].finishWrite() { act(i, .stored(sequence: sequence)) }
    }

    private mutating func deliver(_ words: [String], arriving: Bool) throws {
        let sender = try index(words, 1)
        let receiver = try index(words, 2)
        let count = words.count > 3 ? try number(words, 3) : Int.max
        var chosen: [Envelope] = []
        queue.removeAll { envelope in
            guard envelope.sender == sender, envelope.receiver == receiver, chosen.count < count else {
                return false
            }
            chosen.append(envelope)
            return true
        }
        guard arriving else { return }
        for envelope in chosen { arrive(envelope) }
    }

    private mutating func arrive(_ envelope: Envelope) {
        act(envelope.receiver, .message(envelope.message, from: members[envelope.sender].id))
    }

    private mutating func settle() {
        for _ in 0..<10_000 {
            if let i = members.indices.first(where: { !members[$0].writes.isEmpty && !slow.contains($0) }) {
                write(i)
            } else if !queue.isEmpty {
                arrive(queue.removeFirst())
            } else {
                return
            }
        }
        trace.append("  they never stop talking")
    }

    private mutating func run(until end: Instant, without absent: Int? = nil) {
        settle()
        for _ in 0..<10_000 {
            let waiting = members.indices.filter { $0 != absent && members[$0].raft?.nextDeadline != nil }
            guard let i = waiting.min(by: { deadline($0) < deadline($1) }), deadline(i) <= end else { break }
            tick(i)
            settle()
        }
        now = max(now, end)
    }

    private func deadline(_ i: Int) -> Instant { members[i].raft?.nextDeadline ?? now }
}
