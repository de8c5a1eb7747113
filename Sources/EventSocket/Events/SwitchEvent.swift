/// One event FreeSWITCH fired, with its values decoded, whatever format it came in.
package struct SwitchEvent: Hashable, Sendable {
    package var headers: Headers
    /// The event's own body (`BACKGROUND_JOB` has the command's output there).
    package var body: [UInt8]

    package init(headers: Headers, body: [UInt8] = []) {
        self.headers = headers
        self.body = body
    }

    /// `CHANNEL_ANSWER`, `CUSTOM`, …
    package var name: String { headers["Event-Name"] ?? "" }
    /// `sofia::register`, …: only of `CUSTOM` events.
    package var subclass: String? { headers["Event-Subclass"] }
    /// New at every start of FreeSWITCH: the way to notice a restart.
    package var coreUUID: String? { headers["Core-UUID"] }
    /// The channel the event is about.
    package var channel: String? { headers["Unique-ID"] }

    package subscript(name: String) -> String? { headers[name] }
}
