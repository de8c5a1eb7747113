import EventSocket

/// What the switch wants done outside of it; drivers do it in this order.
package enum SwitchEffect: Hashable, Sendable {
    /// Fired in the switch's event system: goes to every session that subscribed.
    case event(SwitchEvent)
    /// From the named profile's socket.
    case send(profile: String, bytes: [UInt8], to: SIPEndpoint)
    /// A command is answered; the ticket is the one it was given with.
    case reply(Ticket, String)
    /// The SQL queue writes these, in one transaction.
    case store([RecoveryChange])
    /// The profile's own file of registrations, which outlives the process, follows.
    case storeRegistrations(profile: String, [RegistrationChange])
    /// Answered by `SwitchCore.recoveryRows`; technology is sofia, `runtimeUUID` is left out.
    case selectRows(job: Int, profiles: [String]?, notOf: String)
    /// Rows of these profiles (nil: all) that belong to others are deleted.
    case deleteRows(profiles: [String]?, notOf: String?)
    /// A program is run for `system`; answered by `SwitchCore.commandDone`.
    case run(Ticket, command: String)
    /// A request to the limit service; answered by `SwitchCore.limitAnswered`.
    case limit(LimitQuery)
    /// Every session ends with the notice, then the process.
    case shutDown
    /// The process ends at once, as if it were killed.
    case crash
    /// Every event socket closes without a word, and the process goes on.
    case cut
    /// The process stops doing anything for so long, or for good.
    case freeze(Duration?)
    /// Profiles whose sockets are to be open.
    case remotes([String])
}

/// Names a command that waits for its answer.
package struct Ticket: Hashable, Sendable {
    package var number: UInt64

    package init(number: UInt64) { self.number = number }
}

/// A change of table `recovery`.
package enum RecoveryChange: Hashable, Sendable {
    case put(RecoveryRow)
    /// Rewrites the metadata of a row that is there; does nothing when it is not.
    case rewrite(RecoveryRow)
    case delete(uuid: String)
}

/// What the switch asks a RESP service: one pipelined request per entry.
package struct LimitQuery: Hashable, Sendable {
    package enum Purpose: Hashable, Sendable {
        /// A call waits for the answer.
        case check(channel: String, rule: LimitRule)
        /// A call has ended.
        case release
        /// An operator waits for the answer.
        case show(Ticket)
        /// `hiredis_raw`: an operator wants to see whether the service answers.
        case raw(Ticket)
        /// The window of a rate is being given an end.
        case expire
    }
    package var purpose: Purpose
    package var command: [String]
}
