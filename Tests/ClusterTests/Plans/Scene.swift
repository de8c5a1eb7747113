import Consensus
import Primitives

@testable import Cluster

/// A cluster at one moment, for plans: the nodes of `Five`, all of them well and heard a moment ago, as `fs5` sees it,
/// which leads. A test changes what it is about, and lets a plan look.
struct Scene {
    static let me = Five.holder("fs5")

    var five = Five()
    var now = Instant.zero + .seconds(1000)
    var time = ClusterTime.zero + .seconds(1000)
    var startedAt = Instant.zero
    /// How long ago a node was heard, if that is longer than usual, and by whom it is heard all the same.
    var silence: [String: Duration] = [:]
    var hearers: [String: [String]] = [:]
    var load = SwitchReport(health: .healthy)
    var isLeaving = false
    var leadership = Leadership(since: .zero + .seconds(10))
    private var changes: [String: (inout Heartbeat) -> Void] = [:]

    init() {}

    private var timing: Timing { five.state.settings.timing }
    private var members: [Holder] { five.state.members.map(\.holder) }

    /// What another node says is not what it would say of itself.
    mutating func change(_ node: String, _ change: @escaping (inout Heartbeat) -> Void) {
        changes[node] = change
    }

    private func held(by holder: Holder) -> [HeldAddress] {
        five.state.grants.filter { $0.holder == holder && !$0.revoked }.map {
            HeldAddress(address: $0.address, epoch: $0.epoch)
        }
    }

    private func heartbeat(of holder: Holder) -> Heartbeat {
        let held = held(by: holder)
        var heartbeat = Heartbeat(
            clusterID: 1, sender: holder, sequence: 1, kind: .full, role: .slave, settingsVersion: 0, term: 1,
            commit: 20, leader: Self.me.member, fenceEpoch: .zero, holding: held, leaseValid: true,
            keeperEmpty: held.isEmpty, leaving: false, load: SwitchReport(health: .healthy), founding: 0,
            acknowledgements: members.filter { $0 != holder }.map { other in
                let isHeard = hearers[other.name]?.contains(holder.name) ?? false
                return Acknowledgement(
                    holder: other, sequence: 1, age: isHeard ? .zero : silence[other.name] ?? .zero)
            })
        changes[holder.name]?(&heartbeat)
        return heartbeat
    }

    var view: ClusterView {
        var neighbours = Neighbours(at: startedAt)
        for holder in members where holder != Self.me {
            _ = neighbours.heard(
                heartbeat(of: holder), by: Self.me, patience: timing.proofPatience, silence: timing.deadAfter,
                pace: timing.interval, at: now - (silence[holder.name] ?? .zero))
        }
        var holdings = Holdings()
        holdings.keeperReady()
        for held in held(by: Self.me) {
            guard let address = five.state.address(held.address) else { continue }
            _ = holdings.want(address, epoch: held.epoch, until: now + .seconds(1), step: .zero)
            _ = holdings.held(held.address, epoch: held.epoch)
        }
        return ClusterView(
            me: Self.me, kind: .full, machine: .unknown, release: .current, settings: Five.settings,
            startedAt: startedAt, now: now, time: time, wall: nil, state: five.state,
            agreement: AgreementView(
                isLeader: true, term: 1, membership: Membership(voters: members.map(\.member)),
                lastIndex: 20, commitIndex: 20, room: 100, matched: members.map { ($0.member, 20) },
                effectiveThrough: 20),
            neighbours: neighbours, releases: [], load: load, holdings: holdings, service: ServiceView(),
            isLeaving: isLeaving, leaseValidSince: .zero, zone: ZoneReconciler(), leadership: leadership)
    }

    /// What a plan proposes here.
    func commands(_ plan: (inout LeaderPass) -> Void) -> [ControlCommand] {
        var pass = LeaderPass(view)
        plan(&pass)
        return pass.steps.compactMap { if case .propose(let stamped) = $0 { stamped.command } else { nil } }
    }
}
