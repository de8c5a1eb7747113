import Cluster

/// Keeps states out that no cluster ever agreed on: whoever applied a command to one would end, on every node and at every
/// start, because agreement checks its own rules each time.
enum StateCheck {
    /// All that must be true of every format: a newer one may have nothing else in common with ours.
    private struct Head: Decodable {
        var format: Int
    }

    /// - Throws: `.stateFormat` for a state of a newer format, whatever else it holds; see `plausible` for others.
    static func read(_ bytes: [UInt8]) throws(FrameFailure) -> ControlState {
        let field = "control state"
        let head = try ControlJSON.decode(Head.self, bytes, field: field)
        guard head.format <= FormatVersion.newest else { throw .stateFormat(head.format) }
        return try plausible(ControlJSON.decode(ControlState.self, bytes, field: field))
    }

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
