/// One client of our event-socket server, spoken to as FreeSWITCH's mod_event_socket does.
///
/// A value without socket and clock: the driver hands in what happened and does what comes out, in order. Reply texts, header order
/// and the order of things are those of mod_event_socket.c (parse_command, listener_run).
package struct ServerSession: Sendable {
    package enum Input: Hashable, Sendable {
        /// The client has connected (and its address is welcome: else send `rudeRejection` and close).
        case accepted
        case received([UInt8])
        case closed
        /// What the command of a `run` printed.
        case answer(UInt64, [UInt8])
        /// An event was fired, whoever fired it.
        case publish(SwitchEvent)
        case log(LogLine)
        /// So many bytes handed out by `send` are not yet written: told before `publish`, and when it falls.
        case unsent(Int)
        /// Others had their turn: go on, as `wantsTurn` asked for.
        case turn
        /// The server stops.
        case stop
    }

    package enum Output: Hashable, Sendable {
        case send([UInt8])
        /// Send later; nothing else will be sent but what comes with `closeAfter`.
        case sendAfter(Duration, [UInt8])
        /// Close once all that was sent is written.
        case close
        case closeAfter(Duration)
        /// A password was wrong: the driver counts them per address for `refusals`.
        case passwordRefused
        /// The user's name, nil after `auth`.
        case authenticated(user: String?)
        /// Run a command and give its output to `answer`, once.
        case run(Request)
        /// A client's `sendevent`: stamp it (`SwitchEvent.stamped`) and publish it to all sessions, this one too.
        case sendevent(SwitchEvent)
        /// A `bgapi` command ended: stamp this `BACKGROUND_JOB` and publish it to all sessions, this one too.
        case jobDone(SwitchEvent)
        /// So many events were dropped because the client did not read; told when it reads again or is sent away.
        case lostEvents(Int)
        /// What the client sent cannot be read; `close` follows.
        case failed(FrameError)
    }

    /// An `api` or `bgapi` command to run.
    package struct Request: Hashable, Sendable {
        /// Given back with the answer; unique in this session.
        package var id: UInt64
        package var line: String
        /// Run it as if typed at the console: expand aliases.
        package var consoleExecute: Bool
        /// Of a `bgapi` command, nil of an `api` command. Later commands of this client wait for an `api` command only.
        package var jobUUID: String?

        package init(id: UInt64, line: String, consoleExecute: Bool = false, jobUUID: String? = nil) {
            self.id = id
            self.line = line
            self.consoleExecute = consoleExecute
            self.jobUUID = jobUUID
        }
    }

    enum Phase: Hashable {
        case new, unauthenticated, authenticated, closed
    }

    /// The frame for a client whose address is not welcome.
    package static let rudeRejection = Array(
        "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n".utf8)

    let configuration: ServerConfiguration
    /// Wrong passwords that came from this address of late: the driver's count, set before handing in bytes.
    package var refusals = 0
    var phase = Phase.new
    var decoder = CommandDecoder(limits: .beforeAuthentication)
    var user: User?
    /// False for who came with the password for looking only.
    package internal(set) var mayChange = true
    var allowedEvents: AllowedEvents?
    var selection = EventSelection()
    var filters = EventFilters()
    var logLevel: Int?
    var uuids: UUIDGenerator
    var lastID: UInt64 = 0
    /// The `api` command that later commands wait for.
    var pending: UInt64?
    /// `bgapi` commands by request: their `BACKGROUND_JOB` without its body.
    var jobs: [UInt64: SwitchEvent] = [:]
    /// Events that came while an `api` command ran: FreeSWITCH sends none then.
    private var held: [UInt8] = []
    /// Commands may be left that came already: the driver lets others have their turn, then hands in `turn`.
    package private(set) var wantsTurn = false
    /// Since it was accepted, without the password.
    var commandsBeforePassword = 0
    private var unsent = 0
    private var lost = 0

    /// `seed` makes the UUIDs of jobs and events: different for each session.
    package init(configuration: ServerConfiguration, seed: UInt64) {
        self.configuration = configuration
        uuids = UUIDGenerator(seed: seed)
    }

    package var isAuthenticated: Bool { phase == .authenticated }
    package var isClosed: Bool { phase == .closed }
    /// False while commands wait for an answer or for the client to read: the driver should then not read from it. What it reads
    /// all the same is kept up to the limits, above which the client is sent away.
    package var wantsInput: Bool {
        phase != .closed && !wantsTurn
            && (decoder.buffered < 65536 || (pending == nil && unsent <= configuration.maximumUnsentBytes))
    }

    package mutating func handle(_ input: Input) -> [Output] {
        var out: [Output] = []
        switch input {
        case .accepted:
            guard phase == .new else { break }
            phase = .unauthenticated
            send("Content-Type: auth/request\n\n", &out)
        case .received(let bytes):
            guard phase == .unauthenticated || phase == .authenticated else { break }
            decoder.append(bytes)
            process(&out)
        case .turn:
            wantsTurn = false
            process(&out)
        case .closed: end()
        case .answer(let id, let body): answer(id, body, &out)
        case .publish(let event): publish(event, &out)
        case .log(let line): log(line, &out)
        case .unsent(let bytes):
            unsent = bytes
            process(&out)
        case .stop:
            guard phase == .unauthenticated || phase == .authenticated else { break }
            sayGoodbye(.shutdown, &out)
        }
        return out
    }

    /// Carries out whole commands until one has to be waited for, or others are to have their turn.
    private mutating func process(_ out: inout [Output]) {
        var done = 0
        while !wantsTurn, phase == .unauthenticated || phase == .authenticated, pending == nil,
            unsent <= configuration.maximumUnsentBytes
        {
            do throws(FrameError) {
                guard let command = try decoder.next() else { return }
                perform(command, &out)
                done += 1
                wantsTurn =
                    done >= configuration.commandsPerTurn && decoder.buffered > 0 && phase != .closed
            } catch {
                out.append(.failed(error))
                return sayGoodbye(.goodbye, &out)
            }
        }
    }

    private mutating func answer(_ id: UInt64, _ body: [UInt8], _ out: inout [Output]) {
        if var job = jobs.removeValue(forKey: id) {
            job.body = body
            return out.append(.jobDone(job))
        }
        // An answer may come after the client has gone.
        guard pending == id else { return }
        pending = nil
        let body = body.isEmpty ? Array(APIResponse.noReply.utf8) : body
        send(Array("Content-Type: api/response\nContent-Length: \(body.count)\n\n".utf8) + body, &out)
        if !held.isEmpty {
            send(held, &out)
            held = []
        }
        process(&out)
    }

    private mutating func publish(_ event: SwitchEvent, _ out: inout [Output]) {
        guard phase == .authenticated, selection.wants(event), filters.pass(event) else { return }
        let frame = EventCodec.frame(event, as: selection.format)
        guard unsent + held.count + frame.count <= configuration.maximumUnsentBytes else {
            lost += 1
            guard lost > configuration.maximumLostEvents else { return }
            out.append(.lostEvents(lost))
            return sayGoodbye(.lostEvents, &out)
        }
        if lost > 0 {
            out.append(.lostEvents(lost))
            lost = 0
        }
        sendOrHold(frame, &out)
    }

    private mutating func log(_ line: LogLine, _ out: inout [Output]) {
        guard phase == .authenticated, let logLevel, line.level <= logLevel else { return }
        let frame = line.frame()
        guard unsent + held.count + frame.count <= configuration.maximumUnsentBytes else { return }
        sendOrHold(frame, &out)
    }

    private mutating func sendOrHold(_ frame: [UInt8], _ out: inout [Output]) {
        guard pending != nil else { return send(frame, &out) }
        held.append(contentsOf: frame)
    }

    mutating func send(_ bytes: [UInt8], _ out: inout [Output]) {
        unsent += bytes.count
        out.append(.send(bytes))
    }

    mutating func send(_ text: String, _ out: inout [Output]) { send(Array(text.utf8), &out) }

    mutating func sayGoodbye(_ notice: DisconnectNotice, _ out: inout [Output]) {
        send(notice.frame(), &out)
        out.append(.close)
        end()
    }

    /// Nothing more is said to the client; jobs go on, and their ends are still told to all.
    mutating func end() {
        phase = .closed
        wantsTurn = false
        decoder = CommandDecoder(limits: .beforeAuthentication)
        pending = nil
        held = []
    }
}
