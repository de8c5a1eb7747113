/// One connection to a FreeSWITCH's event socket, from the first byte to the last.
///
/// A value without socket and clock: the driver hands in what happened and does what comes out, in order. It gives the password,
/// subscribes, asks for the Core-UUID, and is then `ready`; every request is answered exactly once, replies come in order.
package struct ClientSession: Sendable {
    package enum Credentials: Hashable, Sendable {
        case password(String)
        /// `name` is `USER@DOMAIN`.
        case user(name: String, password: String)
    }

    package struct Filter: Hashable, Sendable {
        package var header: String
        package var value: String

        package init(_ header: String, _ value: String) {
            self.header = header
            self.value = value
        }
    }

    package struct Configuration: Hashable, Sendable {
        package var credentials: Credentials
        /// JSON unless asked otherwise: values of the other two formats cannot be decoded (see `EventFormat`).
        package var format: EventFormat
        /// Empty on a connection for commands alone.
        package var subscription: Subscription
        package var filters: [Filter]
        /// Requests waiting for their reply; as many jobs besides.
        package var maximumOutstanding: Int
        package var limits: FrameLimits

        package init(
            credentials: Credentials, format: EventFormat = .json,
            subscription: Subscription = Subscription(),
            filters: [Filter] = [], maximumOutstanding: Int = 4096,
            limits: FrameLimits = FrameLimits(bodyBytes: FrameLimits.longestAnswer)
        ) {
            self.credentials = credentials
            self.format = format
            self.subscription = subscription
            self.filters = filters
            self.maximumOutstanding = maximumOutstanding
            self.limits = limits
        }
    }

    /// The owner's name for a request: given back with its answer.
    package typealias RequestID = UInt64

    package enum Input: Hashable, Sendable {
        case connected
        case received([UInt8])
        case closed
        /// Answered by `response`. The server handles nothing else, events neither, until the command is done.
        case api(RequestID, String, consoleExecute: Bool = false)
        /// Answered by `started`, then `jobDone` if `BACKGROUND_JOB` is subscribed to here. Without a UUID the server makes one.
        case bgapi(RequestID, String, jobUUID: String? = nil)
        /// Answered by `reply`: any command but `bgapi` and `auth`.
        case command(RequestID, Command)
        /// Say `exit` and end.
        case disconnect
    }

    package enum Output: Hashable, Sendable {
        case send([UInt8])
        /// Authenticated and subscribed: events flow from here on, so a snapshot taken now misses nothing.
        case ready(coreUUID: String?)
        case response(RequestID, APIResponse)
        case reply(RequestID, CommandReply)
        /// `bgapi` was accepted.
        case started(RequestID, jobUUID: String)
        case jobDone(RequestID, APIResponse)
        /// The request has no answer and will have none.
        case failed(RequestID, RequestFailure)
        case event(SwitchEvent)
        case log(LogLine)
        /// An event that cannot be read; the connection goes on.
        case undecodable(EventError)
        /// FreeSWITCH is another process than before: its calls are gone, take a snapshot.
        case restarted(from: String, to: String)
        /// The end: close the socket if it is open. Nothing follows.
        case disconnected(DisconnectReason)
    }

    enum Phase: Hashable {
        case new, greeting, authenticating, subscribing, ready, closed
    }

    /// What the next reply answers.
    enum Expected: Hashable {
        case authentication
        case setup(Command)
        case coreUUID
        case api(RequestID)
        case bgapi(RequestID, jobUUID: String?)
        case command(RequestID)
    }

    let configuration: Configuration
    var phase = Phase.new
    /// FreeSWITCH's process as last seen, over connections: give it to the next session.
    package private(set) var coreUUID: String?
    var decoder: FrameDecoder
    /// In the order asked; the first `answered` of them are done with.
    var expected: [Expected] = []
    var answered = 0
    var jobs: [String: RequestID] = [:]
    /// Jobs in the order begun, so that their failures come in an order of their own.
    var jobOrder: [String] = []

    /// `coreUUID` is what the session before this one knew: a different one is told as `restarted`.
    package init(configuration: Configuration, coreUUID: String? = nil) {
        self.configuration = configuration
        self.coreUUID = coreUUID
        decoder = FrameDecoder(limits: configuration.limits)
    }

    package var isReady: Bool { phase == .ready }
    package var isClosed: Bool { phase == .closed }
    /// Requests whose reply has not come.
    package var outstanding: Int { expected.count - answered }

    package mutating func handle(_ input: Input) -> [Output] {
        var out: [Output] = []
        switch input {
        case .connected: if phase == .new { phase = .greeting }
        case .received(let bytes): receive(bytes, &out)
        case .closed: end(.closed, &out)
        case .api(let id, let line, let consoleExecute):
            ask(id, .api(line, consoleExecute: consoleExecute), .api(id), &out)
        case .bgapi(let id, let line, let uuid): startJob(id, line, uuid, &out)
        case .command(let id, let command): ask(id, command, .command(id), &out)
        case .disconnect:
            guard phase != .closed else { break }
            if phase == .ready { out.append(.send(Array("exit\n\n".utf8))) }
            end(.requested, &out)
        }
        return out
    }

    // MARK: Asking

    private mutating func ask(_ id: RequestID, _ command: Command, _ what: Expected, _ out: inout [Output]) {
        guard phase == .ready else { return out.append(.failed(id, .notReady)) }
        guard outstanding < configuration.maximumOutstanding else {
            return out.append(.failed(id, .tooMany(limit: configuration.maximumOutstanding)))
        }
        do throws(CommandError) {
            out.append(.send(try command.encoded()))
            expected.append(what)
        } catch {
            out.append(.failed(id, .unsendable(error)))
        }
    }

    private mutating func startJob(_ id: RequestID, _ line: String, _ uuid: String?, _ out: inout [Output]) {
        guard jobs.count < configuration.maximumOutstanding else {
            return out.append(.failed(id, .tooMany(limit: configuration.maximumOutstanding)))
        }
        if let uuid, jobs[uuid] != nil { return out.append(.failed(id, .duplicateJob(uuid))) }
        let before = outstanding
        ask(id, .bgapi(line, jobUUID: uuid), .bgapi(id, jobUUID: uuid), &out)
        // Known before the reply: the event of a quick job may come first where it comes by another connection.
        if let uuid, outstanding > before { remember(uuid, id) }
    }

    private mutating func remember(_ uuid: String, _ id: RequestID) {
        jobs[uuid] = id
        jobOrder.append(uuid)
    }

    private mutating func forget(_ uuid: String) -> RequestID? {
        guard let id = jobs.removeValue(forKey: uuid) else { return nil }
        if let at = jobOrder.firstIndex(of: uuid) { jobOrder.remove(at: at) }
        return id
    }

    // MARK: Being told

    private mutating func receive(_ bytes: [UInt8], _ out: inout [Output]) {
        guard phase != .closed, phase != .new else { return }
        decoder.append(bytes)
        do throws(FrameError) {
            while phase != .closed, let frame = try decoder.next() { take(frame, &out) }
        } catch {
            end(.unreadable(error), &out)
        }
    }

    private mutating func take(_ frame: Frame, _ out: inout [Output]) {
        guard frame.omitted == 0 else { return pass(over: frame, &out) }
        let message: ServerMessage
        do throws(EventError) {
            message = try ServerMessage(frame)
        } catch {
            return out.append(.undecodable(error))
        }
        switch message {
        case .authRequest: authenticate(&out)
        case .commandReply(let reply): take(reply, &out)
        case .apiResponse(let response): take(response, &out)
        case .event(let event): take(event, &out)
        case .log(let line): out.append(.log(line))
        case .disconnectNotice(let notice):
            switch notice.reason {
            case .lostEvents: end(.lostEvents, &out)
            case .shutdown: end(.shutdown, &out)
            case .goodbye, .other: end(.notice(notice.text), &out)
            }
        case .rudeRejection(let text): end(.addressRefused(text), &out)
        // A newer server may say more than this program knows.
        case .other: break
        }
    }

    /// The answer or event was too long to be read; the connection goes on without it.
    private mutating func pass(over frame: Frame, _ out: inout [Output]) {
        let limit = configuration.limits.bodyBytes
        guard frame.contentType == "api/response" else {
            return out.append(.undecodable(.tooLarge(bytes: frame.omitted, limit: limit)))
        }
        switch nextExpected() {
        case .api(let id), .command(let id):
            out.append(.failed(id, .tooLarge(bytes: frame.omitted, limit: limit)))
        case .coreUUID: becomeReady(nil, &out)
        case let other?: end(.unexpected("an api response instead of the reply to \(other)"), &out)
        case nil: end(.unexpected("an api response"), &out)
        }
    }

    private mutating func authenticate(_ out: inout [Output]) {
        guard phase == .greeting else { return end(.unexpected("a second request for a password"), &out) }
        let command =
            switch configuration.credentials {
            case .password(let password): Command.auth(password)
            case .user(let name, let password): Command.userauth(user: name, password: password)
            }
        phase = .authenticating
        do throws(CommandError) {
            out.append(.send(try command.encoded()))
            expected.append(.authentication)
        } catch {
            // A password that cannot be said cannot be right.
            end(.passwordRefused, &out)
        }
    }

    /// All that is needed before `ready` goes out at once; filters first, so that nothing passes unfiltered.
    private mutating func setUp(_ out: inout [Output]) {
        phase = .subscribing
        var commands = configuration.filters.map { Command.filter($0.header, $0.value) }
        if !configuration.subscription.isEmpty {
            commands.append(.event(configuration.format, configuration.subscription))
        }
        var bytes: [UInt8] = []
        for command in commands {
            do throws(CommandError) {
                bytes += try command.encoded()
                expected.append(.setup(command))
            } catch {
                return end(.subscriptionRefused(command: command.line, reply: "\(error)"), &out)
            }
        }
        bytes += Array("api global_getvar core_uuid\n\n".utf8)
        expected.append(.coreUUID)
        out.append(.send(bytes))
    }

    private mutating func nextExpected() -> Expected? {
        guard answered < expected.count else { return nil }
        defer {
            answered += 1
            if answered == expected.count || answered >= 1024 {
                expected.removeFirst(answered)
                answered = 0
            }
        }
        return expected[answered]
    }

    private mutating func take(_ reply: CommandReply, _ out: inout [Output]) {
        switch nextExpected() {
        case .authentication where reply.isOK: setUp(&out)
        case .authentication: end(.passwordRefused, &out)
        case .setup(let command):
            if !reply.isOK { end(.subscriptionRefused(command: command.line, reply: reply.text), &out) }
        case .command(let id): out.append(.reply(id, reply))
        case .bgapi(let id, let asked): started(id, asked, reply, &out)
        // A user who may not use the command gets a reply instead of a response.
        case .coreUUID: becomeReady(nil, &out)
        case .api(let id): out.append(.failed(id, .refused(reply.text)))
        case nil: end(.unexpected("a reply “\(reply.text)”"), &out)
        }
    }

    private mutating func started(
        _ id: RequestID, _ asked: String?, _ reply: CommandReply, _ out: inout [Output]
    ) {
        guard reply.isOK, let uuid = reply.jobUUID ?? asked else {
            if let asked { _ = forget(asked) }
            return out.append(.failed(id, .refused(reply.text)))
        }
        out.append(.started(id, jobUUID: uuid))
        // Without the event there is nothing to wait for; with the caller's UUID the event may have come already.
        guard listensToJobs else {
            if let asked { _ = forget(asked) }
            return
        }
        if asked == nil { remember(uuid, id) }
    }

    var listensToJobs: Bool {
        configuration.subscription.names.contains { ["BACKGROUND_JOB", "ALL"].contains($0.uppercased()) }
    }

    private mutating func take(_ response: APIResponse, _ out: inout [Output]) {
        switch nextExpected() {
        case .api(let id), .command(let id): out.append(.response(id, response))
        case .coreUUID:
            let text = response.text.filter { !$0.isWhitespace }
            becomeReady(response.isEmpty || response.isError || text.isEmpty ? nil : text, &out)
        case let other?: end(.unexpected("an api response instead of the reply to \(other)"), &out)
        case nil: end(.unexpected("an api response"), &out)
        }
    }

    private mutating func becomeReady(_ uuid: String?, _ out: inout [Output]) {
        phase = .ready
        if let uuid { see(uuid, &out) }
        out.append(.ready(coreUUID: coreUUID))
    }

    private mutating func take(_ event: SwitchEvent, _ out: inout [Output]) {
        if let uuid = event.coreUUID { see(uuid, &out) }
        if event.name == "BACKGROUND_JOB", let uuid = event["Job-UUID"], let id = forget(uuid) {
            out.append(.jobDone(id, APIResponse(body: event.body)))
        }
        out.append(.event(event))
    }

    private mutating func see(_ uuid: String, _ out: inout [Output]) {
        guard uuid != coreUUID else { return }
        if let before = coreUUID { out.append(.restarted(from: before, to: uuid)) }
        coreUUID = uuid
    }

    private mutating func end(_ reason: DisconnectReason, _ out: inout [Output]) {
        guard phase != .closed else { return }
        phase = .closed
        var failed: Set<RequestID> = []
        for item in expected[answered...] {
            switch item {
            case .api(let id), .command(let id), .bgapi(let id, _):
                failed.insert(id)
                out.append(.failed(id, .disconnected(reason)))
            case .authentication, .setup, .coreUUID: break
            }
        }
        for uuid in jobOrder {
            if let id = jobs[uuid], !failed.contains(id) { out.append(.failed(id, .disconnected(reason))) }
        }
        (expected, answered, jobs, jobOrder) = ([], 0, [:], [])
        decoder = FrameDecoder(limits: configuration.limits)
        out.append(.disconnected(reason))
    }
}
