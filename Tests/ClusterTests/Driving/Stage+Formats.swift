@testable import Cluster

extension StageMachine {
    /// A message that the release which runs there could not read.
    mutating func noteFormat(of message: PeerMessage) {
        guard let newest = node?.release.formats.upperBound, case .consensus(let consensus, _) = message
        else {
            return
        }
        var format = FormatVersion.oldest
        if case .snapshot(let snapshot) = consensus.body { format = snapshot.state.format }
        if case .append(_, let entries, _) = consensus.body {
            for case .command(let stamped) in entries.map(\.payload) {
                format = max(format, stamped.command.format)
            }
        }
        if format > newest { unreadable.append("\(name) is sent format \(format)") }
    }
}

extension Stage {
    /// Messages that their receiver's release could not read, in words.
    var unreadable: [String] { machines.flatMap(\.unreadable) }
}
