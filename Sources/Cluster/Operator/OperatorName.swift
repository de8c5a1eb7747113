/// What a request is asked by, as the cluster remembers it.
///
/// `root@fs1` is what a node knows of its own accord: the login name the kernel told it, and itself. What the client
/// called itself stands beside it, where that is another: `root@fs1 (claims ceo@hq)`.
package enum OperatorName {
    /// Of what a client calls itself, in characters.
    private static let longestClaim = 100
    private static let longestLogin = 32

    /// - Parameters:
    ///   - login: of the process that asks, by the kernel.
    ///   - node: whose control socket it asks on.
    ///   - claim: `user@host`, as the client wrote it.
    package static func proven(login: String, node: String, claim: String) -> String {
        let own = "\(plain(login))@\(node)"
        let claimed = claim.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        if claim.isEmpty || claimed.first.map(String.init) == login { return own }
        return own + claims(claim)
    }

    /// As another node relays it: its word for the login name, but never for which node that was.
    package static func relayed(_ who: String, by node: String) -> String {
        let (own, rest) = parts(of: who)
        if own.hasSuffix("@\(node)"), own.utf8.count(where: { $0 == UInt8(ascii: "@") }) == 1 {
            return own + (rest.isEmpty ? "" : claims(rest))
        }
        return node + claims(who)
    }

    /// Without what the client called itself: for programs, which may take it for the truth.
    package static func withoutClaim(_ who: String) -> String { parts(of: who).own }

    /// `LOGIN@NODE (claims CLAIM)` in its two halves.
    private static func parts(of who: String) -> (own: String, claim: String) {
        guard let space = who.firstIndex(of: " ") else { return (who, "") }
        let rest = who[space...]
        guard rest.hasPrefix(" (claims "), rest.hasSuffix(")") else { return (who, "") }
        return (String(who[..<space]), String(rest.dropFirst(9).dropLast()))
    }

    private static func claims(_ text: String) -> String { " (claims \(text.prefix(longestClaim)))" }

    /// Of what could be read as something else, nothing is left.
    private static func plain(_ login: String) -> String {
        let bytes = login.utf8.map { byte in
            (33...126).contains(byte) && byte != UInt8(ascii: "@") && byte != UInt8(ascii: "(")
                ? byte : UInt8(ascii: "_")
        }
        return String(decoding: bytes.prefix(longestLogin), as: UTF8.self)
    }
}

extension OperatorRequest {
    /// Who asks for the change; nil where nothing is asked but to look.
    package var who: String? {
        switch self {
        case .status, .zone, .unknown: nil
        case .drain(let drain): drain.who
        case .abortDrain(let who), .undrain(_, let who), .forget(_, let who), .revoke(_, let who),
            .switchover(_, _, _, let who),
            .zoneApply(_, let who), .vacate(let who), .recoverQuorum(_, _, let who):
            who
        case .playbook(let request): request.who
        }
    }

    /// The change that is asked for, as a command; nil where nothing is to change.
    package var change: String? { deed?.what }

    package func asked(by who: String) -> OperatorRequest {
        switch self {
        case .status, .zone, .unknown: return self
        case .drain(var drain):
            drain.who = who
            return .drain(drain)
        case .abortDrain: return .abortDrain(who: who)
        case .undrain(let node, _): return .undrain(node: node, who: who)
        case .forget(let node, _): return .forget(node: node, who: who)
        case .revoke(let node, _): return .revoke(node: node, who: who)
        case .recoverQuorum(let lost, let dryRun, _):
            return .recoverQuorum(lost: lost, dryRun: dryRun, who: who)
        case .switchover(let seat, let to, let dryRun, _):
            return .switchover(seat: seat, to: to, dryRun: dryRun, who: who)
        case .zoneApply(let adopt, _): return .zoneApply(adopt: adopt, who: who)
        case .vacate: return .vacate(who: who)
        case .playbook(let request): return .playbook(request.asked(by: who))
        }
    }
}

extension PlaybookRequest {
    package var who: String? {
        switch self {
        case .run(_, let who, _, _), .schedule(_, let who), .unschedule(_, let who), .cancel(let who),
            .approve(let who):
            who
        case .list, .history, .unknown: nil
        }
    }

    package func asked(by who: String) -> PlaybookRequest {
        switch self {
        case .run(let playbook, _, let dryRun, let ignoresWindow):
            .run(playbook, who: who, dryRun: dryRun, ignoresWindow: ignoresWindow)
        case .schedule(let playbook, _): .schedule(playbook, who: who)
        case .unschedule(let name, _): .unschedule(name: name, who: who)
        case .cancel: .cancel(who: who)
        case .approve: .approve(who: who)
        case .list, .history, .unknown: self
        }
    }
}

extension PeerMessage {
    /// An operator's request as the node relays it that this link leads to.
    package func relayed(by node: String) -> PeerMessage {
        guard case .request(let id, let request) = self, let who = request.who else { return self }
        return .request(id: id, request.asked(by: OperatorName.relayed(who, by: node)))
    }
}
