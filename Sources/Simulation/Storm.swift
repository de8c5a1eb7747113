import Cluster
import Primitives

/// A storm is drawn to the moments when decisions are under way: fences that wait for a disk, voters that change,
/// addresses that move. Weather comes at any time; a storm looks for the worst time.
struct Storm: Sendable {
    let theme: StormTheme
    /// Of a whole storm, apart from the streams of the world.
    var chance: SeededGenerator
    /// The durations of one storm are multiples of this: `dead-after`.
    let span: Int64
    /// Links that pass nothing now, by the newest view; by place, as the network counts them.
    var blocked: [Bool]
    /// Counts views: what was still to change for an older one does not change any more.
    var view = 0
    /// Heartbeats somebody recorded, to be played again to whoever does not remember them.
    var recorded: [Heartbeat] = []
    static let mostRecorded = 64
    /// Whose disk is to be slow when it writes the fence of this holder.
    var victim: (machine: Int, of: Holder)?
    /// A second machine that is started from a copy of this one's disk, and where it stands.
    var copied: (original: Int, copy: Int)?
    /// Messages to the name both use reach the copy.
    var copyIsAddressed = false

    init(theme: StormTheme, seed: UInt64, span: Int64, machines: Int) {
        self.theme = theme
        var mixer = SeededGenerator(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ 8)
        chance = SeededGenerator(seed: mixer.next())
        self.span = span
        blocked = Array(repeating: false, count: machines * machines)
    }
}

/// What a storm is mostly made of.
package enum StormTheme: String, Hashable, Sendable, CaseIterable {
    /// Who hears whom changes, in part and one link after another: views that are not transitive.
    case views
    /// Disks slow enough that fences wait for them, and crashes and restarts meanwhile.
    case disks
    /// Lives that follow each other within a lease, and keepers that outlive their node service or answer late.
    case lives
    /// Operators move addresses while words get lost, switches fail and nodes stop.
    case moves
    /// A state directory that is used on two machines.
    case copies
    case everything
}

/// One thing a storm may do next.
enum StormFault: Hashable, Sendable {
    case view, loneHolder, reunion
    case slowDisk, quickCrash, quickKill, keeperBusy, sleep
    case brokenPeerLink, lostDatagrams, ghosts
    /// A whole machine whose heartbeats, or whose links, do not pass while the other do.
    case halfMachine
    case operators, switchFailure, shutdown
    case copy, addressee
}

extension StormTheme {
    /// How likely each fault is, next to the others.
    var weights: [(fault: StormFault, weight: Int)] {
        switch self {
        case .views:
            [
                (.view, 12), (.reunion, 2), (.loneHolder, 2), (.operators, 1), (.ghosts, 1),
                (.lostDatagrams, 1), (.sleep, 1),
            ]
        case .disks:
            [
                (.loneHolder, 12), (.slowDisk, 2), (.quickCrash, 2), (.reunion, 4), (.view, 2), (.ghosts, 1),
                (.brokenPeerLink, 1),
            ]
        case .lives:
            [
                (.quickKill, 8), (.quickCrash, 3), (.keeperBusy, 3), (.loneHolder, 2), (.view, 1),
                (.reunion, 2), (.brokenPeerLink, 2), (.ghosts, 2), (.operators, 1),
            ]
        case .moves:
            [
                (.operators, 8), (.switchFailure, 4), (.brokenPeerLink, 3), (.shutdown, 2), (.reunion, 3),
                (.keeperBusy, 1), (.loneHolder, 1),
            ]
        case .copies:
            [
                (.copy, 6), (.addressee, 3), (.brokenPeerLink, 4), (.view, 1), (.reunion, 3), (.ghosts, 1),
            ]
        case .everything:
            [
                (.view, 5), (.loneHolder, 3), (.reunion, 5), (.slowDisk, 2), (.quickCrash, 2),
                (.quickKill, 2), (.keeperBusy, 1), (.sleep, 1), (.brokenPeerLink, 2), (.lostDatagrams, 1),
                (.halfMachine, 3), (.ghosts, 1), (.operators, 3), (.switchFailure, 2), (.shutdown, 1),
            ]
        }
    }

    /// How likely a fence that is written is struck at, a move is; in per mille.
    var perMilleOfFences: Int {
        switch self {
        case .disks: 850
        case .everything: 250
        case .views, .lives, .moves, .copies: 0
        }
    }
    var perMilleOfMoves: Int {
        switch self {
        case .moves: 800
        case .everything: 400
        case .views, .disks, .lives, .copies: 0
        }
    }
}

extension Blueprint {
    /// A cluster for a storm: odd in number, with timings of all kinds.
    static func drawForStorm(_ theme: StormTheme, using chance: inout SeededGenerator) -> Blueprint {
        let count = theme == .moves ? chance.pick([3, 5, 5, 7]) : chance.pick([3, 3, 5, 5, 5, 7])
        let hasSwitches = theme == .moves || chance.happens(perMille: 400)
        let drifts = chance.happens(perMille: 700)
        let machines = (1...count).map { number in
            MachinePlan(
                name: "fs\(number)", health: hasSwitches ? .healthy : .none,
                drift: drifts ? chance.draw(-1000...1000) : 0,
                clockOffset: chance.draw(0...3_600_000 * millisecond))
        }
        let (interval, lease, deadAfter) = chance.pick(Self.stormTimings)
        let timing = Timing(
            interval: .milliseconds(interval), lease: .milliseconds(lease),
            deadAfter: .milliseconds(deadAfter), discovery: .milliseconds(chance.draw(200...600)))
        let mostSeats = theme == .moves ? 2 : (count + 1) / 2
        var settings = settings(
            machines: machines, seats: chance.draw(1...mostSeats), timing: timing, takeoversPerHour: 10_000,
            isListed: chance.happens(perMille: 500))
        if chance.happens(perMille: 850) { settings.dns = nil }
        var blueprint = Blueprint(machines: machines, settings: settings)
        if theme == .copies {
            var copy = chance.pick(machines)
            copy.isCopy = true
            copy.clockOffset = chance.draw(0...3_600_000 * millisecond)
            blueprint.machines.append(copy)
        }
        return blueprint
    }

    /// Interval, lease and dead-after in milliseconds, the default more often than the others.
    static let stormTimings: [(Int64, Int64, Int64)] = [
        (25, 150, 200), (25, 150, 200), (25, 150, 200), (20, 190, 200), (10, 25, 35), (50, 300, 400),
        (125, 750, 1000),
    ]
}
