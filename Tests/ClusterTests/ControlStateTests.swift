import Consensus
import Primitives
import Testing

@testable import Cluster

/// A formed cluster of five, as the first leader leaves it: three masters, two slaves, one maintenance address.
struct Five {
    var state: ControlState
    private var index: Index = 1

    static func holder(_ name: String, _ incarnation: UInt64 = 1) -> Holder {
        Holder(member: MemberID(name: name, birth: 7), incarnation: incarnation << 32)
    }

    static let settings = ClusterSettings(
        cluster: "pbx", expect: 5,
        addresses: ["alpha", "beta", "gamma", "delta"].enumerated().map { number, name in
            ServiceAddress(name: name, ip: IPAddress("10.77.0.1\(number + 1)")!, prefixLength: 24)
        },
        seats: [
            SeatRule(name: "master1", address: "alpha", prefer: "fs1"),
            SeatRule(name: "master2", address: "beta", prefer: "fs2"),
            SeatRule(name: "master3", address: "gamma", prefer: "fs3"),
        ], policy: Policy(takeoversPerHour: 2))

    init() {
        state = ControlState(clusterID: 1, settings: Self.settings)
        for name in ["fs1", "fs2", "fs3", "fs4", "fs5"] { admit(Self.holder(name)) }
        for (address, name) in [("alpha", "fs1"), ("beta", "fs2"), ("gamma", "fs3")] {
            apply(.grant(address: address, to: Self.holder(name), reason: "first", isAutomatic: true))
        }
    }

    @discardableResult
    mutating func apply(_ command: ControlCommand, at time: ClusterTime = .zero) -> Applied {
        index += 1
        return state.apply(
            StampedCommand(time: time, command: command), at: Epoch(term: 1, index: index))
    }

    @discardableResult
    mutating func admit(_ holder: Holder) -> Applied {
        apply(.admit(Admission(holder: holder, kind: .full, settingsVersion: 0)))
    }

    @discardableResult
    mutating func fence(
        _ name: String, _ basis: Fence.Basis = .silence, grants: [String: String] = [:],
        at time: ClusterTime = .zero
    ) -> Applied {
        let successions = grants.sorted { $0.key < $1.key }.map {
            Succession(address: $0.key, to: Self.holder($0.value))
        }
        return apply(
            .fence(Fence(holder: Self.holder(name), basis: basis, grants: successions)), at: time)
    }

    mutating func beginDrain(of seat: String = "master2") -> Applied {
        let address = state.seat(seat)!.address
        return apply(
            .drain(
                .begin(
                    Drain(
                        seat: seat, from: state.grant(of: address)!.holder, to: Self.holder("fs4"),
                        oldAddress: address, newAddress: "delta", deadline: nil,
                        onDeadline: .wait, reason: "kernel", owner: "ann@desk", began: .zero))))
    }

    @discardableResult
    mutating func advance(_ from: Drain.Phase, _ to: Drain.Phase) -> Applied {
        apply(.drain(.advance(from: from, to: to)))
    }

    /// `alpha:fs1 beta:fs2 gamma:fs3 | slaves fs4 fs5 | spare delta`
    var text: String {
        let grants = state.grants.map { "\($0.address):\($0.holder.name)\($0.revoked ? "!" : "")" }
        return grants.joined(separator: " ") + " | slaves " + state.slaves.joined(separator: " ")
            + " | spare " + state.maintenanceAddresses.map(\.name).joined(separator: " ")
    }
}

@Suite("The control state")
struct ControlStateTests {
    @Test("three seats make three masters and leave two slaves in order")
    func formed() {
        #expect(Five().text == "alpha:fs1 beta:fs2 gamma:fs3 | slaves fs4 fs5 | spare delta")
    }

    @Test("a takeover gives the address once the fence is in effect, and shortens the slave list")
    func takeover() {
        var five = Five()
        five.fence("fs1", grants: ["alpha": "fs4"])
        #expect(five.text == "alpha:fs4 beta:fs2 gamma:fs3 | slaves fs5 | spare delta")
        let grant = five.state.grant(of: "alpha")
        #expect(grant?.conditions == [.inEffect(10)])
        #expect(grant?.epoch == Epoch(term: 1, index: 10))
        #expect(five.state.member("fs1")?.standing == .fenced(.silence, Epoch(term: 1, index: 10)))
        #expect(five.state.fenceEpoch == Epoch(term: 1, index: 10))
    }

    @Test("a fence without a spare uncovers the seat and says so")
    func uncovered() {
        var five = Five()
        let applied = five.fence("fs1")
        #expect(five.text == "beta:fs2 gamma:fs3 | slaves fs4 fs5 | spare delta")
        #expect(applied.events.map(\.kind) == [.nodeFenced, .seatUncovered])
    }

    @Test("a fenced node comes back last in the slave list, and does not take its seat back")
    func comesBack() {
        var five = Five()
        five.fence("fs1", grants: ["alpha": "fs4"])
        five.admit(Five.holder("fs1", 2))
        #expect(five.text == "alpha:fs4 beta:fs2 gamma:fs3 | slaves fs5 fs1 | spare delta")
    }

    @Test("an incarnation that was fenced is not admitted twice, and an active one is not replaced")
    func admissions() {
        var five = Five()
        #expect(five.admit(Five.holder("fs1", 2)).refusal == "fs1/1 has not been fenced")
        #expect(five.admit(Five.holder("fs1")).refusal == "fs1/1 is already admitted")
        five.fence("fs1")
        #expect(five.fence("fs1").refusal == "fs1/1 is not active")
    }

    @Test("a move waits for the word of the former holder")
    func move() {
        var five = Five()
        let old = five.state.grant(of: "alpha")!
        five.apply(
            .move(Move(address: "alpha", from: old.holder, to: Five.holder("fs5"), reason: "asked")))
        #expect(
            five.state.grant(of: "alpha")?.conditions
                == [.inEffect(7), .released(by: old.holder, epoch: old.epoch)])
        five.apply(.released(ReleaseNotice(address: "alpha", holder: old.holder, epoch: old.epoch)))
        #expect(five.state.grant(of: "alpha")?.conditions == [.inEffect(7)])
        #expect(five.text == "alpha:fs5 beta:fs2 gamma:fs3 | slaves fs4 fs1 | spare delta")
    }

    @Test("when the former holder dies in a move, the fence takes the place of its word")
    func moveFromTheDead() {
        var five = Five()
        let old = five.state.grant(of: "alpha")!
        five.apply(
            .move(Move(address: "alpha", from: old.holder, to: Five.holder("fs5"), reason: "asked")))
        five.fence("fs1")
        #expect(five.state.grant(of: "alpha")?.conditions == [.inEffect(7), .inEffect(11)])
    }

    @Test("when the taker dies in a move, its successor still waits for the former holder")
    func moveToTheDead() {
        var five = Five()
        let old = five.state.grant(of: "alpha")!
        five.apply(
            .move(Move(address: "alpha", from: old.holder, to: Five.holder("fs5"), reason: "asked")))
        five.fence("fs5", grants: ["alpha": "fs4"])
        let grant = five.state.grant(of: "alpha")
        #expect(grant?.holder == Five.holder("fs4"))
        #expect(grant?.conditions == [.released(by: old.holder, epoch: old.epoch), .inEffect(11)])
    }

    @Test("when the taker dies and nobody follows, the former holder stays on record until it lets go")
    func moveToNobody() {
        var five = Five()
        let old = five.state.grant(of: "alpha")!
        five.apply(
            .move(Move(address: "alpha", from: old.holder, to: Five.holder("fs5"), reason: "asked")))
        five.fence("fs5")
        #expect(five.text == "alpha:fs1! beta:fs2 gamma:fs3 | slaves fs4 fs1 | spare delta")
        let refused = five.apply(
            .grant(address: "alpha", to: Five.holder("fs4"), reason: "early", isAutomatic: true))
        #expect(refused.refusal == "alpha is granted to fs1/1 since 1.7")
        five.apply(.released(ReleaseNotice(address: "alpha", holder: old.holder, epoch: old.epoch)))
        #expect(five.state.grant(of: "alpha") == nil)
    }

    @Test("automatic takeovers are remembered for an hour of cluster time")
    func takeoversAreCounted() {
        var five = Five()
        let start = ClusterTime.zero + .seconds(10)
        five.fence("fs1", grants: ["alpha": "fs4"], at: start)
        #expect(five.state.takeovers == [start])
        five.fence("fs5", .left, at: start + .seconds(3601))
        #expect(five.state.takeovers == [])
    }

    @Test("the cluster's clock never runs back")
    func clock() {
        var five = Five()
        five.fence("fs5", .left, at: ClusterTime(nanoseconds: 50))
        five.fence("fs4", .left, at: ClusterTime(nanoseconds: 20))
        #expect(five.state.time == ClusterTime(nanoseconds: 50))
    }

    @Test("timing cannot change while addresses are held; policy can")
    func configure() {
        var five = Five()
        var slower = Five.settings
        slower.timing.lease = .milliseconds(500)
        #expect(five.state.obstacle(to: slower)?.hasPrefix("timing cannot change") == true)
        var stricter = Five.settings
        stricter.policy.takeoversPerHour = 1
        #expect(five.apply(.configure(stricter)).refusal == nil)
        #expect(five.state.settings.policy.takeoversPerHour == 1)
    }

    @Test("an address in use cannot be taken out of the file")
    func configureWithoutAddress() {
        var five = Five()
        var fewer = Five.settings
        fewer.addresses.removeAll { $0.name == "beta" }
        #expect(five.apply(.configure(fewer)).refusal?.contains("beta") == true)
    }

    @Test("a seat may be taken out of the file while nobody has it, once no earlier release takes part")
    func configureWithoutSeat() {
        var five = Five()
        var fewer = Five.settings
        fewer.seats.removeAll { $0.name == "master2" }
        let rest = fewer.seats.map(\.name)
        five.fence("fs2", .left)
        #expect(five.state.grant(of: "beta") == nil)
        #expect(
            five.apply(.configure(fewer)).refusal
                == "seat master2 cannot be removed online while a node has it")
        #expect(five.apply(.raiseFormat(to: 2)).refusal == nil)
        #expect(five.apply(.configure(fewer)).refusal == nil)
        #expect(five.state.seats.map(\.name) == rest)
        #expect(five.apply(.configure(Five.settings)).refusal == nil, "and put back")
        let one = Five.settings.seats.filter { $0.name != "master1" }
        fewer.seats = one
        #expect(five.apply(.configure(fewer)).refusal?.contains("master1") == true, "fs1 has it")
    }
}
