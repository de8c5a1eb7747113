// Who hears whom: pictures of a network that is broken in part, and the way from one to the next.

extension World {
    private func at(_ from: Int, _ to: Int) -> Int { from * machines.count + to }

    /// From the view there is to another one, link by link, each up to 200 ms after the first.
    mutating func see(_ wanted: [Bool], within longest: Int64? = nil) {
        guard let storm else { return }
        self.storm?.view += 1
        let spread: Int64
        if let longest {
            spread = longest
        } else {
            let spreads: [Int64] = [0, 0, 2, 30, 200]
            spread = spreads[Int(drawInStorm(0...4))] * millisecond
        }
        for from in machines.indices {
            for to in machines.indices where from != to && storm.blocked[at(from, to)] != wanted[at(from, to)]
            {
                let change = LinkChange(
                    link: Link(from: from, to: to), isBlocked: wanted[at(from, to)], view: storm.view + 1)
                if spread == 0 {
                    apply(change)
                } else {
                    agenda.add(.linkChanges(change), at: now.after(nanoseconds: drawInStorm(0...spread)))
                }
            }
        }
    }

    mutating func apply(_ change: LinkChange) {
        let place = at(change.link.from, change.link.to)
        guard isStormy, let storm, storm.view == change.view, storm.blocked[place] != change.isBlocked
        else { return }
        self.storm?.blocked[place] = change.isBlocked
        let cut = Cut(links: [change.link])
        let text = "\(machines[change.link.from].name)>\(machines[change.link.to].name)"
        if change.isBlocked {
            trace.add(now, "network", "cut \(text)")
            network.apply(cut)
        } else {
            trace.add(now, "network", "healed \(text)")
            network.heal(cut)
        }
    }

    /// Two machines hear each other from now on, whatever else is cut.
    mutating func meet(_ link: Link) {
        guard isStormy, var wanted = storm?.blocked else { return }
        wanted[at(link.from, link.to)] = false
        wanted[at(link.to, link.from)] = false
        see(wanted, within: 0)
    }

    // MARK: - Views

    /// - Returns: how long it lasts.
    mutating func changeView() -> Int64 {
        guard let span = storm?.span else { return 0 }
        switch drawInStorm(0...9) {
        case 0...4: see(twoGroups())
        case 5...6: see(star())
        case 7: see(chance(perMille: 300))
        default: see(chance(perMille: 500))
        }
        // Long enough for a fence and what follows from it, or too short for anything.
        return happensInStorm(perMille: 600)
            ? drawInStorm(span...span * 5) : drawSpanInStorm(5 * millisecond...span)
    }

    /// Two groups that hear nothing of each other but through those who belong to both.
    private mutating func twoGroups() -> [Bool] {
        var groups: [Int64] = []
        for _ in machines { groups.append(drawInStorm(1...2)) }
        for _ in 0..<drawInStorm(0...2) { groups[Int(drawInStorm(0...Int64(machines.count - 1)))] = 3 }
        return blocking { groups[$0] & groups[$1] == 0 }
    }

    /// A few hear each other; each of the others hears few.
    private mutating func star() -> [Bool] {
        let core = machines.indices.map { _ in happensInStorm(perMille: 600) }
        var blocked = blocking { from, to in !core[from] || !core[to] }
        for machine in machines.indices where !core[machine] {
            for _ in 0..<drawInStorm(1...2) {
                let friend = Int(drawInStorm(0...Int64(machines.count - 1)))
                blocked[at(machine, friend)] = false
                blocked[at(friend, machine)] = false
            }
        }
        return blocked
    }

    /// Every pair is cut by chance, some only in one direction.
    private mutating func chance(perMille: Int) -> [Bool] {
        var blocked = blocking { _, _ in false }
        for a in machines.indices {
            for b in machines.indices where a < b && happensInStorm(perMille: perMille) {
                let directions = drawInStorm(1...6)
                blocked[at(a, b)] = directions != 1
                blocked[at(b, a)] = directions != 2
            }
        }
        return blocked
    }

    /// A holder is heard by nobody, or by one or two others only.
    mutating func leaveHolderAlone() -> Int64? {
        guard let span = storm?.span, let holder = stormHolder(drawInStorm(0...63)) else { return nil }
        var friends: [Int] = []
        for _ in 0..<drawInStorm(0...2) { friends.append(Int(drawInStorm(0...Int64(machines.count - 1)))) }
        let isOneWay = happensInStorm(perMille: 150)
        see(
            blocking { from, to in
                let other = from == holder ? to : to == holder ? from : holder
                return other != holder && !friends.contains(other) && !(isOneWay && to == holder)
            })
        return span + drawInStorm(0...span)
    }

    private func blocking(_ isBlocked: (Int, Int) -> Bool) -> [Bool] {
        var blocked = Array(repeating: false, count: machines.count * machines.count)
        for from in machines.indices {
            for to in machines.indices where from != to { blocked[at(from, to)] = isBlocked(from, to) }
        }
        return blocked
    }
}
