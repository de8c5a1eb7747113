import Consensus
import Primitives

// How stories show what a Raft value says, one line for each output.

extension Epoch {
    var text: String { index == 0 ? "-" : description }
}

extension Membership {
    var text: String {
        let voters = voters.map(\.name).joined(separator: ",")
        return learners.isEmpty ? voters : voters + " learning " + learners.map(\.name).joined(separator: ",")
    }
}

extension Entry<String> {
    var text: String {
        switch payload {
        case .empty: "\(epoch) empty"
        case .command(let command): "\(epoch) \"\(command)\""
        case .membership(let membership): "\(epoch) members \(membership.text)"
        }
    }
}

extension [Entry<String>] {
    var text: String { map(\.text).joined(separator: ", ") }
}

extension Letter {
    var text: String {
        let text =
            switch body {
            case .preVoteRequest(let lastLog): "would you vote for me? log \(lastLog.text)"
            case .preVoteReply(let granted): granted ? "I would" : "I would not"
            case .voteRequest(let lastLog, let transfer):
                "vote for me, log \(lastLog.text)" + (transfer ? ", asked by the leader" : "")
            case .voteReply(let granted): granted ? "my vote" : "not my vote"
            case .append(let previous, let entries, let commit):
                "after \(previous.text)" + (entries.isEmpty ? "" : " add \(entries.text)")
                    + ", commit \(commit)"
            case .appendReply(.accepted(let agreed, let durable)):
                "agreed \(agreed), durable \(durable)"
            case .appendReply(.rejected(let previous, let hint)): "no \(previous) here, try \(hint.text)"
            case .snapshot(let snapshot):
                "snapshot \(snapshot.epoch.text) members \(snapshot.membership.text)"
            case .snapshotReply(let index): "snapshot durable \(index)"
            case .timeoutNow: "campaign now"
            }
        return "term \(term): \(text)"
    }
}

extension StoreRequest<String, Tally> {
    var text: String {
        var parts: [String] = []
        if let snapshot { parts.append("snapshot \(snapshot.epoch.text)") }
        if let truncateFrom { parts.append("delete from \(truncateFrom)") }
        if let firstIndexKept { parts.append("keep from \(firstIndexKept)") }
        if !entries.isEmpty { parts.append(entries.text) }
        if let hardState { parts.append("term \(hardState.term) vote \(hardState.vote?.name ?? "-")") }
        return "\(sequence): " + parts.joined(separator: "; ")
    }
}

extension Machine.Refusal {
    var text: String {
        switch self {
        case .notLeader(let leader): "not the leader, that is \(leader?.name ?? "unknown")"
        case .broken: "broken"
        case .tooManyUncommitted: "too many uncommitted"
        case .transferring(let target): "handing over to \(target.name)"
        case .leaderNotReady: "nothing of this term is committed yet"
        case .changeInProgress: "another change is not committed yet"
        case .moreThanOneVoter: "more than one voter changes"
        case .noVoters: "no voters"
        case .tooManyMembers: "too many members"
        case .voterAndLearner(let member): "\(member.name) cannot be voter and learner"
        case .nothingChanges: "nothing changes"
        case .notAVoter(let member): "\(member.name) is not a voter"
        case .alreadyLeader: "leads already"
        case .cannotRecover: "nothing to recover"
        }
    }
}

extension Machine.Output {
    var text: String {
        switch self {
        case .store(let request): "write \(request.text)"
        case .send(let message, let receiver): "to \(receiver.name), \(message.text)"
        case .committed(let entries): "committed \(entries.text)"
        case .restored(let snapshot): "restored \(snapshot.epoch.text)"
        case .appended(let entries): "appended \(entries.text)"
        case .truncated(let index): "truncated from \(index)"
        case .proposed(let epoch): "proposed \(epoch)"
        case .refused(let refusal): "refused: \(refusal.text)"
        case .leaderChanged(let leader, let term): "leader \(leader?.name ?? "unknown"), term \(term)"
        case .transferFailed(let target): "transfer to \(target.name) failed"
        case .recovered(let epoch): "recovered from \(epoch) on"
        case .recoveryFailed(let missing):
            "recovery failed without \(missing.map(\.name).joined(separator: ", "))"
        }
    }
}
