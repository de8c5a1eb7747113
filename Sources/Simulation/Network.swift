import Primitives

/// What lies between the machines: datagrams that are lost, late or doubled, and links that keep their order
/// until they break.
struct Network: Sendable {
    struct Connection: Hashable, Sendable {
        /// Counts connections; what is under way when one breaks never arrives.
        var number = 0
        var isUp = true
        var lastArrival = Moment.zero
    }

    let count: Int
    private var cuts: [UInt8]
    private var slowness: [Int64]
    private var connections: [Connection]
    /// Directions in which only peer links, or only datagrams, do not pass.
    private var brokenPeerLinks: [UInt8]
    private var mutes: [UInt8]

    /// Chances in per mille, in one storm; all zero in calm.
    var loss = 0
    var duplication = 0
    var reordering = 0
    var damage = 0
    /// Of every packet, in nanoseconds.
    var delay: ClosedRange<Int64> = 60 * microsecond...300 * microsecond
    /// How late a reordered datagram is at most.
    static let latest = 100 * millisecond

    init(count: Int) {
        self.count = count
        cuts = Array(repeating: 0, count: count * count)
        slowness = Array(repeating: 0, count: count * count)
        connections = Array(repeating: Connection(), count: count * count)
        brokenPeerLinks = cuts
        mutes = cuts
    }

    private func place(_ link: Link) -> Int { link.from * count + link.to }

    func isCut(_ link: Link) -> Bool { cuts[place(link)] > 0 }

    mutating func apply(_ cut: Cut) {
        for link in cut.links { cuts[place(link)] += 1 }
    }

    mutating func heal(_ cut: Cut) {
        for link in cut.links where cuts[place(link)] > 0 { cuts[place(link)] -= 1 }
    }

    mutating func healAll() {
        for i in cuts.indices {
            cuts[i] = 0
            slowness[i] = 0
            brokenPeerLinks[i] = 0
            mutes[i] = 0
        }
    }

    // MARK: One of two ways

    func passesPeerLinks(_ link: Link) -> Bool { brokenPeerLinks[place(link)] == 0 }
    func passesDatagrams(_ link: Link) -> Bool { cuts[place(link)] == 0 && mutes[place(link)] == 0 }
    mutating func breakPeerLink(_ link: Link) { brokenPeerLinks[place(link)] += 1 }
    mutating func mendPeerLink(_ link: Link) {
        if brokenPeerLinks[place(link)] > 0 { brokenPeerLinks[place(link)] -= 1 }
    }
    mutating func mute(_ link: Link) { mutes[place(link)] += 1 }
    mutating func unmute(_ link: Link) {
        if mutes[place(link)] > 0 { mutes[place(link)] -= 1 }
    }

    func slowness(of link: Link) -> Int64 { slowness[place(link)] }
    mutating func slow(_ link: Link, by nanoseconds: Int64) { slowness[place(link)] = nanoseconds }

    /// How long one packet takes over a link.
    func drawDelay(_ link: Link, using chance: inout SeededGenerator) -> Int64 {
        let extra = slowness[place(link)]
        return chance.draw(delay) + (extra > 0 ? chance.draw(extra / 2...extra) : 0)
    }

    // MARK: Peer links

    func connection(_ link: Link) -> Connection { connections[place(link)] }

    mutating func breakConnection(_ link: Link) {
        connections[place(link)].number += 1
        connections[place(link)].isUp = false
    }

    mutating func reconnect(_ link: Link, at moment: Moment) {
        connections[place(link)].isUp = true
        connections[place(link)].lastArrival = moment
    }

    /// When a message sent now arrives: never before the one sent before it.
    mutating func arrival(_ link: Link, sent moment: Moment, using chance: inout SeededGenerator) -> Moment {
        let last = connections[place(link)].lastArrival
        let arrival = max(moment.after(nanoseconds: drawDelay(link, using: &chance)), last)
        connections[place(link)].lastArrival = arrival
        return arrival
    }

    /// Everything between a group of machines and all others, in both directions.
    func boundary(of group: [Int]) -> Cut {
        var links: [Link] = []
        for a in group {
            for b in 0..<count where !group.contains(b) {
                links.append(Link(from: a, to: b))
                links.append(Link(from: b, to: a))
            }
        }
        return Cut(links: links)
    }
}
