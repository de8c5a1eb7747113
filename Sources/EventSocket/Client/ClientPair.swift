/// The two connections to one FreeSWITCH that work needs: one for events, one for commands, since the server sends no event on a
/// connection while it runs an `api` command there.
///
/// A value like the sessions in it. The connection for events is subscribed before `ready` is told, so the owner takes its snapshot by
/// the other one and misses nothing. If one of them ends, both do.
package struct ClientPair: Sendable {
    package enum Link: Hashable, Sendable, CaseIterable {
        case events, commands
    }
    package typealias RequestID = ClientSession.RequestID

    package enum Input: Hashable, Sendable {
        case connected(Link)
        case received(Link, [UInt8])
        case closed(Link)
        case api(RequestID, String, consoleExecute: Bool = false)
        /// Answered by `jobDone`: the pair makes the job's UUID and knows its event on the other connection.
        case bgapi(RequestID, String)
        case command(RequestID, Command)
        case disconnect
    }

    package enum Output: Hashable, Sendable {
        case send(Link, [UInt8])
        /// Both connections stand and events flow: take the snapshot now.
        case ready(coreUUID: String?)
        case response(RequestID, APIResponse)
        case reply(RequestID, CommandReply)
        case jobDone(RequestID, APIResponse)
        /// The request has no answer and will have none.
        case failed(RequestID, RequestFailure)
        case event(SwitchEvent)
        case log(LogLine)
        case undecodable(EventError)
        case restarted(from: String, to: String)
        /// The end: close both sockets. Nothing follows.
        case disconnected(DisconnectReason)
    }

    private var events: ClientSession
    private var commands: ClientSession
    private let maximumJobs: Int
    private var uuids: UUIDGenerator
    private var jobs: [String: RequestID] = [:]
    private var uuidOfJob: [RequestID: String] = [:]
    private var jobOrder: [String] = []
    private var isClosed = false
    private var isReady = false
    /// FreeSWITCH's process as last seen, over connections: give it to the next pair.
    package private(set) var coreUUID: String?
    private var seen: [Link: String] = [:]

    /// The configuration is of the connection for events; `BACKGROUND_JOB` is added. `seed` makes the UUIDs of jobs.
    package init(configuration: ClientSession.Configuration, seed: UInt64, coreUUID: String? = nil) {
        var listening = configuration
        if !listening.subscription.names.contains(where: {
            ["BACKGROUND_JOB", "ALL"].contains($0.uppercased())
        }) {
            listening.subscription.names.append("BACKGROUND_JOB")
        }
        // Behind filters a job's end would not be seen.
        let jobs = ClientSession.Filter("Event-Name", "BACKGROUND_JOB")
        if !listening.filters.isEmpty, !listening.filters.contains(jobs) { listening.filters.append(jobs) }
        events = ClientSession(configuration: listening)
        var commanding = configuration
        commanding.subscription = Subscription()
        commanding.filters = []
        commands = ClientSession(configuration: commanding)
        maximumJobs = configuration.maximumOutstanding
        uuids = UUIDGenerator(seed: seed)
        self.coreUUID = coreUUID
    }

    package mutating func handle(_ input: Input) -> [Output] {
        guard !isClosed else { return refused(input) }
        var out: [Output] = []
        switch input {
        case .connected(let link): pass(link, .connected, &out)
        case .received(let link, let bytes): pass(link, .received(bytes), &out)
        case .closed(let link): pass(link, .closed, &out)
        case .disconnect: pass(.commands, .disconnect, &out)
        case .api, .bgapi, .command:
            guard isReady else { return refused(input) }
            request(input, &out)
        }
        return out
    }

    private func refused(_ input: Input) -> [Output] {
        switch input {
        case .api(let id, _, _), .bgapi(let id, _), .command(let id, _): [.failed(id, .notReady)]
        case .connected, .received, .closed, .disconnect: []
        }
    }

    private mutating func request(_ input: Input, _ out: inout [Output]) {
        switch input {
        case .api(let id, let line, let execute):
            pass(.commands, .api(id, line, consoleExecute: execute), &out)
        case .command(let id, let command): pass(.commands, .command(id, command), &out)
        case .bgapi(let id, let line):
            guard jobs.count < maximumJobs else {
                return out.append(.failed(id, .tooMany(limit: maximumJobs)))
            }
            let uuid = uuids.next()
            jobs[uuid] = id
            uuidOfJob[id] = uuid
            jobOrder.append(uuid)
            pass(.commands, .bgapi(id, line, jobUUID: uuid), &out)
        case .connected, .received, .closed, .disconnect: break
        }
    }

    private mutating func pass(_ link: Link, _ input: ClientSession.Input, _ out: inout [Output]) {
        let outputs = link == .events ? events.handle(input) : commands.handle(input)
        for output in outputs where !isClosed {
            switch output {
            case .send(let bytes): out.append(.send(link, bytes))
            case .ready(let uuid): becomeReady(link, uuid, &out)
            case .response(let id, let response): out.append(.response(id, response))
            case .reply(let id, let reply): out.append(.reply(id, reply))
            case .failed(let id, let failure):
                if let uuid = uuidOfJob[id] { forget(uuid) }
                out.append(.failed(id, failure))
            case .event(let event): take(event, &out)
            case .log(let line): out.append(.log(line))
            case .undecodable(let error): out.append(.undecodable(error))
            // Told here for both connections together; jobs are known by their UUIDs.
            case .restarted, .started, .jobDone: break
            case .disconnected(let reason): end(link, reason, &out)
            }
        }
    }

    private mutating func becomeReady(_ link: Link, _ uuid: String?, _ out: inout [Output]) {
        if let uuid { seen[link] = uuid }
        guard events.isReady, commands.isReady else { return }
        if let one = seen[.events], let other = seen[.commands], one != other {
            return end(nil, .differentProcesses(events: one, commands: other), &out)
        }
        isReady = true
        if let uuid = seen[link] { see(uuid, &out) }
        out.append(.ready(coreUUID: coreUUID))
    }

    private mutating func take(_ event: SwitchEvent, _ out: inout [Output]) {
        if let uuid = event.coreUUID {
            seen[.events] = uuid
            if isReady { see(uuid, &out) }
        }
        if event.name == "BACKGROUND_JOB", let uuid = event["Job-UUID"], let id = jobs[uuid] {
            forget(uuid)
            out.append(.jobDone(id, APIResponse(body: event.body)))
        }
        out.append(.event(event))
    }

    private mutating func see(_ uuid: String, _ out: inout [Output]) {
        guard uuid != coreUUID else { return }
        if let before = coreUUID { out.append(.restarted(from: before, to: uuid)) }
        coreUUID = uuid
    }

    private mutating func forget(_ uuid: String) {
        guard let id = jobs.removeValue(forKey: uuid) else { return }
        uuidOfJob[id] = nil
        if let at = jobOrder.firstIndex(of: uuid) { jobOrder.remove(at: at) }
    }

    /// Ends the other connection too, then what is still waiting.
    private mutating func end(_ link: Link?, _ reason: DisconnectReason, _ out: inout [Output]) {
        for other in Link.allCases where other != link {
            let outputs = other == .events ? events.handle(.disconnect) : commands.handle(.disconnect)
            for output in outputs {
                switch output {
                case .send(let bytes): out.append(.send(other, bytes))
                case .failed(let id, _):
                    if let uuid = uuidOfJob[id] { forget(uuid) }
                    out.append(.failed(id, .disconnected(reason)))
                default: break
                }
            }
        }
        for uuid in jobOrder {
            if let id = jobs[uuid] { out.append(.failed(id, .disconnected(reason))) }
        }
        (jobs, uuidOfJob, jobOrder) = ([:], [:], [])
        isClosed = true
        out.append(.disconnected(reason))
    }
}
