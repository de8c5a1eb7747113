/// Why a connection to an event-socket server has ended, or has to be.
package enum DisconnectReason: Error, Hashable, Sendable {
    /// `auth` or `userauth` was answered `-ERR invalid`: trying again at once is no use.
    case passwordRefused
    /// The server's access list does not have this address.
    case addressRefused(String)
    /// The server refused one of the subscriptions or filters.
    case subscriptionRefused(command: String, reply: String)
    /// The server sent this client away because it read too slowly: events were lost.
    case lostEvents
    /// FreeSWITCH is stopping, or its event socket's module is unloaded.
    case shutdown
    /// A notice of another kind, or one after `exit`.
    case notice(String)
    /// The connection closed without a notice.
    case closed
    /// What the server sent cannot be read.
    case unreadable(FrameError)
    /// The two connections of a pair reached different processes: FreeSWITCH restarted between them.
    case differentProcesses(events: String, commands: String)
    /// A reply that nothing was asked for.
    case unexpected(String)
    /// The owner wanted it.
    case requested
}

extension DisconnectReason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .passwordRefused: "the event socket refused the password"
        case .addressRefused(let text): "the event socket refuses this address: \(text)"
        case .subscriptionRefused(let command, let reply):
            "the event socket answered “\(command)” with “\(reply)”"
        case .lostEvents: "the event socket dropped events because they were read too slowly, and closed"
        case .shutdown: "the event socket was shut down"
        case .notice(let text): "the event socket closed: \(text)"
        case .closed: "the event socket closed without a notice"
        case .unreadable(let error): "the event socket sent what cannot be read: \(error)"
        case .differentProcesses(let events, let commands):
            "the event socket's process changed from \(events) to \(commands) while connecting"
        case .unexpected(let what): "the event socket sent \(what), which nothing was asked for"
        case .requested: "closed by this side"
        }
    }
}

/// Why a request has no answer.
package enum RequestFailure: Error, Hashable, Sendable {
    /// Asked before `ready` or after the end.
    case notReady
    /// So many requests or jobs are already under way.
    case tooMany(limit: Int)
    case unsendable(CommandError)
    /// A job with this UUID is under way.
    case duplicateJob(String)
    /// `bgapi` was answered `-ERR …`.
    case refused(String)
    /// The answer has so many bytes, more than are read.
    case tooLarge(bytes: Int, limit: Int)
    /// The connection ended first: whether the command was carried out is unknown.
    case disconnected(DisconnectReason)
}

extension RequestFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notReady: "the event socket is not connected"
        case .tooMany(let limit): "\(limit) requests are already waiting for the event socket"
        case .unsendable(let error): "\(error)"
        case .duplicateJob(let uuid): "a job \(uuid) is already under way"
        case .refused(let text): text
        case .tooLarge(let bytes, let limit):
            "FreeSWITCH's answer has \(bytes) bytes, more than the \(limit) that are read"
        case .disconnected(let reason): "\(reason)"
        }
    }
}
