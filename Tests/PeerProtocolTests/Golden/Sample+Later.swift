import Cluster
import PeerProtocol

// What stands for kinds that only a later release knows. Nobody writes them, so they have no recorded bytes.

extension Sample {
    /// As it would be read from `laterJSON`.
    static var laterCommand: StampedCommand {
        var stamped = StampedCommand(time: time(5), command: .unknown("ofLater"))
        stamped.written = laterJSON
        return stamped
    }

    static let laterJSON = Array(
        #"{"time": {"nanoseconds": 5000000000}, "command": {"ofLater": {"_0": 1}}, "more": [1.50]}"#.utf8)

    static var laterCommands: [ControlCommand] {
        [.unknown("ofLater"), .drain(.unknown("ofLater")), .playbook(.unknown("ofLater"))]
    }

    static let laterRequests: [OperatorRequest] = [.unknown("ofLater"), .playbook(.unknown("ofLater"))]
}
