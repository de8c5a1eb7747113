import Cluster
import Limits
import Primitives

/// Whose usage of limits still counts although its node is out: until the calls it had are in other switches.
struct DepartedUsage {
    /// It counts no longer than this.
    static let patience: Duration = .seconds(15)

    private struct Leaving {
        var origin: LimitOrigin
        /// Addresses whose calls are to come to other nodes.
        var addresses: Set<String>
        var until: Instant
    }

    private let me: String
    private var members: [Holder] = []
    private var holders: [String: Holder] = [:]
    private var leaving: [Leaving] = []

    init(me: String) { self.me = me }

    /// - Parameter hasCalls: whether an address that just lost its holder may have calls to bring to another switch; where
    ///   there is none, nobody would ever say that they came.
    mutating func surveyed(_ survey: Survey, at now: Instant, hasCalls: (String) -> Bool) {
        for holder in members where !survey.members.contains(holder) && holder.name != me {
            let addresses = holders.filter { $0.value == holder && hasCalls($0.key) }.keys
            leaving.append(
                Leaving(
                    origin: LimitOrigin(node: holder.name, life: holder.incarnation),
                    addresses: Set(addresses), until: now + (addresses.isEmpty ? .zero : Self.patience)))
        }
        members = survey.members
        for placement in survey.placements {
            let name = placement.address.name
            if let holder = placement.holder {
                holders[name] = holder
            } else if let former = holders[name], members.contains(former) {
                // It let the address go and lives: should it be lost later, no calls of that address come to others.
                holders[name] = nil
            }
        }
    }

    /// The calls of an address came to another switch, their usage with them.
    mutating func recovered(_ address: String) {
        for at in leaving.indices { leaving[at].addresses.remove(address) }
    }

    /// Whose usage counts no more.
    mutating func takeEnded(at now: Instant) -> [LimitOrigin] {
        let ended = leaving.filter { $0.addresses.isEmpty || $0.until <= now }
        leaving.removeAll { $0.addresses.isEmpty || $0.until <= now }
        return ended.map(\.origin)
    }
}
