import ArgumentParser
@preconcurrency import Glibc
import Logging
import SwitchSimulator

/// The command line of the stand-in FreeSWITCH.
@main
struct SwitchProgram: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsdns-switch",
        abstract: "A stand-in FreeSWITCH for demonstrations and tests.",
        discussion: """
            Speaks SIP on its profiles, the event socket, and keeps table recovery in a real core.db, as stock \
            FreeSWITCH does: registrations, calls, recovery, limits, pause and shutdown, with their delays and pitfalls. \
            No audio flows.

            Dialled numbers: park… is answered and parked; anything else is bridged to its registration on the same \
            profile, else to --carrier, else refused with 480. Users that begin with sim_ are phones inside the process.

            Prints one line when it is ready: ready PORT CORE-UUID. SIGTERM and SIGINT end it as fsctl shutdown now \
            does; the event-socket command simulator breaks it in other ways (api simulator tells how).
            """)

    @Option(
        help: ArgumentHelp(
            "A sofia profile, repeatable: name=NAME,ip=ADDRESS with [,port=5060] [,told-port=PORT] [,standby] [,untracked] "
                + "[,registrations=single|call-id|contact]. The address need not be on the machine yet.",
            valueName: "profile"))
    var profile: [ProfileArgument]

    @Option(
        name: .customLong("event-socket"),
        help: ArgumentHelp(
            "Where to listen for event-socket clients; port 0 takes a free one.", valueName: "host:port"))
    var eventSocket = EndpointArgument(host: "127.0.0.1", port: 8021)

    @Option(
        name: .customLong("password-file"),
        help: ArgumentHelp(
            "Its first line is the event socket's password; ClueCon without it.", valueName: "file"))
    var passwordFile: String?

    @Option(
        name: .customLong("db-dir"),
        help: ArgumentHelp("An existing directory for core.db.", valueName: "directory"))
    var databaseDirectory: String

    @Option(help: "The node's name in events and rows.")
    var switchname = "freeswitch"

    @Option(help: "The machine's name in events.")
    var hostname = "vm"

    @Option(
        help: ArgumentHelp(
            "Where users go that are not registered; ports within an address, IPv6 in brackets.",
            valueName: "host:port"))
    var carrier: EndpointArgument?

    @Option(
        help: ArgumentHelp("Bridged calls to hold between phones inside the process.", valueName: "count"))
    var calls = 0

    @Option(help: ArgumentHelp("Parked calls to hold from phones inside the process.", valueName: "count"))
    var parked = 0

    @Option(
        help: ArgumentHelp(
            "A limit, repeatable: prefix=DIGITS,backend=hash|hiredis,realm=R,id=I,max=N[,interval=SECONDS]. "
                + "Exceeded, the call gets 603 Decline.", valueName: "limit"))
    var limit: [LimitArgument] = []

    @Option(
        name: .customLong("hash-remote"),
        help: ArgumentHelp(
            "A mod_hash remote, repeatable: name=NAME,host=ADDRESS,port=PORT[,interval=MS][,username=U]"
                + "[,password=P].", valueName: "remote"))
    var hashRemote: [HashRemoteArgument] = []

    @Option(
        name: .customLong("hiredis"),
        help: ArgumentHelp(
            "The RESP service behind limits with backend=hiredis: host=ADDRESS,port=PORT[,password=P][,timeout=MS].",
            valueName: "service"))
    var hiredis: LimitServiceArgument?

    @Option(
        name: .customLong("sql-lag"),
        help: ArgumentHelp("How long rows wait in the SQL queue, on average.", valueName: "ms"))
    var databaseLag = 125

    @Option(
        name: .customLong("registration-lag"),
        help: ArgumentHelp("How long injected registrations stay invisible, on average.", valueName: "ms"))
    var registrationLag = 180

    @Option(
        name: .customLong("revive"),
        help: ArgumentHelp("How long reviving one leg takes, on average.", valueName: "ms"))
    var revivalPace = 4

    @Option(
        name: .customLong("late-margin"),
        help: ArgumentHelp("Registrations are kept so much longer than promised.", valueName: "seconds"))
    var lateMargin = 60

    @Option(help: ArgumentHelp("How often expired registrations are looked for.", valueName: "seconds"))
    var sweep = 30

    @Option(help: ArgumentHelp("The interval of HEARTBEAT events.", valueName: "seconds"))
    var heartbeat = 20

    @Option(name: .customLong("max-sessions"), help: ArgumentHelp("Legs at one time.", valueName: "count"))
    var sessionLimit = 2000

    @Option(help: ArgumentHelp("New sessions a second.", valueName: "count"))
    var sps = 500

    @Option(help: "Makes uuids, tags, ports and delays repeatable; a random one without it.")
    var seed: UInt64?

    @Flag(help: "Tell what is dropped and who connects.")
    var verbose = false

    func validate() throws {
        guard !profile.isEmpty else { throw ValidationError("At least one --profile is needed.") }
        let names = profile.map(\.profile.name)
        guard Set(names).count == names.count else { throw ValidationError("Two profiles have one name.") }
        for (name, value) in [
            ("calls", calls), ("parked", parked), ("sql-lag", databaseLag),
            ("registration-lag", registrationLag), ("revive", revivalPace), ("late-margin", lateMargin),
        ] where !(0...100_000).contains(value) {
            throw ValidationError("--\(name) is from 0 to 100000.")
        }
        for (name, value) in [
            ("sweep", sweep), ("heartbeat", heartbeat), ("max-sessions", sessionLimit), ("sps", sps),
        ] where !(1...1_000_000).contains(value) {
            throw ValidationError("--\(name) is from 1 to 1000000.")
        }
    }

    func run() throws {
        var log = Logger(label: "fsdns-switch", factory: { StreamLogHandler.standardError(label: $0) })
        log.logLevel = verbose ? .debug : .warning
        // Blocked before any thread is made, so that only `sigwait` below sees them.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGUSR2)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
        let service = SwitchService(try options(), log: log) { ending in
            // What is running is not tidied up after a crash; after a shutdown the main thread does it.
            if ending == .crashed { _exit(137) }
            kill(getpid(), SIGUSR2)
        }
        let (port, coreUUID) = try service.start()
        print("ready \(port) \(coreUUID)")
        fflush(nil)
        var number: Int32 = 0
        sigwait(&signals, &number)
        service.stop()
    }

    private func options() throws -> SwitchOptions {
        var settings = SwitchSettings(
            switchname: switchname, hostname: hostname, databaseDirectory: databaseDirectory,
            profiles: profile.map(\.profile), carrier: carrier?.endpoint)
        settings.limits = limit.map(\.rule)
        settings.hashRemotes = hashRemote.map(\.remote)
        settings.limitService = hiredis?.service
        settings.databaseLag = around(databaseLag)
        settings.registrationLag = around(registrationLag)
        settings.revivalPace = around(revivalPace)
        settings.lateMargin = .seconds(lateMargin)
        settings.sweep = .seconds(sweep)
        settings.heartbeat = .seconds(heartbeat)
        settings.sessionLimit = sessionLimit
        settings.sessionRate = sps
        var options = SwitchOptions(
            settings: settings, eventSocket: eventSocket.endpoint,
            password: try passwordFile.map(PasswordFile.read) ?? "ClueCon")
        if let seed { options.seed = seed }
        options.bridgedCalls = calls
        options.parkedCalls = parked
        return options
    }

    /// Half as much again either way.
    private func around(_ milliseconds: Int) -> ClosedRange<Duration> {
        .milliseconds(milliseconds / 2) ... .milliseconds(milliseconds + milliseconds / 2)
    }
}
