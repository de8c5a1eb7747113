import Primitives

/// The FreeSWITCH of this machine is about to be stopped, by the word of somebody who runs the machine.
struct Vacating: Hashable, Sendable {
    /// Whoever stops it asks again and again until it has nothing to serve; who gave up is forgotten.
    static let memory: Duration = .seconds(5)

    var who: String
    var until: Instant

    func text(_ node: String) -> String { "FreeSWITCH on \(node) is about to be stopped, says \(who)" }
}

extension Node {
    /// All that this node holds is to go elsewhere: seats, and what carries calls of a drain.
    mutating func vacate(who: String, from asker: PendingRequests.Asker, at now: Instant) {
        guard case .terminal = asker else {
            answer(asker, .refused(["what a machine serves is given away at that machine only"]))
            return
        }
        guard let state, state.isActive(me) else {
            answer(asker, .refused(["\(name) is not part of the cluster now"]))
            return
        }
        vacating = Vacating(who: who, until: now + Vacating.memory)
        let own = state.seatsFirst(state.grants.filter { $0.holder == me && !$0.revoked })
        plead(at: now, even: true)
        let wish = Relinquishment(holder: me, reason: "", leaving: false, isOrdered: true)
        guard let view = view(at: now) else { return }
        // A drain that this node takes part in is undone, or hands its calls over, first.
        let isDrained = state.drain.map { $0.from == me || $0.to == me } ?? false
        let stuck = own.filter { grant in
            !isDrained && view.nextHolder(than: wish, of: grant.address, in: state) == nil
        }
        if stuck.isEmpty {
            answer(asker, .accepted(applied, own.map { "\(nameOfSeat($0, state)) moves away from \(name)" }))
        } else {
            let why = view.whyNoSpare(in: state)
            answer(asker, .refused(stuck.map { "\(nameOfSeat($0, state)): no slave is ready: \(why)" }))
        }
    }

    private func nameOfSeat(_ grant: Grant, _ state: ControlState) -> String {
        state.seat(at: grant.address)?.name ?? grant.address
    }
}
