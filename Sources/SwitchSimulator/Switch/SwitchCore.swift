import EventSocket

/// A stand-in FreeSWITCH as a value: datagrams, commands and time go in, effects come out.
///
/// Calls, registrations, limits and recovery behave as the recordings of the real switch show.
package struct SwitchCore: Sendable {
    struct Profile: Sendable {
        var settings: SwitchSettings.Profile
        var isStandby: Bool
        /// A stopped profile is as if it were not there.
        var isRunning = true
        var startedAt: Timestamp
        var callsIn = 0
        var failedIn = 0
        var callsOut = 0
        var failedOut = 0
    }

    let settings: SwitchSettings
    let identity: SwitchIdentity
    let started: Timestamp
    var chance: Chance
    var now: Timestamp
    var agenda = Agenda<Item>()
    private var effects: [SwitchEffect] = []
    var sequence = 0

    var profiles: [Profile]
    var channels: [String: Leg] = [:]
    /// Uuids of `channels`, oldest first.
    var order: [String] = []
    var dialogs: [Dialog.Key: String] = [:]
    var transactions = Transactions()
    var registrations: [String: RegistrationTable]
    /// Held by sessions whose revival failed for good (freeswitch-integration §9.2).
    var deadSessions: [String] = []
    var counters = SessionCounters()
    var limits = LimitTable()
    var remoteNames: [String] = []
    /// `hash insert/realm/key/value`
    var hashData: [String: String] = [:]
    var globals: [String: String] = [:]
    var aliases: [(name: String, command: String)] = []
    /// Phrases of `complete add`, word by word.
    var completions: [[String]] = []
    var recoveries: [Int: Recovery] = [:]
    var recoveryCount = 0
    /// The SQL queue writes in order: no change becomes visible before an earlier one.
    var databaseTime: Timestamp
    var registrationTime: Timestamp
    var pause = PauseState()
    var faults = Faults()
    var sessionNumber = 0
    var load = CallLoad()
    /// What is shown before the output of `system` programs that are running.
    var systemNotices: [UInt64: String] = [:]

    /// - Parameter seed: decides uuids, tags, ports and delays; a different one at every start of a process.
    package init(_ settings: SwitchSettings, seed: UInt64, at now: Timestamp) {
        self.settings = settings
        var chance = Chance(seed: seed)
        identity = SwitchIdentity(
            coreUUID: chance.uuid(), switchname: settings.switchname, hostname: settings.hostname)
        self.chance = chance
        self.now = now
        started = now
        databaseTime = now
        registrationTime = now
        profiles = settings.profiles.map { Profile(settings: $0, isStandby: $0.isStandby, startedAt: now) }
        registrations = Dictionary(
            settings.profiles.map { ($0.name, RegistrationTable(kind: $0.registrations)) },
            uniquingKeysWith: { first, _ in first })
        globals = [
            "core_uuid": identity.coreUUID, "db_dir": settings.databaseDirectory,
            "hostname": settings.hostname, "switchname": settings.switchname,
        ]
        agenda.note(.heartbeat, at: now + settings.heartbeat)
        agenda.note(.sweep, at: now + settings.sweep)
        agenda.note(.second, at: now + .seconds(1))
    }

    /// New at every start.
    package var coreUUID: String { identity.coreUUID }
    package var nextDeadline: Timestamp? { agenda.next }

    /// What is to be done since the last call.
    package mutating func takeEffects() -> [SwitchEffect] {
        for profile in profiles {
            let name = profile.settings.name
            let changes = registrations[name]?.takeChanges() ?? []
            if !changes.isEmpty { effects.append(.storeRegistrations(profile: name, changes)) }
        }
        defer { effects = [] }
        return effects
    }

    mutating func emit(_ effect: SwitchEffect) { effects.append(effect) }

    /// Everything due by `now`, each at its own time.
    package mutating func advance(to now: Timestamp) {
        while let (item, at) = agenda.take(dueAt: now) {
            self.now = max(self.now, at)
            perform(item)
        }
        self.now = max(self.now, now)
    }

    func profileIndex(_ name: String) -> Int? {
        profiles.firstIndex { $0.isRunning && $0.settings.name == name }
    }

    /// What happens later.
    enum Item: Sendable {
        case heartbeat
        case second
        case sweep
        /// The SQL queue writes.
        case store([RecoveryChange])
        case injected(InjectedRegistration)
        case relay(caller: String)
        case bridge(caller: String)
        case callUpdate(first: String, second: String)
        case finishHangup(caller: String?, called: String?)
        case reviveNext(job: Int)
        case announceRevived(Leg)
        case rejoin(String)
        case acceptAlone(String)
        case retransmit(key: String, interval: Duration)
        case resendFailure(Transactions.ServerKey, interval: Duration)
        case answerOptions(SIPMessage, from: SIPEndpoint, on: Int)
        case forget(Transactions.ServerKey)
        case resendAnswer(String, interval: Duration, until: Timestamp)
        case phone(PhoneStep)
        case profileStopped(String, startsAgain: Bool)
        /// A waiting `fsctl shutdown` looks whether it is over.
        case pollShutdown(Ticket)
        case finishShutdown
    }

    private mutating func perform(_ item: Item) {
        switch item {
        case .heartbeat: beat()
        case .second: countSecond()
        case .sweep: sweepRegistrations()
        case .store(let changes): emit(.store(changes))
        case .injected(let change): apply(change)
        case .relay(let caller): relay(caller)
        case .bridge(let caller): bridge(caller)
        case .callUpdate(let first, let second): updateCall(first, second)
        case .finishHangup(let caller, let called): finishHangup(caller: caller, called: called)
        case .reviveNext(let job): reviveNext(job)
        case .announceRevived(let leg): announceRevived(leg)
        case .rejoin(let uuid): rejoin(uuid)
        case .acceptAlone(let uuid): acceptRevivalAnswer(uuid)
        case .retransmit(let key, let interval): retransmit(key, after: interval)
        case .resendFailure(let key, let interval): resendFailure(key, after: interval)
        case .answerOptions(let message, let source, let index):
            answerOptions(message, from: source, on: index)
        case .forget(let key): transactions.forget(key)
        case .resendAnswer(let uuid, let interval, let until):
            resendAnswer(uuid, after: interval, until: until)
        case .phone(let step): perform(step)
        case .finishShutdown: finishShutdown()
        case .profileStopped(let name, let startsAgain): profileStopped(name, startsAgain: startsAgain)
        case .pollShutdown(let ticket): pollShutdown(ticket)
        }
    }
}

/// Sessions counted as HEARTBEAT and `status` show them.
struct SessionCounters: Hashable, Sendable {
    var total = 0
    var peak = 0
    var peakFiveMinutes = 0
    /// Started within the current second.
    var thisSecond = 0
    var lastSecond = 0
    var peakRate = 0
    var peakRateFiveMinutes = 0
    var limit = 0
    var rate = 0
}

/// `fsctl pause` and `fsctl shutdown`.
struct PauseState: Hashable, Sendable {
    var inbound = false
    var outbound = false
    /// A requested shutdown waits for the last session; the ticket is the command's that asked.
    var shutdown: Shutdown?

    struct Shutdown: Hashable, Sendable {
        var isASAP: Bool
        var ticket: Ticket
    }
}

/// What an operator of the laboratory has broken.
struct Faults: Hashable, Sendable {
    /// Events are fired and go nowhere until mended.
    var eventsStuck = false
    var commandsRefused = false
    /// As with `-nosql`: no table is shown.
    var isDatabaseOff = false
    /// Of every answer to OPTIONS.
    var optionsDelay = Duration.zero
    /// Events held back, oldest first; bounded as FreeSWITCH's queue is.
    var backlog: [SwitchEvent] = []
    static let backlogLimit = 100_000
}
