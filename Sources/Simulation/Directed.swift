import Cluster

/// A short schedule that once gave two machines one address; each runs in some variants of chance and timing.
package enum Directed: String, Hashable, Sendable, CaseIterable {
    /// Two voters come back while the holder is heard by one voter only (five nodes). Here the holder's lease ended in
    /// time also when the rule was missing; `shrink` shows the fault.
    case growApart = "grow-apart"
    /// Two voters that only the holder hears are removed (seven nodes, nothing changes but that).
    case shrink
    /// A replier tells an age, crashes before the fence is on its disk, and hears the holder again.
    case staleAge = "stale-age"
    /// The leader crashes before the fence is on its own disk, and hears the holder again.
    case leaderForgets = "leader-forgets"
    /// A second machine starts from a copy of the holder's disk; its keeper is not ready.
    case clone
    /// The same, and its keeper says at once that it holds nothing.
    case cloneEmpty = "clone-empty"
    /// A grant waits for two former holders, is dropped, and one of them speaks.
    case forgotten

    /// What the schedule stands for (docs/testing.md).
    package var fault: String {
        switch self {
        case .growApart, .shrink: "F1"
        case .staleAge: "F2a"
        case .leaderForgets: "F2b"
        case .clone, .cloneEmpty: "F3"
        case .forgotten: "F5"
        }
    }

    /// Plays one variant of it, then sees what the cluster comes to; nil when the variant never got to the point.
    package func run(variant: UInt64, trace: Bool) -> Simulation.Outcome? {
        var stage = DirectedStage(self, variant: variant, keepsTrace: trace)
        guard stage.play(self) else { return nil }
        return stage.world.judged(after: variant)
    }
}

/// A world at rest, in which somebody who does not lead holds the address.
struct DirectedStage {
    var world: World
    let variant: UInt64
    private(set) var holder = 0
    private(set) var leader = 0
    /// Everybody else, in the order of names.
    private(set) var others: [Int] = []
    private let isAtRest: Bool

    init(_ directed: Directed, variant: UInt64, keepsTrace: Bool) {
        self.variant = variant
        let count =
            switch directed {
            case .shrink: 7
            case .growApart, .leaderForgets, .forgotten: 5
            case .staleAge, .clone, .cloneEmpty: 3
            }
        let health: SwitchReport.Health = directed == .forgotten ? .healthy : .none
        let machines = (1...count).map { Blueprint.MachinePlan(name: "fs\($0)", health: health) }
        var settings = Blueprint.settings(
            machines: machines, seats: 1, timing: Timing(discovery: .milliseconds(300)),
            takeoversPerHour: 10_000)
        settings.dns = nil
        var blueprint = Blueprint(machines: machines, settings: settings)
        if directed == .clone || directed == .cloneEmpty {
            var copy = machines[0]
            copy.isCopy = true
            blueprint.machines.append(copy)
        }
        world = World(blueprint, seed: variant, keepsTrace: keepsTrace)
        for machine in 0..<count { world.planBoot(machine, after: Int64(machine) * 3 * millisecond) }
        world.run(for: .milliseconds(500))
        world.awaitRest()
        // Storms know how to change views; nothing of theirs comes by itself here.
        world.storm = Storm(
            theme: .views, seed: variant, span: 200 * millisecond, machines: world.machines.count)
        world.isStormy = true
        holder = world.machines.firstIndex { !$0.keeper.held.isEmpty } ?? 0
        leader = world.leaderPlace ?? 0
        isAtRest = world.violation == nil && holder != leader
        let copy = world.machines.firstIndex(where: \.isCopy)
        let known = [holder, leader, copy]
        others = world.machines.indices.filter { !known.contains($0) }
    }

    /// Whether it came to the point.
    mutating func play(_ directed: Directed) -> Bool {
        guard isAtRest else { return false }
        switch directed {
        case .growApart: return growApart()
        case .shrink: return shrink()
        case .staleAge: return staleAge()
        case .leaderForgets: return leaderForgets()
        case .clone: return clone(isEmpty: false)
        case .cloneEmpty: return clone(isEmpty: true)
        case .forgotten: return forgotten()
        }
    }

    // MARK: - Tools

    /// Nothing passes between the two groups; everything else does.
    private mutating func separate(_ pairs: [([Int], [Int])]) {
        let count = world.machines.count
        var blocked = Array(repeating: false, count: count * count)
        for (ones, others) in pairs {
            for a in ones {
                for b in others where a != b {
                    blocked[a * count + b] = true
                    blocked[b * count + a] = true
                }
            }
        }
        world.see(blocked, within: 0)
    }

    /// Lets time pass until it is so; whether it came to be.
    private mutating func wait(_ milliseconds: Int, until isSo: (World) -> Bool) -> Bool {
        for _ in 0..<milliseconds * 4 {
            if isSo(world) { return true }
            guard world.violation == nil else { return true }
            world.run(for: .microseconds(250))
        }
        return isSo(world)
    }

    /// Peer links are there again at once, where nothing is cut.
    private mutating func connectAll() {
        for from in world.machines.indices {
            for to in world.machines.indices where from != to {
                let link = Link(from: from, to: to)
                guard !world.network.isCut(link), !world.network.connection(link).isUp else { continue }
                world.network.reconnect(link, at: world.now)
            }
        }
    }

    private mutating func pass(_ milliseconds: Int) { world.run(for: .milliseconds(milliseconds)) }

    private static func voters(_ world: World, _ machine: Int) -> Int {
        world.machines[machine].service?.node.raft.membership.voters.count ?? 0
    }

    /// Whether a machine has something of a fence in its log that is not on its disk.
    private static func isBehind(_ world: World, _ machine: Int) -> Bool {
        guard let raft = world.machines[machine].service?.node.raft else { return false }
        return raft.durableIndex < raft.lastIndex
    }

    // MARK: - Schedules

    private mutating func growApart() -> Bool {
        let bridge = others[0]
        let gone = Array(others[1...])
        separate([(gone, [bridge, leader, holder])])
        let chief = leader
        guard wait(3000, until: { Self.voters($0, chief) == 3 }) else { return false }
        pass(Int(variant % 5) * 20)
        separate([([holder], gone + [leader])])
        connectAll()
        pass(1500)
        return true
    }

    private mutating func shrink() -> Bool {
        let lonely = [others[0], others[1]]
        let bridge = others[2]
        let rest = [others[3], others[4], leader]
        // The links to the holder fail a little later.
        separate([(lonely, rest + [bridge])])
        pass(Int(variant % 8) * 20)
        separate([(lonely, rest + [bridge]), ([holder], rest)])
        pass(2500)
        return true
    }

    private mutating func staleAge() -> Bool {
        let replier = others[0]
        separate([([holder], [leader, replier])])
        pass(100)
        world.machines[replier].disk.stall = 900 * millisecond
        guard wait(400, until: { Self.isBehind($0, replier) }) else { return false }
        pass(62 + Int(variant % 6) * 10)
        world.crash(replier, restartAfter: 2 * millisecond)
        separate([([holder], [leader])])
        pass(1500)
        return true
    }

    private mutating func leaderForgets() -> Bool {
        let friend = others[variant.isMultiple(of: 2) ? 0 : 2]
        separate([([holder], others.filter { $0 != friend } + [leader])])
        pass(100)
        world.machines[leader].disk.stall = 900 * millisecond
        let (chief, former) = (leader, holder)
        guard wait(500, until: { Self.isBehind($0, chief) }) else { return false }
        // Somebody takes the address, by the leader's word; where the rule holds, nobody does yet.
        _ = wait(50) { world in
            world.machines.indices.contains { $0 != former && !world.machines[$0].keeper.held.isEmpty }
        }
        world.crash(leader, restartAfter: (variant % 3 == 0 ? 2 : 30) * millisecond)
        separate([([holder], others.filter { $0 != friend })])
        pass(1500)
        return true
    }

    private mutating func clone(isEmpty: Bool) -> Bool {
        guard let copy = world.machines.firstIndex(where: \.isCopy) else { return false }
        world.storm?.copied = (holder, copy)
        guard world.machines[copy].name == world.machines[holder].name else { return false }
        for other in others + [leader] {
            world.network.breakPeerLink(Link(from: other, to: holder))
            world.disconnect(Link(from: other, to: holder))
        }
        world.machines[copy].disk = world.machines[holder].disk.copied
        world.machines[copy].staysDown = false
        if !isEmpty {
            world.machines[copy].keeper.lingersUntil = world.now.after(nanoseconds: 1000 * millisecond)
        }
        separate([([copy], [holder])])
        world.planBoot(copy, after: millisecond + Int64(variant % 5) * 5 * millisecond)
        pass(900)
        return true
    }

    private mutating func forgotten() -> Bool {
        let (second, third, fourth) = (others[0], others[1], others[2])
        let names = world.machines.map(\.name)
        // The first holder's words do not reach the leader; the next one hears them and takes the address.
        world.network.breakPeerLink(Link(from: holder, to: leader))
        world.disconnect(Link(from: holder, to: leader))
        world.ask(
            .switchover(seat: "master1", to: names[second], dryRun: false, who: "ops@simulation"), of: leader)
        guard wait(500, until: { !$0.machines[second].keeper.held.isEmpty }) else { return false }
        // The second one's switch dies: on to the third, of which the second does not hear.
        for machine in [leader, fourth, holder] { world.setSwitch(machine, .unhealthy) }
        pass(100)
        world.network.breakPeerLink(Link(from: leader, to: second))
        world.disconnect(Link(from: leader, to: second))
        world.setSwitch(second, .unhealthy)
        let chief = leader
        let moved = wait(500) { world in
            world.machines[chief].service?.node.state?.grants.first?.holder.name == names[third]
        }
        guard moved else { return false }
        pass(Int(variant % 4))
        world.shutDown(third)
        pass(40 + Int(variant % 5) * 10)
        // The first holder is heard again, and somebody is ready.
        world.network.mendPeerLink(Link(from: holder, to: leader))
        pass(20)
        world.setSwitch(fourth, .healthy)
        pass(1500)
        return true
    }
}
