import EventSocket
import SwitchSimulator
import Testing

/// A simulated switch without sockets and clock: its sessions, its `core.db` and the phones around it are played here.
struct Bench {
    struct Client {
        var session: ServerSession
        var sent: [UInt8] = []
        var isClosed = false
    }
    struct Datagram {
        var at: Timestamp
        var text: String
        var to: SIPEndpoint
    }

    var core: SwitchCore
    var now: Timestamp
    var clients: [Client] = []
    private var tickets: [UInt64: (client: Int?, request: UInt64)] = [:]
    private var lastTicket: UInt64 = 0
    /// Answers of commands given by `api`.
    private var answers: [UInt64: String] = [:]
    /// The `recovery` table.
    var rows: [RecoveryRow] = []
    /// Each change of the table that was more than a rewrite.
    var events: [SwitchEvent] = []
    private(set) var datagrams: [Datagram] = []
    /// Plays the peers: what they answer to a datagram, and how much later.
    var peers: (@Sendable (String, SIPEndpoint) -> [(after: Duration, text: String, from: SIPEndpoint)])?
    private var pending: [(at: Timestamp, text: String, from: SIPEndpoint, profile: String)] = []
    var isShutDown = false
    var isCrashed = false
    /// What the limit service answers; nil: it is down.
    var limitService: (@Sendable ([String]) -> Int?)?
    var limitCommands: [[String]] = []
    /// What programs print.
    var program: @Sendable (String) -> String = { _ in "" }

    /// The recordings' first second: 2026-11-21 10:02:00 UTC.
    static let start = Timestamp(microseconds: 1_795_255_320_000_000)

    /// The layout of the recordings: switch `fsA` with profile `svcA` on the service address.
    static func settings(_ name: String = "fsA") -> SwitchSettings {
        var settings = SwitchSettings(
            switchname: name, databaseDirectory: "/var/lib/freeswitch/db",
            profiles: [SwitchSettings.Profile(name: "svcA", ip: "10.77.0.50")],
            carrier: SIPEndpoint(ip: "10.77.0.100", port: 5070))
        settings.heartbeat = .seconds(3600)
        settings.lateMargin = .zero
        settings.databaseLag = .milliseconds(100) ... .milliseconds(100)
        settings.registrationLag = .milliseconds(150) ... .milliseconds(150)
        return settings
    }

    init(_ settings: SwitchSettings = Bench.settings(), seed: UInt64 = 1, at start: Timestamp = Bench.start) {
        core = SwitchCore(settings, seed: seed, at: start)
        now = start
    }

    // MARK: Time

    mutating func advance(by span: Duration) { advance(to: now + span) }

    /// Everything due up to a moment, in order.
    mutating func advance(to target: Timestamp) {
        while let next = nextMoment, next <= target {
            now = max(now, next)
            core.advance(to: now)
            carryOut()
            deliver()
        }
        now = max(now, target)
    }

    var nextMoment: Timestamp? {
        [core.nextDeadline, pending.map(\.at).min()].compactMap { $0 }.min()
    }

    private mutating func deliver() {
        while let at = pending.indices.filter({ pending[$0].at <= now }).min(by: {
            pending[$0].at < pending[$1].at
        }) {
            let datagram = pending.remove(at: at)
            receive(datagram.text, from: datagram.from, on: datagram.profile)
        }
    }

    // MARK: SIP

    /// A datagram of a phone; a text that is no SIP message is an issue of the test.
    mutating func receive(_ text: String, from source: SIPEndpoint, on profile: String = "svcA") {
        let failure = core.receive(Array(text.utf8), from: source, on: profile, at: now)
        #expect(failure == nil, "\(text)")
        carryOut()
    }

    /// The datagrams sent since the last call.
    mutating func takeDatagrams() -> [Datagram] {
        defer { datagrams = [] }
        return datagrams
    }

    // MARK: Event socket

    mutating func connect() -> Int {
        clients.append(
            Client(
                session: ServerSession(
                    configuration: ServerConfiguration(
                        password: "ClueCon", backOff: PasswordBackOff(first: .zero, maximum: .zero)),
                    seed: UInt64(clients.count) + 99)))
        let client = clients.count - 1
        hand(.accepted, to: client)
        return client
    }

    /// A client that has logged in and listens.
    mutating func listener(_ events: String, format: EventFormat = .plain) -> Int {
        let client = connect()
        say("auth ClueCon\n\nevent \(format) \(events)\n\n", from: client)
        return client
    }

    mutating func say(_ text: String, from client: Int) {
        hand(.received(Array(text.utf8)), to: client)
    }

    private mutating func hand(_ input: ServerSession.Input, to client: Int) {
        for output in clients[client].session.handle(input) { carryOut(output, of: client) }
    }

    private mutating func carryOut(_ output: ServerSession.Output, of client: Int) {
        switch output {
        case .send(let bytes), .sendAfter(_, let bytes):
            clients[client].sent += bytes
            hand(.unsent(0), to: client)
        case .close, .closeAfter: clients[client].isClosed = true
        case .run(let request):
            lastTicket += 1
            tickets[lastTicket] = (client, request.id)
            core.command(
                request.line, console: request.consoleExecute, ticket: Ticket(number: lastTicket), at: now)
            carryOut()
        case .sendevent(let event):
            core.sent(event, at: now)
            carryOut()
        case .jobDone(let event):
            core.jobDone(event, at: now)
            carryOut()
        default: break
        }
    }

    /// Runs a command and waits, in the switch's time, for its answer.
    mutating func api(_ line: String, patience: Duration = .seconds(120)) -> String {
        let ticket = begin(line)
        let limit = now + patience
        while answers[ticket] == nil, let next = nextMoment, next <= limit { advance(to: next) }
        return answers.removeValue(forKey: ticket) ?? "no answer"
    }

    /// Gives a command; `answer` tells its output once it is there.
    mutating func begin(_ line: String) -> UInt64 {
        lastTicket += 1
        tickets[lastTicket] = (nil, 0)
        core.command(line, ticket: Ticket(number: lastTicket), at: now)
        let ticket = lastTicket
        carryOut()
        return ticket
    }

    func answer(_ ticket: UInt64) -> String? { answers[ticket] }

    // MARK: Effects

    mutating func carryOut() {
        while true {
            let effects = core.takeEffects()
            if effects.isEmpty { return }
            for effect in effects { carryOut(effect) }
        }
    }

    private mutating func carryOut(_ effect: SwitchEffect) {
        switch effect {
        case .event(let event):
            events.append(event)
            for client in clients.indices { hand(.publish(event), to: client) }
        case .send(let profile, let bytes, let endpoint): sent(bytes, to: endpoint, on: profile)
        case .reply(let ticket, let text):
            guard let (client, request) = tickets.removeValue(forKey: ticket.number) else { return }
            if let client {
                hand(.answer(request, Array(text.utf8)), to: client)
            } else {
                // As the event socket tells it.
                answers[ticket.number] = text.isEmpty ? "-ERR no reply\n" : text
            }
        case .store(let changes):
            for change in changes { apply(change) }
        case .selectRows(let job, let profiles, let runtime):
            core.recoveryRows(
                rows.filter { $0.runtimeUUID != runtime && profiles?.contains($0.profileName) != false },
                job: job, at: now)
        case .deleteRows(let profiles, let runtime):
            rows.removeAll { $0.runtimeUUID != runtime && profiles?.contains($0.profileName) != false }
        case .run(let ticket, let command): core.commandDone(ticket, output: program(command), at: now)
        case .limit(let query):
            limitCommands.append(query.command)
            core.limitAnswered(query, limitService?(query.command), at: now)
        case .shutDown:
            isShutDown = true
            for client in clients.indices { hand(.stop, to: client) }
        case .crash: isCrashed = true
        case .cut, .freeze, .remotes, .storeRegistrations: break
        }
    }

    private mutating func sent(_ bytes: [UInt8], to endpoint: SIPEndpoint, on profile: String) {
        let text = String(decoding: bytes, as: UTF8.self)
        datagrams.append(Datagram(at: now, text: text, to: endpoint))
        for answer in peers?(text, endpoint) ?? [] {
            pending.append((now + answer.after, answer.text, answer.from, profile))
        }
    }

    private mutating func apply(_ change: RecoveryChange) {
        switch change {
        case .put(let row):
            rows.removeAll { $0.uuid == row.uuid && $0.runtimeUUID == row.runtimeUUID }
            rows.append(row)
        case .rewrite(let row):
            if let at = rows.firstIndex(where: { $0.uuid == row.uuid && $0.runtimeUUID == row.runtimeUUID }) {
                rows[at].metadata = row.metadata
            }
        case .delete(let uuid): rows.removeAll { $0.uuid == uuid }
        }
    }
}
