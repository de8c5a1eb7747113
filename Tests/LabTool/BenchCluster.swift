import Lab
import Replication

/// A formed cluster to be measured, fault after fault.
struct BenchCluster {
    let lab: Lab

    init(_ plan: ClusterPlan) throws {
        lab = try Lab(plan)
        for host in lab.hosts { try host.start() }
        try lab.waitUntilSettled()
        // Whatever forming still stirs up is over then.
        pause(milliseconds: 1000)
        try lab.waitUntilSettled()
    }

    /// A master and the address it answers at.
    struct Victim {
        var host: Host
        var seat: String
        var address: String
        var isLeader: Bool
    }

    /// Another master each time; every fourth time the leader, if it holds a seat.
    func victim(_ round: Int) throws -> Victim {
        let status = try lab.waitUntilSettled()
        var seat = status.seats[round % status.seats.count]
        if round % 4 == 3, let leader = status.leader { seat = status.seat(heldBy: leader) ?? seat }
        guard let name = seat.holder else { throw LabFailure("nobody holds \(seat.name)") }
        return Victim(
            host: try lab.host(name), seat: seat.name, address: seat.address, isLeader: name == status.leader)
    }

    func others(than victim: Victim) -> [Host] { lab.hosts.filter { $0 !== victim.host } }

    /// Waits until another host has the address by its kernel's word, and a little longer.
    func waitForTakeover(_ victim: Victim, after moment: BootTime) throws -> AddressHistory.Change {
        var change: AddressHistory.Change?
        try wait(for: "somebody to take \(victim.address) over", atMost: 10, every: 50) {
            change = try lab.addressHistory().firstAdd(of: victim.address, after: moment)
            return change != nil && change?.machine != victim.host.name
        }
        pause(milliseconds: 200)
        guard let change else { throw LabFailure("nobody took \(victim.address) over") }
        return change
    }

    /// The first event of that kind about the subject that anybody tells after the instant.
    func firstEvent(_ kind: String, _ subject: String, after moment: BootTime, from hosts: [Host])
        -> BootTime?
    {
        hosts.compactMap { host -> BootTime? in
            let stories = (try? host.events()) ?? []
            return stories.filter { $0.kind == kind && $0.subject == subject }.compactMap(\.moment)
                .first { $0 > moment }
        }.min()
    }

    /// The longest time two machines had any one address, in milliseconds.
    func overlap() throws -> Double {
        let history = try lab.addressHistory()
        return ClusterPlan.managedAddresses.map { history.overlap(of: $0, until: .now) }.max() ?? 0
    }
}
