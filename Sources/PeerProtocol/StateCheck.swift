import Cluster

/// Keeps states out that no cluster ever agreed on: whoever applied a command to one would end, on every node and at every
/// start, because agreement checks its own rules each time.
enum StateCheck {
    /// - Throws: `.malformed("control state (…)")` for two seats with one address, and for grants that are not sorted by
    ///   address, one for each, and for more revoked names than are ever kept.
    static func plausible(_ state: ControlState) throws(FrameFailure) -> ControlState {
        if Set(state.seats.map(\.address)).count != state.seats.count {
            throw .malformed("control state (two seats share an address)")
        }
        guard zip(state.grants, state.grants.dropFirst()).allSatisfy({ $0.address < $1.address }) else {
            throw .malformed("control state (grants out of order)")
        }
        if (state.revoked ?? []).count > Revocation.limit {
            throw .malformed("control state (too many revoked names)")
        }
        return state
    }
}
